"""The queue on which webhooks and the sweep leave work for the worker."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib import aws
from lib.jira.tasks import Task

ISSUES_A_MESSAGE = 100
"""A batch of ten such messages is a thousand recomputes, some 20 s of the worker's 300."""


class WorkQueue:
    """One queue. ``client`` is an SQS client of :mod:`lib.aws`."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, task: Task) -> None:
        """Leave a task.

        Raises:
            SwitchboardError: the queue can't be reached or refuses.
        """
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=task.to_body())
        except (ClientError, BotoCoreError) as error:
            raise aws.translate(error, "queue the work that is left") from None

    def send_recomputes(self, issue_keys: Iterable[str]) -> int:
        """Leave the correlation of these issues to be recomputed, some to a message; how many issues.

        Raises:
            SwitchboardError: the queue can't be reached or refuses; some may have been left.
        """
        keys, sent = iter(issue_keys), 0
        while some := tuple(islice(keys, ISSUES_A_MESSAGE)):
            self.send(Task(touched=some))
            sent += len(some)
        return sent
