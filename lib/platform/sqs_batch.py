"""A batch of SQS messages, and its answer. It is read strictly: each record, or an error that shows no content.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lib.platform import errors
from lib.platform.fields import require_object, require_text


@dataclass(frozen=True, slots=True)
class Record:
    """One message as it was received.

    Attributes:
        id: by which a failure is reported to SQS.
        body: the message.
        queue: the name of the queue that it came from.
        receipt_handle: identifies this receipt of it.
        receives: how many times it was received.
    """

    id: str
    body: str
    queue: str
    receipt_handle: str
    receives: int


def read_batch(event: object) -> list[Record]:
    """The records of an SQS event.

    Raises:
        InvalidInputError: the event is not one. No record is skipped: then the whole batch is received again.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise errors.InvalidInputError("the event is not a batch of SQS messages: it has no list of Records")
    return [_read(record) for record in records]


def answer(failed: Iterable[Record]) -> dict[str, Any]:
    """The answer to a batch: SQS delivers the ``failed`` records again, and deletes the others."""
    return {"batchItemFailures": [{"itemIdentifier": record.id} for record in failed]}


def _read(value: object) -> Record:
    record = require_object(value, "a record")
    attributes = require_object(record.get("attributes"), "a record's attributes")
    receives = require_text(attributes.get("ApproximateReceiveCount"), "a record's ApproximateReceiveCount")
    if not (receives.isascii() and receives.isdecimal() and len(receives) < 10):
        raise errors.InvalidInputError("a record's ApproximateReceiveCount is not a number")
    return Record(
        id=require_text(record.get("messageId"), "a record's messageId"),
        body=require_text(record.get("body"), "a record's body"),
        queue=require_text(record.get("eventSourceARN"), "a record's eventSourceARN").rsplit(":", 1)[-1],
        receipt_handle=require_text(record.get("receiptHandle"), "a record's receiptHandle"),
        receives=int(receives),
    )
