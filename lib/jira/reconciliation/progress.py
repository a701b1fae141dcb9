"""What one invocation has done so far in a sweep or a catch-up. No input or output."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from lib.jira.items import Issue
from lib.jira.reconciliation.checkpoint import MAX_CANDIDATES, Candidate, Checkpoint, Gone
from lib.jira.reconciliation.merge import Listing
from lib.jira.reconciliation.result import Change, Result
from lib.platform import errors

_MAX_CHANGES = 1_000
_FAILURES_IN_A_ROW = 10


class Progress:
    """Counts, candidates and changes, from the checkpoint ``start`` on. ``state`` is the checkpoint now."""

    def __init__(self, start: Checkpoint) -> None:
        self.state = start
        self._before = start.counts
        self._changes: list[Change] = []
        self._failures_in_a_row = 0

    def count(self, name: str, number: int = 1) -> None:
        """Count ``number`` issues more under ``name``."""
        self.state = replace(self.state, counts=self.state.counts.plus(name, number))

    def count_listed(self, listing: Listing) -> None:
        """Count a page. An entry that names no issue has failed, and trying again would not make it readable."""
        self.count("fetched", len(listing.issues))
        self.count("failed", listing.unidentified)
        self.add_unreadable(listing.unidentified)
        self.state = replace(
            self.state, unidentified=self.state.unidentified + listing.unidentified, pages=self.state.pages + 1
        )

    def add_unreadable(self, number: int) -> None:
        """Count failed issues that no retry can read."""
        self.state = replace(self.state, unreadable=self.state.unreadable + number)

    def counted(self, rows: Iterator[Issue]) -> Iterator[Issue]:
        """Pass on stored ``rows`` and count them."""
        for row in rows:
            self.state = replace(self.state, stored=self.state.stored + 1)
            yield row

    def add_candidate(self, row: Issue) -> None:
        """Add a stored issue that the listing lacks."""
        state = replace(self.state, missing=self.state.missing + 1)
        if len(state.candidates) < MAX_CANDIDATES:
            candidate = Candidate(row.issue_key, row.issue_id, row.stamp)
            state = replace(state, candidates=(*state.candidates, candidate))
        self.state = state

    def add_gone(self, gone: Gone) -> None:
        """Add a confirmed candidate."""
        self.state = replace(self.state, gone=(*self.state.gone, gone))

    def drop_confirmations(self, before: int) -> None:
        """Turn what was confirmed ``before`` (epoch milliseconds) into candidates again."""
        old = tuple(gone.candidate for gone in self.state.gone if gone.seen_at < before)
        kept = tuple(gone for gone in self.state.gone if gone.seen_at >= before)
        self.state = replace(self.state, candidates=(*self.state.candidates, *old), gone=kept)

    def confirmed_all(self) -> None:
        """Record that no candidate is left to confirm."""
        self.state = replace(self.state, candidates=(), listed=True)

    def move_on(self, token: str | None, position: int) -> None:
        """Record that a page is done: the token of the next one, and the last number dealt with."""
        self.state = replace(self.state, token=token, position=position)

    def attempt(self, issue_key: str, act: Callable[[], str | None]) -> None:
        """Act on one issue and count the outcome unless it is None. An error fails this issue; the tenth in a row is raised."""
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
        """Count one issue as failed."""
        self.count("failed")
        self._note(Change(issue_key, "failed", reason))

    def hand_over(self, start: Checkpoint) -> Result:
        """Leave the rest of the listing to the next invocation.

        Raises:
            PermanentError: this invocation made no progress.
        """
        if self.state.reached == start.reached:
            raise errors.PermanentError("Jira's pages name no new issue")
        return self.result(handed_over=True)

    def hand_over_candidates(self, candidates: tuple[Candidate, ...]) -> Result:
        """Leave the rest of the confirmations. ``missing`` stays, since the limit is for the whole run."""
        self.state = replace(self.state, candidates=candidates, listed=True)
        return self.result(handed_over=True)

    def hand_over_gone(self, gone: tuple[Gone, ...]) -> Result:
        """Leave the rest of the deletions to the next invocation."""
        self.state = replace(self.state, gone=gone)
        return self.result(handed_over=True)

    def refuse(self, reason: str) -> Result:
        """The result of a run that stopped, and why."""
        return self.result().refuse(reason)

    def refuse_deletions(self, reason: str) -> Result:
        """The result of a sweep that may not delete, and why. It names the first missing issues."""
        return replace(self.refuse(reason), missing=self.state.first_missing)

    def result(self, *, handed_over: bool = False) -> Result:
        """The result so far."""
        return Result(
            project=self.state.key_range.project,
            counts=self.state.counts,
            before=self._before,
            changes=tuple(self._changes),
            checkpoint=self.state if handed_over else None,
            unreadable=self.state.unreadable,
            unidentified=self.state.unidentified,
        )

    def _note(self, change: Change) -> None:
        if len(self._changes) < _MAX_CHANGES:
            self._changes.append(change)
