"""Sends messages to an SQS queue."""

from typing import Any

from lib.platform import aws


class Queue:
    """One standard queue. ``client`` is an SQS client of :mod:`lib.platform.aws`."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str, *, delay_seconds: int = 0) -> None:
        """Send one message. It can be received after ``delay_seconds`` (at most 900, SQS's limit).

        Raises:
            SwitchboardError: the queue can't be reached or refuses. If the error is ambiguous, the message may be queued.
        """
        with aws.translated("queue a message"):
            self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay_seconds)
