"""The queue on which webhooks and the sweep leave work for the worker."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.jira.tasks import Task
from lib.platform import aws

if TYPE_CHECKING:
    from lib.jira.commits import Commit

ISSUES_A_MESSAGE = 100
"""A batch of ten such messages is a thousand recomputes, some 20 s of the worker's 300."""

_COMMITS_BYTES = 200_000
"""Of the commits in a message. SQS takes messages of 256 KiB."""


class WorkQueue:
    """One queue. ``client`` is an SQS client of :mod:`lib.platform.aws`."""

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

    def send_commits(self, commits: "Iterable[Commit]") -> None:
        """Leave commits to be stored, as many per message as SQS takes.

        Raises:
            SwitchboardError: the queue can't be reached or refuses; some may have been left.
        """
        some: list[Commit] = []
        size = 0
        for commit in commits:
            added = len(Task(commits=(commit,)).to_body())
            if some and size + added > _COMMITS_BYTES:
                self.send(Task(commits=tuple(some)))
                some, size = [], 0
            some.append(commit)
            size += added
        if some:
            self.send(Task(commits=tuple(some)))

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
