"""Deletions of reconciliation: confirms that a missing issue is gone, and writes its tombstone.

A candidate is confirmed by two requests: a search made exact for its id must not show it, and a GET by its key must answer
404 or another key. Neither proves anything with refused credentials: the caller checks them before it deletes.
"""

from lib.jira import webhooks
from lib.jira.client import JiraClient
from lib.jira.issue_writer import IssueWriter, Outcome
from lib.jira.issues import split_key
from lib.jira.reconciliation.apply import read
from lib.jira.reconciliation.checkpoint import Candidate, Gone
from lib.platform import clock, errors


class Deletions:
    """Confirms and deletes single issues. A dry run only counts."""

    def __init__(
        self,
        jira: JiraClient,
        store: IssueWriter,
        *,
        dry_run: bool,
        now: clock.Clock,
    ) -> None:
        self._jira = jira
        self._store = store
        self._dry_run = dry_run
        self._now = now

    def confirm(self, candidate: Candidate) -> Gone | None:
        """The confirmation that Jira no longer has the issue; None if it has. A moved issue is stored under its new key."""
        asked_at = self._now()
        if self._search_shows(candidate):
            return None
        try:
            # By key, since Jira redirects a former key: the answer shows whether the issue is gone, moved or still there.
            issue = self._jira.fetch(candidate.issue_key)
        except errors.NotFoundError:
            return Gone(candidate, clock.epoch_ms(asked_at))
        current = read(issue, asked_at)
        if current.issue_key == candidate.issue_key:
            return None
        if not self._dry_run:
            self._store.record(current)
        return Gone(candidate, clock.epoch_ms(asked_at), current.issue_key)

    def delete(self, gone: Gone) -> str:
        """Write the tombstone; returns ``deleted``, or ``unchanged`` if the store has a newer state."""
        if self._dry_run:
            return "deleted"
        tombstone = webhooks.gone(
            gone.candidate.issue_key,
            gone.candidate.issue_id,
            seen_at=clock.from_epoch_ms(gone.seen_at),
            after=gone.candidate.stamp,
            reason="reconciled",
            moved_to=gone.moved_to,
        )
        return "deleted" if self._store.record(tombstone).outcome is Outcome.STORED else "unchanged"

    def _search_shows(self, candidate: Candidate) -> bool:
        if candidate.issue_id is None:
            return False
        project = split_key(candidate.issue_key)[0]
        jql = f'project = "{project}" AND id = {candidate.issue_id}'
        try:
            found = self._jira.search_all(jql, fields=("updated",), reconcile=(candidate.issue_id,))
        except errors.InvalidInputError:
            return False  # Jira refuses an id that is not there; the GET decides
        return any(issue["key"] == candidate.issue_key for issue in found)
