"""Stores the commits of a push under the issues that they name, at once or through the work queue.

Git hosts do not send a push again, so commits that the table does not accept now, or not in time, go to the queue.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lib.jira.commits import Commit, Push, keep_known
from lib.jira.correlation_store import CorrelationStore
from lib.jira.deliveries import Answer
from lib.jira.issue_reader import IssueReader
from lib.jira.webhooks import Ignored
from lib.jira.work_queue import WorkQueue
from lib.platform import clock, contract, errors, metrics
from lib.platform.log import Logger

if TYPE_CHECKING:
    from lib.platform.environment.jira_worker import JiraWorkerEnvironment
    from lib.platform.environment.webhooks import WebhooksEnvironment


STORE_SECONDS = 5.0
"""After this time the rest of a push goes to the queue. Senders wait 10 s, and one throttled call takes up to 3.5 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushes:
    """Stores pushes in ``links``. Projects that are not among the configured ``projects`` are looked up in ``issues``."""

    links: CorrelationStore
    issues: IssueReader
    projects: Collection[str]
    logger: Logger

    def take(self, push: Push | Ignored, queue: WorkQueue, started: float) -> Answer:
        """Store what can be stored within :data:`STORE_SECONDS` of ``started``, on the monotonic clock, and queue the rest.

        Raises:
            SwitchboardError: the table and the queue both failed.
        """
        if isinstance(push, Ignored):
            return Answer("ignored", {"reason": push.reason})
        skipped = {"unusable": push.unusable, "left_out": push.left_out}
        named = [commit for commit in push.commits if commit.issue_keys]

        def has_time() -> bool:
            return clock.monotonic() - started < STORE_SECONDS

        def is_known(project: str) -> bool:
            if not has_time():
                raise errors.UnavailableError("no time is left to look up the projects")
            return self.issues.project_is_known(project)

        try:
            links = keep_known(named, self.projects, is_known)
        except errors.SwitchboardError as error:
            return self._queue(queue, named, error, skipped)
        skipped["left_out"] += links.left_out
        skipped["projects_not_checked"] = links.not_checked
        if not links.commits:
            reason = "no commit names an issue of a known project"
            return Answer("ignored", {"reason": reason, **_count_skipped(skipped)})
        stored = self.links.store_commits(links.commits, has_time=has_time)
        if stored.touched:
            self._log_stored(links.commits[: len(links.commits) - len(stored.left)], stored.touched)
        queued = queue.try_recomputes(stored.touched, self.logger, issue_keys=stored.touched) is not None
        if not queued:
            self._leave_to_the_sweep(stored.touched)
        if stored.left:
            return self._queue(queue, stored.left, stored.error, skipped, stored=len(links.commits) - len(stored.left))
        fields = {"commits": len(links.commits), "issue_keys": list(stored.touched), "correlation_queued": queued}
        return Answer("stored", fields | _count_skipped(skipped))

    def store_queued(self, commits: Sequence[Commit]) -> tuple[str, ...]:
        """Store commits that :meth:`take` queued; returns the keys touched.

        Raises:
            SwitchboardError: the table can't be reached or refuses. Storing them again changes nothing.
        """
        links = keep_known(commits, self.projects, self.issues.project_is_known)
        touched = self.links.record_commits(links.commits)
        skipped = {"left_out": links.left_out, "projects_not_checked": links.not_checked}
        _count_skipped(skipped)
        self._log_stored(links.commits, touched, **skipped)
        return touched

    def _log_stored(self, commits: Sequence[Commit], touched: tuple[str, ...], **skipped: int) -> None:
        """Log the hashes: no index leads from a commit to its issues, so this line does."""
        shas = [commit.sha for commit in commits]
        self.logger.info("commits_stored", commits=len(commits), shas=shas, issue_keys=touched, **skipped)

    def _queue(
        self,
        queue: WorkQueue,
        left: Sequence[Commit],
        error: errors.SwitchboardError | None,
        skipped: dict[str, int],
        *,
        stored: int = 0,
    ) -> Answer:
        self.logger.error("push_not_stored", error, commits=len(left), out_of_time=error is None)
        queue.send_commits(left)
        return Answer("accepted", {"commits": stored, "commits_queued": len(left), **_count_skipped(skipped)})

    def _leave_to_the_sweep(self, touched: tuple[str, ...]) -> None:
        """Delete the results. A push changes no issue, so the sweep would take the results of before it for current."""
        try:
            self.links.forget(touched)
        except errors.SwitchboardError as error:
            self.logger.error("correlation_reset_failed", error, issue_keys=touched)


def make_pushes(dynamodb: Any, settings: "JiraWorkerEnvironment | WebhooksEnvironment", logger: Logger) -> Pushes:
    """The pushes of a function with this environment."""
    table = settings.jira_issues_table_name
    links = CorrelationStore(dynamodb, table, history=timedelta(days=settings.history_days))
    return Pushes(links=links, issues=IssueReader(dynamodb, table), projects=settings.jira_projects, logger=logger)


def _count_skipped(skipped: dict[str, int]) -> dict[str, int]:
    """Count what was skipped of a push, by kind; returns the numbers above 0."""
    found = {kind: number for kind, number in skipped.items() if number}
    for kind, number in found.items():
        metrics.count(contract.PUSH_SKIPPED, number, kind=kind)
    return found
