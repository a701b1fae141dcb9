"""Decides what reconciliation does: merges a listing of Jira with the stored rows into a stream of decisions.

Pure, and constant in memory: both sides are ordered by issue number, and neither is loaded completely::

    Jira     1   2       4   5   6
    stored   1       3   4   5'  6"
             │   │   │   │   │   └ Disputed (the stored one is stamped later, and differs)
             │   │   │   │   └ Update (Jira's is newer, or differs)
             │   │   │   └ Unchanged
             │   │   └ Missing: a candidate for deletion, nothing more
             │   └ Create
             └ Unchanged
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lib.jira.issues import issue_key, split_key
from lib.jira.items import Issue
from lib.jira.webhooks import Delivery
from lib.platform import errors
from lib.platform.fields import optional_text


@dataclass(frozen=True, slots=True)
class Listed:
    """One issue of a listing: its delivery, or why it can't be read (it still exists in Jira)."""

    issue_key: str
    delivery: Delivery | errors.InvalidInputError

    @property
    def number(self) -> int:
        """The issue's number."""
        return split_key(self.issue_key)[1]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a listing. ``unidentified`` counts the entries that name no issue: any issue may be one of them."""

    issues: tuple[Listed, ...]
    unidentified: int


@dataclass(frozen=True, slots=True)
class Create:
    """Jira has it and the store does not."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Update:
    """Jira's state is newer, or differs."""

    delivery: Delivery
    stored: Issue


@dataclass(frozen=True, slots=True)
class Disputed:
    """The store has another state with a later stamp: the listing lags, or Jira never had that state."""

    stored: Issue


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The store has this state."""

    issue_key: str


@dataclass(frozen=True, slots=True)
class Missing:
    """The store has it and the listing does not: deleted, moved, hidden, or the listing lags."""

    stored: Issue


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Jira lists it in an unreadable form."""

    issue_key: str
    reason: str


Decision = Create | Update | Disputed | Unchanged | Missing | Unreadable


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The issues of a project with ``after`` < number <= ``through``; no upper end if that is None."""

    project: str
    after: int = 0
    through: int | None = None

    def jql(self) -> str:
        """The bounded JQL that lists the range in the order of numbers.

        A bound must be the key of an existing issue. Otherwise the search finds nothing, without an error
        (https://cdn.cdata.com/help/BJM/py/RSBJira_p_KeyColumnOperators.htm).
        """
        clauses = [f'project = "{self.project}"']
        if self.after:
            clauses.append(f"key > {self.project}-{self.after}")
        if self.through is not None:
            clauses.append(f"key <= {self.project}-{self.through}")
        return f"{' AND '.join(clauses)} ORDER BY key ASC"

    def bounds(self) -> tuple[str, ...]:
        """The keys that the JQL is bounded by."""
        return tuple(f"{self.project}-{number}" for number in (self.after, self.through) if number)


def read_listing(issues: Iterable[Any], read: Callable[[Mapping[str, Any]], Delivery]) -> Listing:
    """One page of a listing. An entry that is not an object, or has no issue key, is counted as unidentified."""
    listed: list[Listed] = []
    unidentified = 0
    for issue in issues:
        try:
            key = issue_key(optional_text(issue, "key", max_bytes=256)) if isinstance(issue, Mapping) else None
        except errors.InvalidInputError:
            key = None
        if key is None:
            unidentified += 1
            continue
        try:
            listed.append(Listed(key, read(issue)))
        except errors.InvalidInputError as error:
            listed.append(Listed(key, error))
    return Listing(tuple(listed), unidentified)


def check_order(listed: Iterable[Listed], key_range: KeyRange) -> None:
    """Check that a page belongs to the requested listing: in this range and ordered by number.

    Raises:
        PermanentError: an issue is of another project (the project was renamed), outside of the range or out of order. To
            continue would make issues seem missing.
    """
    last = key_range.after
    for entry in listed:
        project, number = split_key(entry.issue_key)
        if project != key_range.project or number <= last or (key_range.through and number > key_range.through):
            raise errors.PermanentError(
                f"Jira's listing can't be trusted: {entry.issue_key} comes after {key_range.project}-{last}"
            )
        last = number


def merge(listed: Iterable[Listed], stored: Iterable[Issue]) -> Iterator[Decision]:
    """Decide about each issue of either side. Both are in the order of numbers and of one project."""
    rows = iter(stored)
    row = next(rows, None)
    for entry in listed:
        while row is not None and row.issue_number < entry.number:
            yield Missing(row)
            row = next(rows, None)
        if row is not None and row.issue_number == entry.number:
            yield decide(entry, row)
            row = next(rows, None)
        else:
            yield decide(entry, None)
    while row is not None:
        yield Missing(row)
        row = next(rows, None)


def decide(listed: Listed, stored: Issue | None) -> Decision:
    """Decide about one issue that Jira has. A tombstone counts as no row: the store itself knows which is newer."""
    delivery = listed.delivery
    if isinstance(delivery, errors.InvalidInputError):
        return Unreadable(listed.issue_key, str(delivery))
    if stored is None or stored.deleted:
        return Create(delivery)
    if delivery.stamp.version_at <= stored.stamp.version_at and delivery.fields == stored.fields:
        return Unchanged(listed.issue_key)
    if delivery.stamp.version_at < stored.stamp.version_at:
        return Disputed(stored)
    return Update(delivery, stored)
