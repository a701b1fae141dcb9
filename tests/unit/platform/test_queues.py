"""A message is queued once, with its delay, and the queue's errors are translated."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lib.platform import errors
from lib.platform.queues import Queue


class Client:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **request: Any) -> None:
        self.sent.append(request)
        if self.error is not None:
            raise self.error


def test_a_message_is_sent_once_with_its_delay() -> None:
    client = Client()
    Queue(client, "https://queue").send("text", delay_seconds=60)
    assert client.sent == [{"QueueUrl": "https://queue", "MessageBody": "text", "DelaySeconds": 60}]


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (ReadTimeoutError(endpoint_url="https://queue"), errors.AmbiguousError),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessage"), errors.AccessDeniedError),
        (ClientError({"Error": {"Code": "RequestThrottled"}}, "SendMessage"), errors.ThrottledError),
    ],
)
def test_an_error_of_the_queue_is_translated(error: Exception, means: type[Exception]) -> None:
    client = Client(error)
    with pytest.raises(means):
        Queue(client, "https://queue").send("text")
    assert len(client.sent) == 1
