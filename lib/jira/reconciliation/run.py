"""Reconciliation: what Jira has, what the store has, and the writes that make the second the first.

A sweep streams one key range of a project (:mod:`.merge` decides); a catch-up looks at what changed lately. A sweep
may delete, under guards, since a listing that lacks an issue proves little::

    credentials good? ─► listing complete? ─► not too many missing? ─► each confirmed ─► credentials still good? ─► tombstones
         │ no               │ no                  │ no               (deletions.py)          │ no
         └──────────────────┴──── nothing is deleted, and the result says why ───────────────┘

A failed page, a storm of 429, a token that expires on the way: each ends the run as incomplete, with nothing deleted.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from lib.jira import webhooks
from lib.jira.issue_writer import IssueWriter, Outcome, Recorded
from lib.jira.items import Issue
from lib.jira.paging import Page
from lib.jira.reconciliation import deletions
from lib.jira.reconciliation.checkpoint import MAX_CANDIDATES, Candidate, Change, Checkpoint, DeleteLimit, Gone, Result
from lib.jira.reconciliation.deletions import Deletions
from lib.jira.reconciliation.merge import (
    Create,
    Decision,
    Disputed,
    KeyRange,
    Listing,
    Missing,
    Unchanged,
    Unreadable,
    Update,
    check_order,
    decide,
    merge,
    read_listing,
)
from lib.jira.webhooks import REST_FIELDS, Delivery
from lib.platform import clock, errors

RESERVE_SECONDS = 60.0
"""With less time left, a sweep stops at the end of a page and hands over a checkpoint."""

OVERLAP = timedelta(minutes=5)
"""A catch-up looks this much further back than the last one: search lags."""

FIRST_LOOK_BACK = timedelta(days=1)
"""How far back the first catch-up looks. The nightly sweep finds the rest."""

CONFIRMATION_HOLDS = timedelta(hours=6)
"""A confirmation that is older, as after a redrive from the dead-letter queue, is made again. Lambda keeps an asynchronous
call no longer."""

_DELETIONS_PER_TIME_CHECK = 25
"""A second's worth: deletions ask Jira nothing."""

_MAX_CHANGES = 1_000
_FAILURES_IN_A_ROW = 10


class Jira(deletions.Jira, Protocol):
    """What reconciliation asks of Jira: see :class:`lib.jira.client.JiraClient`."""

    def pages(
        self,
        jql: str,
        *,
        fields: Any = ...,
        token: str | None = ...,
        has_time: Callable[[], bool] = ...,
        pages_before: int = ...,
    ) -> Iterator[Page]:
        """The pages of a search."""

    def sees_project(self, project_key: str) -> bool:
        """Whether the project is there and may be browsed."""

    def check_credentials(self) -> None:
        """Raise AccessDeniedError if Jira does not accept the token."""


