"""The counts of a backfill. Pure."""

import functools
import operator
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

KEPT_REASONS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a backfill, or of a part of it.

    Attributes:
        scanned: legacy rows read.
        stored, superseded, duplicate: their outcomes in the store.
        skipped: rows that are not an issue, can't be read, or are refused by the table.
        stopped: why segments stopped before their end.
        reasons: why rows were skipped; of the first 20 in the sum of several reports.
    """

    scanned: int = 0
    stored: int = 0
    superseded: int = 0
    duplicate: int = 0
    skipped: int = 0
    stopped: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def plus(self, other: "Report") -> "Report":
        """The sum of both reports."""
        total = Report(*map(operator.add, astuple(self), astuple(other)))
        return replace(total, reasons=total.reasons[:KEPT_REASONS])


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the store has what the legacy table has. ``behind`` legacy rows are later than the HEAD of their issue, or it has
    none; the first 20 of their keys are in ``keys``."""

    rows: int = 0
    behind: int = 0
    keys: tuple[str, ...] = ()

    def plus(self, other: "Verification") -> "Verification":
        """The sum of both."""
        total = Verification(*map(operator.add, astuple(self), astuple(other)))
        return replace(total, keys=total.keys[:KEPT_REASONS])


def sum_up(reports: Iterable[Report]) -> Report:
    """The sum of all reports."""
    return functools.reduce(Report.plus, reports, Report())
