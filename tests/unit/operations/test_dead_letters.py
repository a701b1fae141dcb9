"""A dead letter goes back to where it failed, and is deleted only after it was accepted."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lib.operations import dead_letters
from lib.operations.dead_letters import DeadLetter, DeadLetterQueue, read_message
from lib.platform import aws, errors
from tests.support.aws.moto_clients import Unreliable
from tests.support.aws.moto_inside import moto_inside

RECORD = {
    "version": "1.0",
    "requestContext": {"requestId": "r", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
    "requestPayload": {"id": "e-1", "name": "Zoë", "factor": 0.1},
    "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
    "responsePayload": {"errorType": "UnavailableError", "errorMessage": "not sent on slack"},
}
OF_EVENTBRIDGE = {
    "RULE_ARN": {"DataType": "String", "StringValue": "arn:aws:events:us-west-2:123456789012:rule/leases"},
    "ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"},
    "ERROR_MESSAGE": {"DataType": "String", "StringValue": "not authorized"},
}


def message(body: object, attributes: Any = None) -> dict[str, Any]:
    return {
        "MessageId": "m-1",
        "ReceiptHandle": "h-1",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "Attributes": {"SentTimestamp": "1772366400123"},
        **({"MessageAttributes": attributes} if attributes else {}),
    }


def test_the_record_of_lambda_contains_the_event_and_its_error() -> None:
    letter = read_message(message(RECORD), of_a_work_queue=False)

    assert json.loads(letter.payload) == RECORD["requestPayload"]
    assert letter.error == "UnavailableError: not sent on slack (3 attempts)"
    assert letter.refused == ""
    assert letter.sent_at.isoformat() == "2026-03-01T12:00:00.123000+00:00"


def test_the_error_of_an_expired_event_is_its_condition() -> None:
    record = {"requestContext": {"condition": "EventAgeExceeded"}, "requestPayload": {}}
    assert read_message(message(record), of_a_work_queue=False).error == "EventAgeExceeded"


def test_a_message_of_eventbridge_is_the_event_itself() -> None:
    letter = read_message(message('{ "id": "e-2" }', OF_EVENTBRIDGE), of_a_work_queue=False)

    assert (letter.payload, letter.error, letter.refused) == ('{ "id": "e-2" }', "NO_PERMISSIONS: not authorized", "")


def test_a_message_of_a_work_queue_is_always_the_payload() -> None:
    letter = read_message(message(RECORD), of_a_work_queue=True)

    assert (json.loads(letter.payload), letter.refused) == (RECORD, "")


@pytest.mark.parametrize(
    "body",
    [
        "what is this",
        "[]",
        "null",
        {"id": "an event without what EventBridge adds"},
        {"requestPayload": {}},
        {"requestContext": 1, "requestPayload": {}},
        '{"requestContext": {"condition": "x"}, "requestPayload": 1e999}',
        "[" * 100_000,
    ],
)
def test_a_message_that_is_not_a_record_is_refused(body: object) -> None:
    letter = read_message(message(body), of_a_work_queue=False)

    assert letter.refused == "it is not a record of a failed event"


@dataclass(slots=True)
class Lambda:
    """Takes events; ``fault`` is raised after it has."""

    status: int = 202
    fault: Exception | None = None
    events: list[Any] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert (FunctionName, InvocationType) == ("notification-5f:live", "Event")
        self.events.append(json.loads(Payload))
        if self.fault:
            raise self.fault
        return {"StatusCode": self.status}


@dataclass(frozen=True, slots=True)
class Queues:
    """A failure queue, and a work queue with its dead-letter queue."""

    sqs: Any
    functions: Any
    url: Callable[[str], str]

    def put(self, queue: str, body: object, attributes: Any = None) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.url(queue), MessageBody=text, MessageAttributes=attributes or {})

    def waiting(self, queue: str) -> list[dict[str, Any]]:
        """The messages that a reader gets, who leaves them there."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url(queue), MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def held(self, queue: str) -> int:
        """How many there are that no reader gets."""
        name = "ApproximateNumberOfMessagesNotVisible"
        return int(self.sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=[name])["Attributes"][name])

    def of(self, queue: str, sqs: Any = None) -> DeadLetterQueue:
        return DeadLetterQueue(sqs or self.sqs, self.functions, queue, "notification-5f")


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)
    with moto_inside(monkeypatch):
        sqs = aws.make_client("sqs")
        for name in ("failures", "work-dead-letters"):
            sqs.create_queue(QueueName=name)
        urls: Callable[[str], str] = lambda name: sqs.get_queue_url(QueueName=name)["QueueUrl"]  # noqa: E731
        attributes = sqs.get_queue_attributes(QueueUrl=urls("work-dead-letters"), AttributeNames=["QueueArn"])["Attributes"]
        policy = json.dumps({"deadLetterTargetArn": attributes["QueueArn"], "maxReceiveCount": 5})
        sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy})
        yield Queues(sqs, Lambda(), urls)


