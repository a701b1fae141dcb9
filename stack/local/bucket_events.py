"""Delivers events of S3 to queues. moto sends them to any queue; this module checks the queue's policy first, as SQS does."""

from collections.abc import Callable
from typing import Any

from moto.s3 import notifications

from stack.local.iam.services import MayDo

_moto_send: Callable[..., None] = notifications._send_sqs_message


def connect(may: MayDo) -> None:
    """Deliver events only to queues whose policy allows the bucket to send."""

    def send(account_id: str, event_body: Any, queue_name: str, region_name: str) -> None:
        queue_arn = f"arn:aws:sqs:{region_name}:{account_id}:{queue_name}"
        if may("s3.amazonaws.com", "sqs:SendMessage", queue_arn, _bucket_arn(event_body)):
            _moto_send(account_id, event_body, queue_name, region_name)

    setattr(notifications, "_send_sqs_message", send)  # noqa: B010 (a function of moto's, for the type checker)


def disconnect() -> None:
    """Restore moto's function."""
    setattr(notifications, "_send_sqs_message", _moto_send)  # noqa: B010


def _bucket_arn(event: Any) -> str:
    """The bucket of an event. S3's events have records; its test event names the bucket."""
    return str(event["Records"][0]["s3"]["bucket"]["arn"] if "Records" in event else f"arn:aws:s3:::{event['Bucket']}")
