"""A batch of SQS messages as Lambda hands it to a function, read strictly: each record, or an error that names no content.

What the messages say is the function's business, and so is telling SQS which of them failed
(https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
"""

from dataclasses import dataclass

from lib.platform import errors


@dataclass(frozen=True, slots=True)
class Record:
    """One message as it was received.

    Attributes:
        id: by which SQS is told of a failure.
        body: the message.
        queue: the name of the queue that it came by.
        receipt_handle: by which SQS knows this receipt of it.
        receives: how often it came.
    """

    id: str
    body: str
    queue: str
    receipt_handle: str
    receives: int


def read_batch(event: object) -> list[Record]:
    """The records of an event of SQS.

    Raises:
        InvalidInputError: it is none. No record is left out for it: then the whole batch comes again.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise errors.InvalidInputError("the event is no batch of SQS messages: it has no list of Records")
    return [_read(record) for record in records]


def _read(record: object) -> Record:
    attributes = record.get("attributes") if isinstance(record, dict) else None
    receives = attributes.get("ApproximateReceiveCount") if isinstance(attributes, dict) else None
    if not isinstance(receives, str) or not (receives.isascii() and receives.isdecimal() and len(receives) < 10):
        raise errors.InvalidInputError("a record's ApproximateReceiveCount is no number")
    return Record(
        id=_text(record, "messageId"),
        body=_text(record, "body"),
        queue=_text(record, "eventSourceARN").rsplit(":", 1)[-1],
        receipt_handle=_text(record, "receiptHandle"),
        receives=int(receives),
    )


def _text(record: object, name: str) -> str:
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, str):
        raise errors.InvalidInputError(f"a record has no {name}")
    return value
