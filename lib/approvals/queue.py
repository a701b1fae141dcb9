"""The way into the worker's queue."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.approvals import messages
from lib.approvals.messages import Message
from lib.platform import aws


class Queue:
    """A queue to send to; as a function it is a :data:`lib.approvals.messages.Send`.

    Args:
        client: an SQS client of :mod:`lib.platform.aws`.
        url: of the worker's queue, a standard one.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def __call__(self, message: Message, delay_seconds: int) -> None:
        """Put ``message`` into the queue, to come out no sooner than after so many seconds.

        Raises:
            SwitchboardError: the queue can't be reached or refuses. If the error is ambiguous, the message may be in it.
        """
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=messages.encode(message), DelaySeconds=delay_seconds)
        except (ClientError, BotoCoreError) as error:
            raise aws.translate(error, "queue a message") from error
