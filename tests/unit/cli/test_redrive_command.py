"""``redrive`` shows dead letters without personal data, sends them back after a yes, and loses none."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from lib.operations import dead_letters
from lib.platform import aws
from lib.platform.log import hash_email
from tests.support.aws.lambda_service import LambdaService

Run = Callable[..., Result]

RULE = {"RULE_ARN": {"DataType": "String", "StringValue": "arn:aws:events:us-west-2:123456789012:rule/leases"}}


@pytest.fixture(autouse=True)
def queues(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The failure queue of notification and its rule's, and the worker's: an SQS client."""
    monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)
    sqs = aws.make_client("sqs")
    for name in ("failures", "undelivered", "work-dead-letters"):
        sqs.create_queue(QueueName=name)
    url = sqs.get_queue_url(QueueName="work-dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy})
    monkeypatch.setenv("NOTIFICATION_FUNCTION_NAME", "notification-5f")
    monkeypatch.setenv("NOTIFICATION_DEAD_LETTER_QUEUES", "failures,undelivered")
    monkeypatch.setenv("JIRA_WORKER_FUNCTION_NAME", "jira_worker-5f")
    monkeypatch.setenv("JIRA_WORKER_DEAD_LETTER_QUEUES", "work-dead-letters")
    return sqs


def put(sqs: Any, queue: str, body: object, attributes: Any = None) -> None:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    text = body if isinstance(body, str) else json.dumps(body)
    sqs.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes or {})


def bodies(sqs: Any, queue: str) -> list[str]:
    """What any reader gets from a queue."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return sorted(message["Body"] for message in answer.get("Messages", []))


def record(event: object, error: str = "not sent on slack") -> dict[str, Any]:
    return {
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event,
        "responsePayload": {"errorType": "UnavailableError", "errorMessage": error},
    }


def flat(result: Result) -> str:
    """What is shown, without the blanks and line ends of the layout."""
    return "".join(result.stdout.split())


def test_a_dry_run_shows_each_letter_and_leaves_it(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"id": "e-1"}))
    put(queues, "undelivered", {"id": "e-2"}, RULE)

    result = run("redrive", "--function", "notification", "--dry-run")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Dead letters of notification\n")
    assert "UnavailableError" in result.stdout
    assert '{"id":"e-1"}' in result.stdout
    assert result.stdout.endswith("Nothing was sent back.\n")
    assert functions.invocations == []
    assert (len(bodies(queues, "failures")), len(bodies(queues, "undelivered"))) == (1, 1), "any reader gets them at once"


def test_addresses_and_secrets_are_not_shown_even_where_the_payload_is_cut(run: Run, queues: Any) -> None:
    signature = "sha256=" + "ab" * 32
    event = {"pad": "x" * 170, "user": "ada.lovelace@sandbox.example", "signature": signature}
    put(queues, "failures", record(event, "refused ada.lovelace@sandbox.example"))

    shown = flat(run("redrive", "--function", "notification", "--dry-run"))

    assert "ada" not in shown
    assert signature[:20] not in shown
    assert hash_email("ada.lovelace@sandbox.example") in shown
    assert shown.endswith("…Nothingwassentback.")


def test_after_a_yes_events_go_to_their_function(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"id": "e-1"}))
    put(queues, "undelivered", {"id": "e-2"}, RULE)

    result = run("redrive", "--function", "notification", input="y\n")

    assert result.exit_code == 0
    assert "Send 2 dead letters back? Answer within 5 minutes. [y/N]" in result.stderr
    assert result.stdout.endswith("2 sent back, 0 left.\n")
    assert functions.invocations == [
        ("notification-5f", "Event", {"id": "e-1"}),
        ("notification-5f", "Event", {"id": "e-2"}),
    ]
    assert (bodies(queues, "failures"), bodies(queues, "undelivered")) == ([], [])


@pytest.mark.parametrize("said", ["n\n", ""])
def test_without_a_yes_they_stay(run: Run, queues: Any, functions: LambdaService, said: str) -> None:
    put(queues, "failures", record({"id": "e-1"}))

    result = run("redrive", "--function", "notification", input=said)

    assert result.exit_code == 1
    assert result.stderr.endswith("Error: interrupted.\n")
    assert functions.invocations == []
    assert len(bodies(queues, "failures")) == 1


def test_messages_go_to_their_queue(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "work-dead-letters", '{"kind":"jira"}')

    result = run("redrive", "--function", "jira_worker", "--yes")

    assert (result.exit_code, result.stderr) == (0, "")
    assert bodies(queues, "work") == ['{"kind":"jira"}']
    assert bodies(queues, "work-dead-letters") == []
    assert functions.invocations == []


def test_letters_that_the_function_refuses_stay_and_are_named(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", record({"id": "e-1"}))
    functions.refusal = (404, "ResourceNotFoundException")

    result = run("redrive", "--function", "notification", "--yes")

    assert result.exit_code == 1
    assert result.stdout.endswith("0 sent back, 1 left.\n")
    assert "in failures: could not invoke notification-5f: ResourceNotFoundException\n" in result.stderr
    assert len(bodies(queues, "failures")) == 1


def test_a_refused_letter_stays_and_stops_no_other(run: Run, queues: Any, functions: LambdaService) -> None:
    put(queues, "failures", "what is this")
    put(queues, "failures", record({"id": "e-1"}))

    result = run("redrive", "--function", "notification", "--yes")

    assert result.exit_code == 1
    assert result.stdout.endswith("1 sent back, 1 left.\n")
    assert "in failures: it is not a record of a failed event\n" in result.stderr
    assert [event for _, _, event in functions.invocations] == [{"id": "e-1"}]
    assert bodies(queues, "failures") == ["what is this"]


def test_at_most_limit_letters_are_read(run: Run, queues: Any, functions: LambdaService) -> None:
    for number in range(3):
        put(queues, "failures", record({"id": number}))
    put(queues, "undelivered", {"id": "e-2"}, RULE)

    result = run("redrive", "--function", "notification", "--limit", "2", "--yes")

    assert "Showing 2 dead letters. There may be more" in result.stderr
    assert len(functions.invocations) == 2
    assert (len(bodies(queues, "failures")), len(bodies(queues, "undelivered"))) == (1, 1)


def test_without_dead_letters_it_says_so(run: Run) -> None:
    result = run("redrive", "--function", "notification")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "notification has no dead letters.\n", "")


def test_a_function_without_a_dead_letter_queue_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOKS_FUNCTION_NAME", "webhooks-5f")

    result = run("redrive", "--function", "webhooks")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: webhooks has no dead-letter queue in the environment variables; functions that have one: "
        "jira_worker, notification\n"
    )


def test_a_missing_queue_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFICATION_DEAD_LETTER_QUEUES", "gone")

    result = run("redrive", "--function", "notification")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: could not find the queue gone: ")
