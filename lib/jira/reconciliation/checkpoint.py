"""The progress of a sweep, as one invocation hands it over to the next, and the limit of deletions. Pure."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from lib.jira.issues import Stamp
from lib.jira.reconciliation.merge import KeyRange
from lib.platform import errors

MAX_CANDIDATES = 1_000
"""No run deletes more, whatever is configured: the checkpoint lists them, and an asynchronous call takes 1 MB."""

MAX_SHOWN_MISSING = 100
"""Issues that a refusal to delete names: in the answer, the log and the run record."""


@dataclass(frozen=True, slots=True)
class DeleteLimit:
    """How many issues one run may delete: ``count``, or ``share`` of the stored ones where that is more.

    ``setting`` names where the limit comes from, for messages.
    """

    count: int = 50
    share: float = 0.05
    setting: str = "reconcileMaxDeletes"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The limit of a configuration value: empty for the default, ``20`` for a count, ``5%`` for a share.

        Raises:
            ConfigurationError: it is neither.
        """
        digits = text.strip().removesuffix("%").strip()
        if not text.strip():
            return cls()
        if not (digits.isascii() and digits.isdigit()) or (text.strip().endswith("%") and int(digits) > 100):
            raise errors.ConfigurationError(f"reconcileMaxDeletes is a number or a percentage, not {text[:20]!r}")
        return cls(0, int(digits) / 100) if text.strip().endswith("%") else cls(int(digits), 0.0)

    def allowed(self, stored: int) -> int:
        """How many of ``stored`` issues may be deleted."""
        return min(MAX_CANDIDATES, max(self.count, math.floor(self.share * stored)))


@dataclass(frozen=True, slots=True)
class Counts:
    """Issues by outcome, each counted once; ``fetched`` are those that Jira listed."""

    fetched: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    failed: int = 0

    def plus(self, name: str, number: int = 1) -> "Counts":
        """These counts with ``number`` more of ``name``."""
        return replace(self, **{name: getattr(self, name) + number})

    def minus(self, other: "Counts") -> "Counts":
        """These counts without those of ``other``."""
        return Counts(**{name: number - getattr(other, name) for name, number in asdict(self).items()})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored issue that the listing lacks."""

    issue_key: str
    issue_id: str | None
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Gone:
    """A candidate that Jira confirmed not to have under its key.

    Attributes:
        candidate: the stored issue.
        seen_at: when Jira confirmed this, in epoch milliseconds.
        moved_to: its key now, if it moved.
    """

    candidate: Candidate
    seen_at: int
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a sweep got before its time was up. The function sends it to its next invocation as JSON.

    Attributes:
        key_range: the range that is swept.
        token: of the next page.
        position: the last number processed.
        counts: so far.
        stored: rows seen so far.
        missing: how many the listing lacked. The first 1,000 of them are in ``candidates``; more are never deleted.
        candidates: to be confirmed after the listing.
        listed: whether the listing is complete and only candidates are left.
        unreadable: how many of the failed issues the store can't hold as Jira sends them. Another run can't fix those.
        unidentified: how many of those name no issue. Any missing issue may be one of them, so none is deleted.
        pages: how many pages of the listing were read.
        gone: the candidates that were confirmed. They are deleted when all are, and the credentials have been checked.
    """

    key_range: KeyRange
    token: str | None = None
    position: int = 0
    counts: Counts = field(default_factory=Counts)
    stored: int = 0
    missing: int = 0
    candidates: tuple[Candidate, ...] = ()
    listed: bool = False
    unreadable: int = 0
    unidentified: int = 0
    pages: int = 0
    gone: tuple[Gone, ...] = ()

    @property
    def first_missing(self) -> tuple[str, ...]:
        """The keys of the first issues that the listing lacks."""
        candidates = (*(gone.candidate for gone in self.gone), *self.candidates)
        return tuple(candidate.issue_key for candidate in candidates[:MAX_SHOWN_MISSING])

    @property
    def reached(self) -> int:
        """The number up to which all issues were processed."""
        return max(self.position, self.key_range.after)

    def to_json(self) -> dict[str, Any]:
        """The checkpoint as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Checkpoint":
        """The checkpoint of :meth:`to_json`.

        Raises:
            InvalidInputError: it is malformed.
        """
        try:
            nested = {
                "key_range": KeyRange(**value["key_range"]),
                "counts": Counts(**value["counts"]),
                "candidates": tuple(_read_candidate(entry) for entry in value["candidates"]),
                "gone": tuple(
                    Gone(_read_candidate(entry["candidate"]), entry["seen_at"], entry["moved_to"]) for entry in value["gone"]
                ),
            }
            return cls(**{**value, **nested})
        except (KeyError, TypeError) as error:
            raise errors.InvalidInputError(f"the checkpoint can't be read: {error}") from None


def _read_candidate(value: Mapping[str, Any]) -> Candidate:
    return Candidate(value["issue_key"], value["issue_id"], Stamp(**value["stamp"]))
