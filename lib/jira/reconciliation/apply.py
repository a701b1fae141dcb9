"""Applies what :mod:`.merge` decided about one issue: writes to the store, and checks with Jira if the listing is in doubt."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from lib.jira import webhooks
from lib.jira.client import JiraClient
from lib.jira.issue_writer import IssueWriter, Outcome, Recorded
from lib.jira.items import Issue
from lib.jira.reconciliation.merge import Create, Decision, Disputed, Missing, Unchanged, Unreadable, Update
from lib.jira.reconciliation.progress import Progress
from lib.jira.webhooks import Delivery
from lib.platform import clock, errors


class Applier:
    """Applies decisions. ``has_time`` says whether there is time for another request to Jira."""

    def __init__(
        self, jira: JiraClient, store: IssueWriter, *, dry_run: bool, has_time: Callable[[], bool], now: clock.Clock
    ) -> None:
        self._jira = jira
        self._store = store
        self._dry_run = dry_run
        self._has_time = has_time
        self._now = now

    def apply(self, progress: Progress, decision: Decision) -> None:
        """Apply one decision and count it. An error of one issue is counted as failed; the tenth in a row is raised."""
        match decision:
            case Unchanged():
                progress.count("unchanged")
            case Disputed(stored):
                progress.attempt(stored.issue_key, lambda: self._settle(stored))
            case Missing(stored):
                progress.add_candidate(stored)
            case Unreadable(key, reason):
                progress.fail(key, reason)
                progress.add_unreadable(1)
            case Create(delivery) | Update(delivery):
                progress.attempt(delivery.issue_key, lambda: self._upsert(delivery, decision))

    def _upsert(self, delivery: Delivery, decision: Create | Update) -> str:
        if self._dry_run:
            return "created" if isinstance(decision, Create) else "updated"
        recorded = self._store.record(delivery)
        if recorded.outcome is Outcome.SUPERSEDED and recorded.newer is not None and recorded.newer.deleted:
            recorded = self._restore(delivery, recorded.newer) or recorded
        if recorded.outcome is not Outcome.STORED:
            return "unchanged"
        return "updated" if recorded.replaced is not None and not recorded.replaced.deleted else "created"

    def _restore(self, delivery: Delivery, tombstone: Issue) -> Recorded | None:
        """Undo a wrong tombstone, if Jira itself, and not its lagging search, has the issue."""
        try:
            issue = self._jira.fetch(delivery.issue_key)
        except errors.NotFoundError:
            return None
        if issue.get("key") != delivery.issue_key:
            return None
        return self._store.record(webhooks.restored(read(issue, self._now()), tombstone.stamp))

    def _settle(self, stored: Issue) -> str:
        """Replace a stored state that is newer than the state of Jira itself, which no lag of the search explains: it may have
        been forged (docs/adr/0029) or stamped wrongly."""
        if not self._has_time():
            return "unchanged"  # the next run checks it again
        try:
            current = read(self._jira.fetch(stored.issue_key), self._now())
        except errors.NotFoundError:
            return "unchanged"
        is_newer = current.stamp.version_at >= stored.stamp.version_at
        if current.issue_key != stored.issue_key or is_newer or current.fields == stored.fields:
            return "unchanged"
        if self._dry_run:
            return "updated"
        recorded = self._store.record(webhooks.restored(current, stored.stamp))
        return "updated" if recorded.outcome is Outcome.STORED else "unchanged"


def read(issue: Mapping[str, Any], asked_at: datetime) -> Delivery:
    """The delivery of an issue that Jira returned for a request at ``asked_at``.

    Raises:
        InvalidInputError: the issue is not as the API promises.
    """
    event_at = clock.epoch_ms(asked_at)
    return webhooks.from_rest(
        issue, event_type="reconciled", event_at=event_at, idempotency_key=f"reconciled:{issue.get('id')}:{event_at}"
    )