def test_reading_holds_the_letters_and_releasing_shows_them_again(queues: Queues) -> None:
    for number in range(25):
        queues.put("failures", {**RECORD, "requestPayload": {"id": number}})
    queue = queues.of("failures")

    letters = queue.read(100)

    assert sorted(json.loads(letter.payload)["id"] for letter in letters) == list(range(25))
    assert (queues.waiting("failures"), queues.held("failures")) == ([], 25)
    for letter in letters:
        queue.release(letter)
    assert queues.held("failures") == 0


def test_reading_stops_at_its_limit(queues: Queues) -> None:
    for _ in range(15):
        queues.put("failures", RECORD)

    assert len(queues.of("failures").read(12)) == 12
    assert queues.held("failures") == 12


def test_an_event_goes_to_its_function_and_its_letter_is_deleted(queues: Queues) -> None:
    queues.put("failures", RECORD)
    queue = queues.of("failures")
    assert queue.goes_to == "function"

    queue.send_back(queue.read(10)[0])

    assert queues.functions.events == [RECORD["requestPayload"]]
    assert (queues.waiting("failures"), queues.held("failures")) == ([], 0)


def test_a_message_goes_to_its_queue_with_its_attributes_and_is_deleted(queues: Queues) -> None:
    queues.put("work-dead-letters", "a task", {"trace": {"DataType": "String", "StringValue": "t-1"}})
    queue = queues.of("work-dead-letters")
    assert queue.goes_to == "queue"

    queue.send_back(queue.read(10)[0])

    (message,) = queues.waiting("work")
    assert message["Body"] == "a task"
    assert message["MessageAttributes"]["trace"]["StringValue"] == "t-1"
    assert (queues.waiting("work-dead-letters"), queues.held("work-dead-letters")) == ([], 0)
    assert queues.functions.events == []


def only_letter(queues: Queues, queue: DeadLetterQueue) -> DeadLetter:
    queues.put("failures", RECORD)
    (letter,) = queue.read(10)
    return letter


def assert_kept(queues: Queues, queue: DeadLetterQueue, letter: DeadLetter) -> None:
    assert queues.held("failures") == 1
    queue.release(letter)
    assert len(queues.waiting("failures")) == 1


REFUSED = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Invoke")
LOST = ReadTimeoutError(endpoint_url="https://lambda")


@pytest.mark.parametrize(("fault", "kind"), [(REFUSED, errors.ResourceMissingError), (LOST, errors.AmbiguousError)])
def test_a_letter_that_is_not_accepted_is_kept(queues: Queues, fault: Exception, kind: type[Exception]) -> None:
    queue = queues.of("failures")
    letter = only_letter(queues, queue)
    queues.functions.fault = fault

    with pytest.raises(kind):
        queue.send_back(letter)

    assert_kept(queues, queue, letter)


def test_an_answer_other_than_accepted_keeps_the_letter(queues: Queues) -> None:
    queue = queues.of("failures")
    letter = only_letter(queues, queue)
    queues.functions.status = 204

    with pytest.raises(errors.UnavailableError, match="status 204"):
        queue.send_back(letter)

    assert_kept(queues, queue, letter)


def test_a_letter_that_cannot_be_deleted_may_have_gone_back_twice(queues: Queues) -> None:
    class NoDelete(Unreliable):
        def delete_message(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteMessage")

    queue = queues.of("failures", NoDelete(queues.sqs))
    letter = only_letter(queues, queue)

    with pytest.raises(
        errors.AmbiguousError, match="it was sent back, but is still in the queue: could not delete: AccessDenied"
    ):
        queue.send_back(letter)

    assert queues.functions.events == [RECORD["requestPayload"]]
    assert_kept(queues, queue, letter)


def test_a_letter_that_another_reader_handled_is_not_sent(queues: Queues) -> None:
    queue = queues.of("failures")
    letter = only_letter(queues, queue)
    queues.sqs.delete_message(QueueUrl=queues.url("failures"), ReceiptHandle=letter.receipt)

    with pytest.raises(errors.SwitchboardError, match="could not hold the dead letter"):
        queue.send_back(letter)

    assert queues.functions.events == []


def test_a_message_that_is_not_a_record_is_neither_sent_nor_deleted(queues: Queues) -> None:
    queue = queues.of("failures")
    queues.put("failures", "what is this")
    (letter,) = queue.read(10)

    with pytest.raises(errors.InvalidInputError, match="not a record of a failed event"):
        queue.send_back(letter)

    assert queues.functions.events == []
    assert_kept(queues, queue, letter)


def test_a_missing_queue_is_reported(queues: Queues) -> None:
    with pytest.raises(errors.SwitchboardError, match="could not find the queue gone"):
        queues.of("gone")
