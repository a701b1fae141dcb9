"""Reconciliation: what Jira has, what the store has, and the writes that make the second the first.

A sweep streams one key range of a project (lib/jira/merge.py decides); a catch-up looks at what changed lately. A sweep
may delete, under guards, since a listing that lacks an issue proves little::

    listing complete? ──► as many missing as allowed? ──► each: search made exact for it, and GET by id ──► tombstone
         no │                     no │                            either finds it │
            └──────── nothing is deleted, and the result says why ────────────────┴── kept

A failed page, a storm of 429, an expired token: each ends the sweep as incomplete, with nothing deleted.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from lib import clock, errors
from lib.jira import deliveries
from lib.jira.deliveries import REST_FIELDS, Delivery
from lib.jira.issues import split_key
from lib.jira.merge import (
    Create,
    Decision,
    KeyRange,
    Missing,
    Unchanged,
    Unreadable,
    Update,
    decide,
    merge,
    read_listed,
    read_listing,
)
from lib.jira.progress import MAX_CANDIDATES, Candidate, Change, Checkpoint, DeleteLimit, Result
from lib.jira.rows import Issue
from lib.jira.store import JiraStore, Outcome, Recorded

RESERVE_SECONDS = 60.0
"""With less time left, a sweep stops at the end of a page and hands over a checkpoint."""

OVERLAP = timedelta(minutes=5)
"""A catch-up looks this much further back than the last one: search lags."""

FIRST_LOOK_BACK = timedelta(days=1)
"""How far back the first catch-up looks. The nightly sweep finds the rest."""

_MAX_CHANGES = 1_000
_FAILURES_IN_A_ROW = 10


class Jira(Protocol):
    """What reconciliation asks of Jira: see :class:`lib.jira.client.JiraClient`."""

    def fetch(self, key_or_id: str, fields: Any = ...) -> dict[str, Any]:
        """One issue, consistently."""

    def search(self, jql: str, *, fields: Any = ..., token: str | None = ..., reconcile: Any = ...) -> Any:
        """One page of a search."""

    def sees_project(self, project_key: str) -> bool:
        """Whether the project is there and may be browsed."""


class Reader(Protocol):
    """What reconciliation asks of the read side: see :class:`lib.jira.reading.IssueStore`."""

    def by_project(self, project_key: str, *, after: int = ..., through: int | None = ...) -> Iterator[Issue]:
        """The live issues in the order of their numbers."""

    def heads(self, issue_keys: Any) -> dict[str, Issue]:
        """The current states of some issues."""


class Reconciler:
    """Reconciles one project at a time.

    Args:
        jira: Jira.
        store: the write side.
        reader: the read side.
        limit: how many issues a run may delete.
        dry_run: count only, write nothing.
        seconds_left: how long this run may still take.
        now: the clock.
    """

    def __init__(
        self,
        jira: Jira,
        store: JiraStore,
        reader: Reader,
        *,
        limit: DeleteLimit = DeleteLimit(),  # noqa: B008 - frozen
        dry_run: bool = False,
        seconds_left: Callable[[], float] = lambda: math.inf,
        now: clock.Clock = clock.utc_now,
    ) -> None:
        self._jira = jira
        self._store = store
        self._reader = reader
        self._limit = limit
        self._dry_run = dry_run
        self._seconds_left = seconds_left
        self._now = now

    def sweep(self, start: Checkpoint) -> Result:
        """Reconcile a key range from ``start`` (``Checkpoint(KeyRange("OPS"))`` for a whole project) to its end.

        Errors end in the result, never as an exception, unless they are defects.
        """
        run = _Run(start)
        project = start.key_range.project
        try:
            self._check_that_the_listing_means_something(start.key_range)
            if not start.listed and not self._list(run):
                return run.result(handed_over=True)
            self._check_that_the_listing_means_something(start.key_range)
        except errors.SwitchboardError as error:
            return run.refuse(f"{project}: the listing is incomplete, nothing was deleted: {error}")
        try:
            return self._delete(run)
        except errors.SwitchboardError as error:
            return run.refuse(f"{project}: the deletions stopped: {error}")

    def catch_up(self, project: str, since: datetime | None) -> Result:
        """Bring in what Jira changed since ``since``, and a little before; deletes nothing."""
        run = _Run(Checkpoint(KeyRange(project)))
        back = FIRST_LOOK_BACK if since is None else max(self._now() - since, timedelta(0)) + OVERLAP
        # Relative: an absolute time would be read in the time zone of the token's account.
        jql = f'project = "{project}" AND updated >= "-{math.ceil(back / timedelta(minutes=1))}m" ORDER BY updated ASC'
        try:
            token = None
            while True:
                asked_at = self._now()
                page = self._jira.search(jql, fields=REST_FIELDS, token=token)
                self._catch_up_page(run, page.issues, asked_at)
                token = page.next_token
                if token is None:
                    return run.result()
                if self._seconds_left() < RESERVE_SECONDS:
                    return run.refuse(f"{project}: there was no time to look at all changes")
        except errors.SwitchboardError as error:
            return run.refuse(f"{project}: the look at changes is incomplete: {error}")

    def _check_that_the_listing_means_something(self, key_range: KeyRange) -> None:
        """An unseen project, or a bound that is no issue, would list as empty: everything would seem missing."""
        if not self._jira.sees_project(key_range.project):
            raise errors.NotFoundError(f"the project {key_range.project} is not there, or the account may not see it")
        for bound in key_range.bounds():
            if self._jira.fetch(bound, ("updated",)).get("key") != bound:
                raise errors.NotFoundError(f"the bound {bound} has moved")

    def _list(self, run: "_Run") -> bool:
        """Work through the listing. False if time ran out and the rest is for the next invocation."""
        key_range = run.state.key_range
        stored = _Ahead(self._reader.by_project(key_range.project, after=run.state.reached, through=key_range.through))
        while True:
            asked_at = self._now()
            page = self._jira.search(key_range.jql(), fields=REST_FIELDS, token=run.state.token)
            rest = replace(key_range, after=run.state.reached)
            listed = read_listing(page.issues, rest, partial(self._read, asked_at=asked_at))
            position = listed[-1].number if listed else run.state.reached
            run.count("fetched", len(listed))
            for decision in merge(listed, run.counted(stored.through(None if page.next_token is None else position))):
                self._apply(run, decision)
            run.move_on(page.next_token, position)
            if page.next_token is None:
                return True
            if self._seconds_left() < RESERVE_SECONDS:
                return False

    def _catch_up_page(self, run: "_Run", issues: Iterable[Mapping[str, Any]], asked_at: datetime) -> None:
        listed = [read_listed(issue, partial(self._read, asked_at=asked_at)) for issue in issues]
        heads = self._reader.heads([entry.issue_key for entry in listed])
        run.count("fetched", len(listed))
        for entry in listed:
            self._apply(run, decide(entry, heads.get(entry.issue_key)))

    def _read(self, issue: Mapping[str, Any], asked_at: datetime) -> Delivery:
        event_at = clock.epoch_ms(asked_at)
        return deliveries.from_rest(
            issue, event_type="reconciled", event_at=event_at, idempotency_key=f"reconciled:{issue.get('id')}:{event_at}"
        )

    def _apply(self, run: "_Run", decision: Decision) -> None:
        match decision:
            case Unchanged():
                run.count("unchanged")
            case Missing(stored):
                run.add_candidate(stored)
            case Unreadable(key, reason):
                run.fail(key, reason)
                run.state = replace(run.state, unreadable=run.state.unreadable + 1)
            case Create(delivery) | Update(delivery):
                run.attempt(delivery.issue_key, lambda: self._upsert(delivery, decision))

    def _upsert(self, delivery: Delivery, decision: Create | Update) -> str:
        if self._dry_run:
            return "created" if isinstance(decision, Create) else "updated"
        recorded = self._store.record(delivery)
        if recorded.outcome is Outcome.SUPERSEDED and recorded.standing is not None and recorded.standing.deleted:
            recorded = self._restore(delivery, recorded.standing) or recorded
        if recorded.outcome is not Outcome.STORED:
            return "unchanged"
        return "updated" if recorded.replaced is not None and not recorded.replaced.deleted else "created"

    def _restore(self, delivery: Delivery, tombstone: Issue) -> Recorded | None:
        """Undo a tombstone that was in error, if Jira itself, and not its lagging search, has the issue."""
        try:
            issue = self._jira.fetch(delivery.issue_key)
        except errors.NotFoundError:
            return None
        if issue.get("key") != delivery.issue_key:
            return None
        return self._store.record(deliveries.restored(self._read(issue, self._now()), tombstone.stamp))

    def _delete(self, run: "_Run") -> Result:
        state = run.state
        allowed = self._limit.allowed(state.stored)
        if state.missing > allowed:
            return run.refuse(
                f"{state.key_range.project}: {state.missing} of {state.stored} issues are missing in Jira and {allowed} may be "
                "deleted in a run (reconcileMaxDeletes): nothing was deleted"
            )
        for number, candidate in enumerate(state.candidates):
            if number and self._seconds_left() < RESERVE_SECONDS:  # one at least, so that a chain of invocations ends
                run.leave(state.candidates[number:])
                return run.result(handed_over=True)
            run.attempt(candidate.issue_key, lambda candidate=candidate: self._delete_one(candidate))  # type: ignore[misc]
        return run.result()

    def _delete_one(self, candidate: Candidate) -> str:
        asked_at = self._now()
        if self._search_shows(candidate):
            return "unchanged"
        moved_to = None
        try:
            # By key, since a moved issue answers to its former one: this tells gone, moved and still there apart.
            issue = self._jira.fetch(candidate.issue_key)
        except errors.NotFoundError:
            pass
        else:
            current = self._read(issue, asked_at)
            if current.issue_key == candidate.issue_key:
                return "unchanged"
            moved_to = current.issue_key
            if not self._dry_run:
                self._store.record(current)
        if self._dry_run:
            return "deleted"
        tombstone = deliveries.gone(
            candidate.issue_key,
            candidate.issue_id,
            seen_at=asked_at,
            after=candidate.stamp,
            reason="reconciled",
            moved_to=moved_to,
        )
        return "deleted" if self._store.record(tombstone).outcome is Outcome.STORED else "unchanged"

    def _search_shows(self, candidate: Candidate) -> bool:
        if candidate.issue_id is None:
            return False
        project = split_key(candidate.issue_key)[0]
        jql = f'project = "{project}" AND id = {candidate.issue_id}'
        try:
            page = self._jira.search(jql, fields=("updated",), reconcile=(candidate.issue_id,))
        except errors.InvalidInputError:
            return False  # Jira refuses an id that is not there; the GET decides
        return any(issue.get("key") == candidate.issue_key for issue in page.issues)


class _Ahead:
    """Rows read one ahead, so that they can be taken up to a number."""

    def __init__(self, rows: Iterator[Issue]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def through(self, number: int | None) -> Iterator[Issue]:
        """The rows up to ``number``; all that are left if it is None."""
        while self._next is not None and (number is None or self._next.issue_number <= number):
            row, self._next = self._next, next(self._rows, None)
            yield row


class _Run:
    """What one invocation has done so far."""

    def __init__(self, start: Checkpoint) -> None:
        self.state = start
        self._changes: list[Change] = []
        self._failures_in_a_row = 0

    def count(self, name: str, number: int = 1) -> None:
        self.state = replace(self.state, counts=self.state.counts.plus(name, number))

    def counted(self, rows: Iterator[Issue]) -> Iterator[Issue]:
        for row in rows:
            self.state = replace(self.state, stored=self.state.stored + 1)
            yield row

    def add_candidate(self, row: Issue) -> None:
        state = replace(self.state, missing=self.state.missing + 1)
        if len(state.candidates) < MAX_CANDIDATES:
            candidate = Candidate(row.issue_key, row.issue_id, row.stamp)
            state = replace(state, candidates=(*state.candidates, candidate))
        self.state = state

    def leave(self, candidates: tuple[Candidate, ...]) -> None:
        """Leave the confirmation of ``candidates`` to the next invocation. ``missing`` stays: the limit is a whole run's."""
        self.state = replace(self.state, candidates=candidates, listed=True)

    def move_on(self, token: str | None, position: int) -> None:
        self.state = replace(self.state, token=token, position=position)

    def attempt(self, issue_key: str, act: Callable[[], str]) -> None:
        """Act on one issue and count what came of it. An error fails this issue; ten in a row stop the run."""
        try:
            action = act()
        except errors.SwitchboardError as error:
            self.fail(issue_key, str(error))
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _FAILURES_IN_A_ROW:
                raise
            return
        self._failures_in_a_row = 0
        self.count(action)
        if action != "unchanged":
            self._note(Change(issue_key, action))

    def fail(self, issue_key: str, reason: str) -> None:
        self.count("failed")
        self._note(Change(issue_key, "failed", reason))

    def refuse(self, reason: str) -> Result:
        return replace(self.result(), refused=(reason,))

    def result(self, *, handed_over: bool = False) -> Result:
        return Result(
            project=self.state.key_range.project,
            counts=self.state.counts,
            changes=tuple(self._changes),
            checkpoint=self.state if handed_over else None,
            unreadable=self.state.unreadable,
        )

    def _note(self, change: Change) -> None:
        if len(self._changes) < _MAX_CHANGES:
            self._changes.append(change)
