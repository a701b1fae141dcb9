"""What each mode does with a row, as the docs' table says, in Python and in SQL."""

import itertools
from typing import Any

import duckdb
import pytest

from lib.shuttle.catalogue.modes import Change, decide, decide_in_sql
from lib.shuttle.jobs.job import JobMode

KEPT, ADDED, REPLACED = Change.KEPT, Change.ADDED, Change.REPLACED
UNCHANGED, SKIPPED, REMOVED = Change.UNCHANGED, Change.SKIPPED, Change.REMOVED

MODES = (JobMode.OVERWRITE_EXISTING, JobMode.NEW_ONLY, JobMode.NEW_AND_DRAFT, JobMode.WIPE_AND_RESTORE)
#: in the file, in the catalogue, a draft, equal → the result in each of the modes.
TABLE: dict[tuple[bool, bool, bool, bool], tuple[Change, Change, Change, Change]] = {
    (False, True, False, False): (KEPT, KEPT, KEPT, REMOVED),
    (False, True, True, False): (KEPT, KEPT, KEPT, REMOVED),
    (True, False, False, False): (ADDED, ADDED, ADDED, ADDED),
    (True, True, True, False): (REPLACED, SKIPPED, REPLACED, REPLACED),
    (True, True, False, False): (REPLACED, SKIPPED, SKIPPED, REPLACED),
    (True, True, True, True): (UNCHANGED, SKIPPED, UNCHANGED, UNCHANGED),
    (True, True, False, True): (UNCHANGED, SKIPPED, SKIPPED, UNCHANGED),
}
CONDITIONS = ("in_file", "in_catalogue", "is_draft", "is_equal")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("row", TABLE)
def test_each_mode_does_what_its_table_says(mode: JobMode, row: tuple[bool, bool, bool, bool]) -> None:
    assert decide(mode, **dict(zip(CONDITIONS, row, strict=True))) is TABLE[row][MODES.index(mode)]


@pytest.mark.parametrize("mode", MODES)
def test_sql_decides_as_python_does(mode: JobMode) -> None:
    expression = decide_in_sql(mode, **{name: name for name in CONDITIONS})
    for values in itertools.product((True, False), repeat=4):
        row: dict[str, Any] = dict(zip(CONDITIONS, values, strict=True))
        if row["in_file"] or row["in_catalogue"]:
            given = ", ".join(f"{value} AS {name}" for name, value in row.items())
            assert duckdb.execute(f"SELECT {expression} FROM (SELECT {given})").fetchall() == [(decide(mode, **row).value,)]


def test_a_mode_that_needs_no_comparison_makes_none() -> None:
    expression = decide_in_sql(JobMode.NEW_ONLY, **{name: name for name in CONDITIONS})
    assert expression == "CASE WHEN in_file THEN CASE WHEN in_catalogue THEN 4 ELSE 1 END ELSE 0 END"
