"""The report on grants: merges what the test processes saw, says what is wrong with it, and writes it down.

Pure, except for reading and writing files. Problems count only for a run of the whole suite, because a selection of tests
leaves most grants unused.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHOWN_TESTS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A grant, or something that was refused, as all test processes together saw it."""

    principal: str
    action: str
    resource: str
    times: int
    reason: str
    tests: tuple[str, ...]
    expected: bool = True

    @property
    def has_wildcard(self) -> bool:
        """Whether it grants more than one action on one resource."""
        return any(sign in self.action + self.resource for sign in "*?")

    def __str__(self) -> str:
        return f"{self.principal}  {self.action}  {self.resource}"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was granted, used and refused.

    Attributes:
        whole: whether every test was run.
        grants: every grant that a local cloud of the suite had.
        refusals: every call that was refused.
        lost: the tests after which a cloud no longer answered, though nobody had stopped it.
    """

    whole: bool
    grants: tuple[Row, ...]
    refusals: tuple[Row, ...] = field(default=())
    lost: tuple[str, ...] = field(default=())

    def problems(self) -> list[str]:
        """What is wrong; for a part of the suite, nothing can be said but that a cloud was lost."""
        lost = [f"a local cloud did not report its grants after {test}: later uses are missing" for test in self.lost]
        if not self.whole:
            return lost
        if not self.grants:
            return [*lost, "no local cloud reported its grants: nothing was checked"]
        return [
            *lost,
            *(f"unused: {row}" for row in self.grants if not row.times),
            *(f"wildcard without a written reason: {row}" for row in self.grants if row.has_wildcard and not row.reason),
            *(f"refused: {row} ({', '.join(row.tests)})" for row in self.refusals if not row.expected),
        ]

    def summary(self) -> list[str]:
        """A few lines for a terminal."""
        used = sum(1 for row in self.grants if row.times)
        partial = "" if self.whole else " (partial: not every test was run)"
        return [
            f"{len(self.grants)} grants, {used} used, {len(self.refusals)} kinds of refusals{partial}",
            *self.problems(),
            *(f"refused: {row} ({', '.join(row.tests)})" for row in self.refusals if not row.expected and not self.whole),
        ]

    def as_markdown(self) -> str:
        """The whole report."""
        lines = ["# Grants and the tests that used them", "", self.summary()[0], ""]
        if problems := self.problems():
            lines += ["## Problems", "", *(f"- {problem}" for problem in problems), ""]
        lines += ["| who | action | resource | uses | tests | why a wildcard |", "|---|---|---|---|---|---|"]
        lines += [_line(row) for row in self.grants]
        lines += ["", "## Refused", "", "| who | action | resource | times | tests |", "|---|---|---|---|---|"]
        lines += [_line(row).rpartition(" | ")[0] + " |" for row in self.refusals]
        return "\n".join(lines) + "\n"

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        rows = {
            name: [{each: getattr(row, each) for each in Row.__slots__} for row in getattr(self, name)]
            for name in ("grants", "refusals")
        }
        return {"whole": self.whole, "problems": self.problems(), **rows}


def merge(books: Sequence[dict[str, Any]], *, whole: bool) -> Report:
    """The report of what several processes saw (:meth:`tests.support.iam.grants.Watch.as_json`)."""
    merged: dict[str, dict[tuple[str, str, str], Row]] = {"grants": {}, "refusals": {}}
    for book in books:
        for name, rows in merged.items():
            for each in book[name]:
                key = (each["principal"], each["action"], each["resource"])
                before = rows.get(key, Row(*key, 0, "", ()))
                rows[key] = Row(
                    *key,
                    times=before.times + each["times"],
                    reason=before.reason or each["reason"],
                    tests=tuple(dict.fromkeys([*before.tests, *each["tests"]])),
                    expected=before.expected and each["expected"],
                )
    found = {name: tuple(rows[key] for key in sorted(rows)) for name, rows in merged.items()}
    lost = tuple(test for book in books for test in book.get("lost", []))
    return Report(whole, found["grants"], found["refusals"], lost)


def read(folder: Path) -> list[dict[str, Any]]:
    """The books that the test processes left in ``folder``."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def write(report: Report, folder: Path) -> Path:
    """Write ``iam-report.md`` and ``iam-report.json``; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "iam-report.json").write_text(json.dumps(report.as_json(), indent=1))
    path = folder / "iam-report.md"
    path.write_text(report.as_markdown())
    return path


def _line(row: Row) -> str:
    shown = ", ".join(row.tests[:SHOWN_TESTS]) + (
        f" and {len(row.tests) - SHOWN_TESTS} more" if len(row.tests) > SHOWN_TESTS else ""
    )
    return f"| {row.principal} | {row.action} | {row.resource} | {row.times} | {shown or '**none**'} | {row.reason} |"
