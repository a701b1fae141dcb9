"""Queues the work that webhooks and reconciliation leave for the worker."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from lib.jira.tasks import Task
from lib.platform import contract, errors, metrics
from lib.platform.log import Logger
from lib.platform.queues import Queue

if TYPE_CHECKING:
    from lib.jira.commits import Commit

ISSUES_PER_MESSAGE = 100
"""A batch of ten such messages is a thousand recomputes, some 20 s of the worker's 300."""

_COMMIT_BYTES_PER_MESSAGE = 200_000
"""SQS takes messages of 256 KiB."""


class WorkQueue:
    """The worker's queue. Every method raises SwitchboardError if the queue can't be reached or refuses; some of several
    messages may have been sent then."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def send(self, task: Task) -> None:
        """Queue one task."""
        self._queue.send(task.to_body())

    def send_commits(self, commits: "Iterable[Commit]") -> None:
        """Queue commits to be stored, as many per message as SQS takes."""
        some: list[Commit] = []
        size = 0
        for commit in commits:
            added = len(Task(commits=(commit,)).to_body())
            if some and size + added > _COMMIT_BYTES_PER_MESSAGE:
                self.send(Task(commits=tuple(some)))
                some, size = [], 0
            some.append(commit)
            size += added
        if some:
            self.send(Task(commits=tuple(some)))

    def send_recomputes(self, issue_keys: Iterable[str]) -> int:
        """Queue these issues to have their correlation recomputed. Returns how many issues it queued."""
        keys, sent = iter(issue_keys), 0
        while some := tuple(islice(keys, ISSUES_PER_MESSAGE)):
            self.send(Task(touched=some))
            sent += len(some)
        return sent

    def try_recomputes(self, issue_keys: Iterable[str], logger: Logger, /, **fields: Any) -> int | None:
        """As :meth:`send_recomputes`, but a failure is counted and logged with ``fields``, and the result is None. The next
        delivery of an issue or the nightly sweep recomputes it."""
        try:
            return self.send_recomputes(issue_keys)
        except errors.SwitchboardError as error:
            metrics.count(contract.CORRELATION_NOT_QUEUED)
            logger.error("correlation_not_queued", error, **fields)
            return None
