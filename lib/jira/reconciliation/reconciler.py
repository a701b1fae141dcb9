"""Reconciliation of one project: makes the stored issues match those in Jira.

A sweep streams one key range of a project (:mod:`.merge` decides); a catch-up processes recent changes. A sweep may
delete, but only after these checks, because a listing that lacks an issue proves little::

    credentials good? ─► listing complete? ─► not too many missing? ─► each confirmed ─► credentials still good? ─► tombstones
         │ no               │ no                  │ no               (deletions.py)          │ no
         └──────────────────┴──── nothing is deleted, and the result says why ───────────────┘

A failed page, too many 429s or a token that expires on the way ends the run as incomplete, with nothing deleted.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from lib.jira.client import JiraClient
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.items import Issue
from lib.jira.reconciliation.apply import Applier, read
from lib.jira.reconciliation.checkpoint import MAX_CANDIDATES, Candidate, Checkpoint, DeleteLimit
from lib.jira.reconciliation.deletions import Deletions
from lib.jira.reconciliation.merge import KeyRange, check_order, decide, merge, read_listing
from lib.jira.reconciliation.progress import Progress
from lib.jira.reconciliation.result import Result
from lib.jira.webhooks import REST_FIELDS
from lib.platform import clock, errors
from lib.platform.wording import counted

RESERVE_SECONDS = 60.0
"""With less time left, a sweep stops at the end of a page and hands over a checkpoint."""

OVERLAP = timedelta(minutes=5)
"""A catch-up begins this long before the end of the last one, since search lags."""

FIRST_LOOK_BACK = timedelta(days=1)
"""How far back the first catch-up goes. The nightly sweep finds the rest."""

CONFIRMATION_HOLDS = timedelta(hours=6)
"""An older confirmation, as after a redrive from the dead-letter queue, is made again. Lambda keeps an asynchronous call no
longer."""

_DELETIONS_PER_TIME_CHECK = 25
"""Takes about a second: deletions make no request to Jira."""


class Reconciler:
    """Reconciles one project at a time, within ``seconds_left()``. A dry run counts and writes nothing.

    ``on_page`` is called with the progress after each page of Jira's listing.
    """

    def __init__(
        self,
        jira: JiraClient,
        store: IssueWriter,
        reader: IssueReader,
        *,
        limit: DeleteLimit = DeleteLimit(),  # noqa: B008 - frozen
        dry_run: bool = False,
        seconds_left: Callable[[], float] = lambda: math.inf,
        on_page: Callable[[Checkpoint], None] = lambda _: None,
        now: clock.Clock = clock.utc_now,
    ) -> None:
        self._jira = jira
        self._reader = reader
        self._limit = limit
        self._seconds_left = seconds_left
        self._on_page = on_page
        self._now = now
        self._applier = Applier(jira, store, dry_run=dry_run, has_time=self._has_time, now=now)
        self._deletions = Deletions(jira, store, dry_run=dry_run, now=now)

    def sweep(self, start: Checkpoint) -> Result:
        """Reconcile a key range from ``start`` (``Checkpoint(KeyRange("OPS"))`` for a whole project) to its end.

        Errors end in the result, never as an exception, unless they are defects.
        """
        progress = Progress(start)
        try:
            self._jira.with_current_token(lambda: self._check_access(start.key_range))
            if not start.listed:
                self._list(progress)
                if progress.state.token is not None:
                    return progress.hand_over(start)
                self._check_access(start.key_range)
        except errors.SwitchboardError as error:
            return progress.refuse(f"the listing is incomplete, nothing was deleted: {error}")
        too_many = self._limit_deletions(progress.state)
        if too_many:
            return progress.refuse_deletions(too_many)
        try:
            return self._delete(progress)
        except errors.SwitchboardError as error:
            return progress.refuse(f"the deletions stopped: {error}")

    def catch_up(self, project: str, since: datetime | None) -> Result:
        """Store what changed in Jira from a little before ``since`` on; deletes nothing."""
        progress = Progress(Checkpoint(KeyRange(project)))
        back = FIRST_LOOK_BACK if since is None else max(self._now() - since, timedelta(0)) + OVERLAP
        # Relative: an absolute time would be read in the time zone of the token's account.
        jql = f'project = "{project}" AND updated >= "-{math.ceil(back / timedelta(minutes=1))}m" ORDER BY updated ASC'
        try:
            self._jira.with_current_token(self._jira.check_credentials)
            asked_at = self._now()
            for page in self._jira.pages(jql, fields=REST_FIELDS, has_time=self._has_time):
                self._catch_up_page(progress, page.issues, asked_at)
                progress.move_on(page.next_token, 0)
                self._on_page(progress.state)
                asked_at = self._now()
            if progress.state.token is not None:
                return progress.refuse("there was no time to process all changes")
            self._jira.check_credentials()  # an anonymous caller would have seen no change, or few
        except errors.SwitchboardError as error:
            return progress.refuse(f"the catch-up is incomplete: {error}")
        return progress.result()

    def _has_time(self) -> bool:
        return self._seconds_left() >= RESERVE_SECONDS

    def _check_access(self, key_range: KeyRange) -> None:
        """Check that a listing can be trusted. With a refused token, a hidden project, or a bound that is not an issue, Jira
        lists nothing or little, without an error: everything would seem missing."""
        self._jira.check_credentials()
        if not self._jira.sees_project(key_range.project):
            raise errors.NotFoundError(f"the project {key_range.project} does not exist, or the account may not see it")
        for bound in key_range.bounds():
            if self._jira.fetch(bound, ("updated",)).get("key") != bound:
                raise errors.NotFoundError(f"the bound {bound} has moved")

    def _list(self, progress: Progress) -> None:
        """Process the listing. Afterwards ``progress`` has a token if time was up; the rest is for the next invocation."""
        key_range, start = progress.state.key_range, progress.state
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
            listing = read_listing(page.issues, partial(read, asked_at=asked_at))
            check_order(listing.issues, replace(key_range, after=progress.state.reached))
            position = listing.issues[-1].number if listing.issues else progress.state.reached
            progress.count_listed(listing)
            rows = stored.through(None if page.next_token is None else position)
            for decision in merge(listing.issues, progress.counted(rows)):
                self._applier.apply(progress, decision)
            progress.move_on(page.next_token, position)
            self._on_page(progress.state)
            asked_at = self._now()

    def _catch_up_page(self, progress: Progress, issues: Iterable[Any], asked_at: datetime) -> None:
        listing = read_listing(issues, partial(read, asked_at=asked_at))
        heads = self._reader.heads([entry.issue_key for entry in listing.issues])
        progress.count_listed(listing)
        for entry in listing.issues:
            self._applier.apply(progress, decide(entry, heads.get(entry.issue_key)))

    def _limit_deletions(self, state: Checkpoint) -> str:
        """Why the missing issues may not be deleted; empty if they may."""
        if state.unidentified and state.missing:
            return (
                f"{counted(state.unidentified, 'entry')} of Jira's listing without an issue key: each of the "
                f"{counted(state.missing, 'missing issue')} may be one of them: nothing was deleted"
            )
        allowed = self._limit.allowed(state.stored)
        if state.missing > allowed:
            reason = f"Jira lacks {state.missing} of {counted(state.stored, 'issue')}, and a run may delete at most {allowed} "
            return f"{reason}({self._limit.setting}): nothing was deleted{_how_to_delete(state)}"
        return ""

    def _delete(self, progress: Progress) -> Result:
        """Confirm all candidates, check the credentials, and delete what was confirmed. The rest of either may be left to
        the next invocation, but some of it is always done, so that a chain of invocations ends."""
        progress.drop_confirmations(before=clock.epoch_ms(self._now() - CONFIRMATION_HOLDS))
        for number, candidate in enumerate(progress.state.candidates):
            if number and not self._has_time():
                self._jira.check_credentials()  # the next part may have a new token, and would trust these confirmations
                return progress.hand_over_candidates(progress.state.candidates[number:])
            progress.attempt(candidate.issue_key, lambda candidate=candidate: self._confirm(progress, candidate))  # type: ignore[misc]
        progress.confirmed_all()
        self._check_access(progress.state.key_range)
        for number, gone in enumerate(progress.state.gone):
            if number and number % _DELETIONS_PER_TIME_CHECK == 0 and not self._has_time():
                return progress.hand_over_gone(progress.state.gone[number:])
            progress.attempt(gone.candidate.issue_key, lambda gone=gone: self._deletions.delete(gone))  # type: ignore[misc]
        return progress.result()

    def _confirm(self, progress: Progress, candidate: Candidate) -> str | None:
        gone = self._deletions.confirm(candidate)
        if gone is None:
            return "unchanged"
        progress.add_gone(gone)
        return None


def _how_to_delete(state: Checkpoint) -> str:
    """The command that lets one run delete what is missing; empty if there is none."""
    project = state.key_range.project
    if state.key_range != KeyRange(project) or state.missing > MAX_CANDIDATES:
        return ""
    return f". If they are gone for good, run: reconcile --project {project} --full --max-deletes {state.missing}"


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
