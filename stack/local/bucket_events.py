"""S3 -> queue. moto sends a bucket's events to any queue; this module asks the queue's policy first, as SQS does."""

from collections.abc import Callable
from typing import Any

from moto.s3 import notifications

from stack.local.iam.services import MayDo

_moto_send: Callable[..., None] = notifications._send_sqs_message


def connect(may: MayDo) -> None:
    """From now on, an event goes to a queue if the queue's policy lets the bucket send."""

    def send(account_id: str, event_body: Any, queue_name: str, region_name: str) -> None:
        queue_arn = f"arn:aws:sqs:{region_name}:{account_id}:{queue_name}"
        if may("s3.amazonaws.com", "sqs:SendMessage", queue_arn, _bucket_arn(event_body)):
            _moto_send(account_id, event_body, queue_name, region_name)

    setattr(notifications, "_send_sqs_message", send)  # noqa: B010 (a function of moto's, for the type checker)


def disconnect() -> None:
    """Give moto its own function back."""
    setattr(notifications, "_send_sqs_message", _moto_send)  # noqa: B010


def _bucket_arn(event: Any) -> str:
    """The bucket that an event is of: S3's events have records, its test event names the bucket."""
    return str(event["Records"][0]["s3"]["bucket"]["arn"] if "Records" in event else f"arn:aws:s3:::{event['Bucket']}")
