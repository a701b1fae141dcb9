"""Dead letters: reads the events and messages that a function gave up on, and sends them back.

There are three kinds of message in a dead-letter queue, and each goes back where it came from::

    Lambda's record of an event that the function failed on ──► the function, asynchronously
    an event that EventBridge could not deliver ──────────────► the function, asynchronously
    a message that a function failed on too often ────────────► the queue that feeds it

Reading hides a message from other readers for a while; what is not sent back is released. A dead letter is deleted only
after it was accepted: it may go back twice and is never lost, and the functions handle an event twice without harm. What goes
back is marked, so that a letter that comes back can be recognized: a message by an attribute, an event by
:mod:`.redrive_marks`.
"""

import contextlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from lib.operations.redrive_marks import RedriveMarks
from lib.platform import aws, clock, errors
from lib.platform.contract import live
from lib.platform.wording import counted

HOLD_SECONDS = 300
"""How long reading hides a message from others: time to read and decide."""

REDRIVEN_AT = "RedrivenAt"
"""The attribute of a message that was sent back: when."""

_MAX_ATTRIBUTES = 10  # of a message of SQS
_PAGE = 10  # the most that SQS returns at once
_WAIT_SECONDS = 1  # more than 0 asks every SQS server, so that none of a few messages is missed


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter.

    Attributes:
        message_id: of the message.
        sent_at: when it was sent to the queue. For a work queue's message, SQS keeps the time of the original.
        error: what failed, if the message says so.
        payload: what goes back.
        refused: why it can't go back; empty if it can.
        receipt: SQS's receipt handle.
        attributes: of the message; they go back with the payload, to a queue.
        request_id: of the call that failed, in Lambda's record; empty for other messages.
        redriven_at: when a message was sent back before; None if it was not, or is not a message of a work queue.
        received: how often it was received from its queue, by readers of dead letters too.
    """

    message_id: str
    sent_at: datetime
    error: str
    payload: str
    refused: str = ""
    receipt: str = field(default="", repr=False)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""
    redriven_at: datetime | None = None
    received: int = 1


class Depth(NamedTuple):
    """How many messages a queue has, about: those that can be read, those that a reader holds, and delayed ones."""

    visible: int
    hidden: int
    delayed: int


class DeadLetterQueue:
    """One dead-letter queue of one function.

    Args:
        sqs: an SQS client of :mod:`lib.platform.aws`.
        lambda_client: a Lambda client of :mod:`lib.platform.aws`.
        queue_name: the dead-letter queue.
        function_name: the function.
        marks: remember the events that are sent back; None to remember none.
        now: the clock.

    Raises:
        SwitchboardError: the queue does not exist or can't be reached.
    """

    def __init__(
        self,
        sqs: Any,
        lambda_client: Any,
        queue_name: str,
        function_name: str,
        *,
        marks: RedriveMarks | None = None,
        now: clock.Clock = clock.utc_now,
    ) -> None:
        self.name = queue_name
        self._marks = marks
        self._now = now
        self._sqs = sqs
        self._lambda = lambda_client
        self._function_name = function_name
        with aws.translated(f"find the queue {queue_name}"):
            self.url: str = sqs.get_queue_url(QueueName=queue_name)["QueueUrl"]
            sources: list[str] = sqs.list_dead_letter_source_queues(QueueUrl=self.url).get("queueUrls") or []
        if len(sources) > 1:
            raise errors.ConfigurationError(f"{queue_name} is the dead-letter queue of several queues")
        self.source_url = sources[0] if sources else None

    @property
    def goes_to(self) -> str:
        """Where its letters go back to: ``queue`` or ``function``."""
        return "queue" if self.source_url else "function"

    def read(self, limit: int, *, at_least: int | None = None, wanted: Collection[str] = frozenset()) -> list[DeadLetter]:
        """Up to ``limit`` dead letters, hidden from others for :data:`HOLD_SECONDS`. Send back or release each.

        Args:
            limit: read at most this many.
            at_least: how many the queue says it has (:meth:`depth`). After that many, reading does not wait for more.
            wanted: stop when the letters with these ids were read.

        Raises:
            SwitchboardError: the queue can't be read.
        """
        found: dict[str, DeadLetter] = {}
        while len(found) < limit and not (wanted and found.keys() >= set(wanted)):
            is_complete = at_least is not None and len(found) >= at_least
            with aws.translated(f"read the queue {self.name}"):
                answer = self._sqs.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=min(_PAGE, limit - len(found)),
                    VisibilityTimeout=HOLD_SECONDS,
                    WaitTimeSeconds=0 if is_complete else _WAIT_SECONDS,
                    MessageSystemAttributeNames=["All"],
                    MessageAttributeNames=["All"],
                )
            if not answer.get("Messages"):
                break
            for message in answer["Messages"]:
                found[message["MessageId"]] = read_message(message, of_a_work_queue=self.source_url is not None)
        return list(found.values())

    def peek(self, limit: int) -> tuple[list[DeadLetter], int]:
        """Up to ``limit`` dead letters, released at once, and how many the queue has, about.

        Raises:
            SwitchboardError: the queue can't be read.
        """
        depth = self.depth()
        letters = self.read(limit, at_least=depth.visible)
        with contextlib.suppress(errors.SwitchboardError):  # they show again when the hold is over
            self.release(*letters)
        return letters, max(sum(depth), len(letters))

    def send_back(self, letter: DeadLetter) -> None:
        """Send a letter back and delete it.

        Raises:
            InvalidInputError: it can't go back; ``refused`` says why.
            AmbiguousError: it may have gone back, and is still in the queue.
            SwitchboardError: it did not go back, and is still in the queue.
        """
        if letter.refused:
            raise errors.InvalidInputError(letter.refused)
        # This fails if the hold is over, when somebody else may have it.
        self._hide(letter, HOLD_SECONDS, "hold the dead letter, which another reader may have")
        if self.source_url:
            self._send_to_queue(letter, self.source_url)
        else:
            self._send_to_function(letter)
        try:
            self._delete(letter)
        except errors.SwitchboardError as error:
            raise errors.AmbiguousError(f"it was sent back, but is still in the queue: {error}") from None

    def drop(self, letter: DeadLetter) -> None:
        """Delete a letter without sending it back.

        Raises:
            SwitchboardError: it is still in the queue, or another reader may have it.
        """
        self._hide(letter, HOLD_SECONDS, "hold the dead letter, which another reader may have")
        self._delete(letter)

    def depth(self) -> Depth:
        """How many letters it has; errors as :func:`depth_of`."""
        return depth_of(self._sqs, self.url)

    def release(self, *letters: DeadLetter) -> None:
        """Make letters visible to other readers at once. A letter that SQS does not release is visible when the hold is over.

        Raises:
            SwitchboardError: the queue can't be reached; the letters are visible when the hold is over.
        """
        for first in range(0, len(letters), _PAGE):
            entries = [
                {"Id": str(position), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                for position, letter in enumerate(letters[first : first + _PAGE])
            ]
            with aws.translated("release the dead letters"):
                self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def _delete(self, letter: DeadLetter) -> None:
        with aws.translated("delete"):
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt)

    def _hide(self, letter: DeadLetter, seconds: int, doing: str) -> None:
        with aws.translated(doing):
            self._sqs.change_message_visibility(QueueUrl=self.url, ReceiptHandle=letter.receipt, VisibilityTimeout=seconds)

    def _send_to_queue(self, letter: DeadLetter, url: str) -> None:
        attributes = dict(letter.attributes)
        if len(attributes) < _MAX_ATTRIBUTES or REDRIVEN_AT in attributes:
            attributes[REDRIVEN_AT] = {"DataType": "String", "StringValue": clock.canonical(self._now())}
        with aws.translated("send the message to its queue"):
            self._sqs.send_message(QueueUrl=url, MessageBody=letter.payload, MessageAttributes=attributes)

    def _send_to_function(self, letter: DeadLetter) -> None:
        with aws.translated(f"invoke {self._function_name}"):
            answer = self._lambda.invoke(
                FunctionName=live(self._function_name),
                InvocationType="Event",
                Payload=letter.payload.encode("utf-8", "surrogatepass"),
            )
        if answer["StatusCode"] != 202:
            raise errors.UnavailableError(f"{self._function_name} did not accept the event: status {answer['StatusCode']}")
        request_id = answer.get("ResponseMetadata", {}).get("RequestId")
        if self._marks is not None and request_id:
            with contextlib.suppress(errors.SwitchboardError):  # it was accepted: only the mark is missing
                self._marks.set(request_id)


def depth_of(sqs: Any, url: str) -> Depth:
    """How many messages a queue has.

    Raises:
        SwitchboardError: the queue can't be reached.
    """
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    with aws.translated(f"count the messages of {url.rsplit('/', 1)[-1]}"):
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return Depth(*(int(found.get(name, 0)) for name in names))


def read_message(message: Mapping[str, Any], *, of_a_work_queue: bool) -> DeadLetter:
    """The dead letter in a message of SQS. Pure.

    The record of a failed event: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html. What
    EventBridge adds to an event: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html.
    """
    body: str = message["Body"]
    attributes: Mapping[str, Any] = message.get("MessageAttributes") or {}

    def letter(error: str, payload: str, refused: str = "", request_id: str = "") -> DeadLetter:
        return DeadLetter(
            message_id=message["MessageId"],
            sent_at=clock.from_epoch_ms(int(message["Attributes"]["SentTimestamp"])),
            error=error,
            payload=payload,
            refused=refused,
            receipt=message["ReceiptHandle"],
            attributes=attributes,
            request_id=request_id,
            redriven_at=_redriven_at(attributes),
            received=int(message["Attributes"].get("ApproximateReceiveCount", 1)),
        )

    if of_a_work_queue:
        return letter("the function failed on it too often; its log says why", body)
    if "RULE_ARN" in attributes:
        return letter(_error_of_eventbridge(attributes), body)
    try:
        record = json.loads(body)
        error = _error_of_record(record)
        payload = json.dumps(record["requestPayload"], separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return letter("", body, refused="it is not a record of a failed event")
    request_id = record["requestContext"].get("requestId")
    return letter(error, payload, request_id=request_id if isinstance(request_id, str) else "")


def _redriven_at(attributes: Mapping[str, Any]) -> datetime | None:
    try:
        return clock.parse(attributes[REDRIVEN_AT]["StringValue"])
    except (KeyError, TypeError, ValueError):
        return None


def _error_of_record(record: Mapping[str, Any]) -> str:
    context = record["requestContext"]
    answer = record.get("responsePayload")
    if not isinstance(answer, dict):
        return str(context["condition"])
    error = f"{answer.get('errorType', 'error')}: {answer.get('errorMessage', '')}"
    attempts = context.get("approximateInvokeCount")
    return f"{error} ({counted(attempts, 'attempt')})" if isinstance(attempts, int) else error


def _error_of_eventbridge(attributes: Mapping[str, Any]) -> str:
    texts = (attributes.get(name, {}).get("StringValue", "") for name in ("ERROR_CODE", "ERROR_MESSAGE"))
    return ": ".join(text for text in texts if text) or "not delivered"