class Reader(Protocol):
    """What reconciliation asks of the read side: see :class:`lib.jira.issue_reader.IssueReader`."""

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
        store: IssueWriter,
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
        self._deletions = Deletions(jira, store, read=self._read, dry_run=dry_run, now=now)

    def sweep(self, start: Checkpoint) -> Result:
        """Reconcile a key range from ``start`` (``Checkpoint(KeyRange("OPS"))`` for a whole project) to its end.

        Errors end in the result, never as an exception, unless they are defects.
        """
        run = _Run(start)
        project = start.key_range.project
        try:
            self._check_access(start.key_range)
            if not start.listed:
                self._list(run)
                if run.state.token is not None:
                    return run.hand_over(start)
                self._check_access(start.key_range)
        except errors.SwitchboardError as error:
            return run.refuse(f"{project}: the listing is incomplete, nothing was deleted: {error}")
        too_many = self._limit_deletions(run.state)
        if too_many:
            return run.refuse(f"{project}: {too_many}: nothing was deleted")
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
            self._jira.check_credentials()
            asked_at = self._now()
            for page in self._jira.pages(jql, fields=REST_FIELDS, has_time=self._has_time):
                self._catch_up_page(run, page.issues, asked_at)
                run.move_on(page.next_token, 0)
                asked_at = self._now()
            if run.state.token is not None:
                return run.refuse(f"{project}: there was no time to look at all changes")
            self._jira.check_credentials()  # an anonymous caller would have seen no change, or few
        except errors.SwitchboardError as error:
            return run.refuse(f"{project}: the look at changes is incomplete: {error}")
        return run.result()

    def _has_time(self) -> bool:
        return self._seconds_left() >= RESERVE_SECONDS

    def _check_access(self, key_range: KeyRange) -> None:
        """Check that a listing means something. With a refused token, an unseen project, or a bound that is not an issue, Jira
        lists nothing or little, without an error: everything would seem missing."""
        self._jira.check_credentials()
        if not self._jira.sees_project(key_range.project):
            raise errors.NotFoundError(f"the project {key_range.project} is not there, or the account may not see it")
        for bound in key_range.bounds():
            if self._jira.fetch(bound, ("updated",)).get("key") != bound:
                raise errors.NotFoundError(f"the bound {bound} has moved")

    def _list(self, run: "_Run") -> None:
        """Work through the listing. Afterwards the run has a token if time was up, and the rest is for the next invocation."""
        key_range, start = run.state.key_range, run.state
        stored = _Ahead(self._reader.by_project(key_range.project, after=start.reached, through=key_range.through))
        pages = self._jira.pages(
            key_range.jql(),
            fields=REST_FIELDS,
            token=start.token,
            has_time=self._has_time,
            pages_before=start.pages,
        )
        asked_at = self._now()
        for page in pages:
            listing = read_listing(page.issues, partial(self._read, asked_at=asked_at))
            check_order(listing.issues, replace(key_range, after=run.state.reached))
            position = listing.issues[-1].number if listing.issues else run.state.reached
            run.count_listed(listing)
            rows = stored.through(None if page.next_token is None else position)
            for decision in merge(listing.issues, run.counted(rows)):
                self._apply(run, decision)
            run.move_on(page.next_token, position)
            asked_at = self._now()

    def _catch_up_page(self, run: "_Run", issues: Iterable[Any], asked_at: datetime) -> None:
        listing = read_listing(issues, partial(self._read, asked_at=asked_at))
        heads = self._reader.heads([entry.issue_key for entry in listing.issues])
        run.count_listed(listing)
        for entry in listing.issues:
            self._apply(run, decide(entry, heads.get(entry.issue_key)))

    def _read(self, issue: Mapping[str, Any], asked_at: datetime) -> Delivery:
        event_at = clock.epoch_ms(asked_at)
        return webhooks.from_rest(
            issue, event_type="reconciled", event_at=event_at, idempotency_key=f"reconciled:{issue.get('id')}:{event_at}"
        )

    def _apply(self, run: "_Run", decision: Decision) -> None:
        match decision:
            case Unchanged():
                run.count("unchanged")
            case Disputed(stored):
                run.attempt(stored.issue_key, lambda: self._settle(stored))
            case Missing(stored):
                run.add_candidate(stored)
            case Unreadable(key, reason):
                run.fail(key, reason)
                run.add_unreadable(1)
            case Create(delivery) | Update(delivery):
                run.attempt(delivery.issue_key, lambda: self._upsert(delivery, decision))

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
        """Undo a tombstone that was in error, if Jira itself, and not its lagging search, has the issue."""
        try:
            issue = self._jira.fetch(delivery.issue_key)
        except errors.NotFoundError:
            return None
        if issue.get("key") != delivery.issue_key:
            return None
        return self._store.record(webhooks.restored(self._read(issue, self._now()), tombstone.stamp))

    def _settle(self, stored: Issue) -> str:
        """Replace a stored state if it is newer than that of Jira itself, which no lag of the search explains. It may have
        been forged (docs/adr/0029) or stamped wrongly."""
        if not self._has_time():
            return "unchanged"  # the next run looks again
        try:
            current = self._read(self._jira.fetch(stored.issue_key), self._now())
        except errors.NotFoundError:
            return "unchanged"
        is_newer = current.stamp.version_at >= stored.stamp.version_at
        if current.issue_key != stored.issue_key or is_newer or current.fields == stored.fields:
            return "unchanged"
        if self._dry_run:
            return "updated"
        recorded = self._store.record(webhooks.restored(current, stored.stamp))
        return "updated" if recorded.outcome is Outcome.STORED else "unchanged"

    def _limit_deletions(self, state: Checkpoint) -> str:
        """Why the missing issues may not be deleted; empty if they may."""
        if state.unidentified and state.missing:
            return (
                f"{state.unidentified} entries of Jira's listing name no issue, and any of the {state.missing} missing issues "
                "may be one of them"
            )
        allowed = self._limit.allowed(state.stored)
        if state.missing > allowed:
            return (
                f"{state.missing} of {state.stored} issues are missing in Jira and {allowed} may be deleted in a run "
                "(reconcileMaxDeletes)"
            )
        return ""

    def _delete(self, run: "_Run") -> Result:
        """Confirm all candidates, check the credentials, and delete what was confirmed. The rest of either may be left to
        the next invocation, but some of it is always done, so that a chain of invocations ends."""
        run.drop_confirmations(before=clock.epoch_ms(self._now() - CONFIRMATION_HOLDS))
        for number, candidate in enumerate(run.state.candidates):
            if number and not self._has_time():
                self._jira.check_credentials()  # the next part may have a new token, and would trust these confirmations
                return run.hand_over_candidates(run.state.candidates[number:])
            run.attempt(candidate.issue_key, lambda candidate=candidate: self._confirm(run, candidate))  # type: ignore[misc]
        run.confirmed_all()
        self._check_access(run.state.key_range)
        for number, gone in enumerate(run.state.gone):
            if number and number % _DELETIONS_PER_TIME_CHECK == 0 and not self._has_time():
                return run.hand_over_gone(run.state.gone[number:])
            run.attempt(gone.candidate.issue_key, lambda gone=gone: self._deletions.delete(gone))  # type: ignore[misc]
        return run.result()

    def _confirm(self, run: "_Run", candidate: Candidate) -> str | None:
        gone = self._deletions.confirm(candidate)
        if gone is None:
            return "unchanged"
        run.add_gone(gone)
        return None


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

    def count_listed(self, listing: Listing) -> None:
        """Count a page. An entry that names no issue is a failed one that no other look would make readable."""
        self.count("fetched", len(listing.issues))
        self.count("failed", listing.unidentified)
        self.add_unreadable(listing.unidentified)
        self.state = replace(
            self.state, unidentified=self.state.unidentified + listing.unidentified, pages=self.state.pages + 1
        )

    def add_unreadable(self, number: int) -> None:
        self.state = replace(self.state, unreadable=self.state.unreadable + number)

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

    def add_gone(self, gone: Gone) -> None:
        self.state = replace(self.state, gone=(*self.state.gone, gone))

    def drop_confirmations(self, before: int) -> None:
        """Make candidates again of those that were confirmed ``before`` (epoch milliseconds)."""
        old = tuple(gone.candidate for gone in self.state.gone if gone.seen_at < before)
        kept = tuple(gone for gone in self.state.gone if gone.seen_at >= before)
        self.state = replace(self.state, candidates=(*self.state.candidates, *old), gone=kept)

    def confirmed_all(self) -> None:
        self.state = replace(self.state, candidates=(), listed=True)

    def hand_over(self, start: Checkpoint) -> Result:
        """Leave the rest of the listing to the next invocation, unless this one came no farther than where it began."""
        if self.state.reached == start.reached:
            raise errors.PermanentError("Jira's pages name no new issue")
        return self.result(handed_over=True)

    def hand_over_candidates(self, candidates: tuple[Candidate, ...]) -> Result:
        """Leave the rest of the confirmations. ``missing`` stays: the limit is a whole run's."""
        self.state = replace(self.state, candidates=candidates, listed=True)
        return self.result(handed_over=True)

    def hand_over_gone(self, gone: tuple[Gone, ...]) -> Result:
        """Leave the rest of the deletions to the next invocation."""
        self.state = replace(self.state, gone=gone)
        return self.result(handed_over=True)

    def move_on(self, token: str | None, position: int) -> None:
        self.state = replace(self.state, token=token, position=position)

    def attempt(self, issue_key: str, act: Callable[[], str | None]) -> None:
        """Act on one issue and count the outcome, unless that is None. An error fails this issue; ten in a row stop
        the run."""
        try:
            action = act()
        except errors.SwitchboardError as error:
            self.fail(issue_key, str(error))
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _FAILURES_IN_A_ROW:
                raise
            return
        self._failures_in_a_row = 0
        if action is None:
            return
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
