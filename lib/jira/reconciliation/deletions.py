"""Deletions of reconciliation: is a missing issue gone, and the tombstone that says so.

A candidate is confirmed by two requests: a search made exact for its id must not show it, and a GET by its key must answer
404 or another key. Neither means anything without good credentials: the caller checks them before it deletes.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from lib.jira import webhooks
from lib.jira.issue_writer import IssueWriter, Outcome
from lib.jira.issues import split_key
from lib.jira.reconciliation.checkpoint import Candidate, Gone
from lib.jira.webhooks import Delivery
from lib.platform import clock, errors


class Jira(Protocol):
    """What a confirmation needs of Jira: see :class:`lib.jira.client.JiraClient`."""

    def fetch(self, key_or_id: str, fields: Any = ...) -> dict[str, Any]:
        """One issue, consistently."""

    def search_all(self, jql: str, *, fields: Any = ..., reconcile: Any = ...) -> list[dict[str, Any]]:
        """All issues of a search."""


class Deletions:
    """Confirms and deletes single issues.

    Args:
        jira: Jira.
        store: the write side.
        read: reads an issue of Jira's as of a moment.
        dry_run: write nothing.
        now: the clock.
    """

    def __init__(
        self,
        jira: Jira,
        store: IssueWriter,
        *,
        read: Callable[[Mapping[str, Any], datetime], Delivery],
        dry_run: bool,
        now: clock.Clock,
    ) -> None:
        self._jira = jira
        self._store = store
        self._read = read
        self._dry_run = dry_run
        self._now = now

    def confirm(self, candidate: Candidate) -> Gone | None:
        """Whether Jira has the issue no longer; None if it has. The state of one that moved is stored under its new key."""
        asked_at = self._now()
        if self._search_shows(candidate):
            return None
        try:
            # By key, since Jira redirects a former key: the answer shows whether the issue is gone, moved or still there.
            issue = self._jira.fetch(candidate.issue_key)
        except errors.NotFoundError:
            return Gone(candidate, clock.epoch_ms(asked_at))
        current = self._read(issue, asked_at)
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
