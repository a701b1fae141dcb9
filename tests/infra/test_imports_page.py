"""docs/reference/imports.md says what the code does: modes, limits, row errors."""

import itertools
import re
from dataclasses import fields

from lib.shuttle.catalogue.modes import Change, decide
from lib.shuttle.entities import ColumnType
from lib.shuttle.imports.reports import RowErrorCode
from lib.shuttle.jobs.job import JobMode
from lib.shuttle.jobs.plans import MIB, Plan, PlanLimits
from tests.support.project.documentation import ROOT, tables_of

PAGE = ROOT / "docs" / "reference" / "imports.md"
YES_OR_NO = {"yes": (True,), "no": (False,), "equal": (True,), "different": (False,), "–": (True, False)}


def rows_under(*heading: str) -> list[list[list[str]]]:
    """The rows of the tables that have ``heading``."""
    return [table[1:] for table in tables_of(PAGE) if table[0] == list(heading)]


def test_each_mode_has_a_table_with_its_result_for_every_row() -> None:
    headings = re.findall(r"^### (\w+_\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    tables = rows_under("in the file", "in the catalogue", "values", "draft", "result")

    assert set(headings) == {mode.value for mode in JobMode}
    for mode, table in zip(headings, tables, strict=True):
        written: dict[tuple[bool, ...], str] = {}
        for *conditions, result in table:
            for case in itertools.product(*(YES_OR_NO[condition] for condition in conditions)):
                assert case not in written, f"{mode} has two results for {case}"
                written[case] = result
        for case in itertools.product((True, False), repeat=4):
            in_file, in_catalogue, is_equal, is_draft = case
            change = decide(JobMode(mode), in_file=in_file, in_catalogue=in_catalogue, is_draft=is_draft, is_equal=is_equal)
            if in_file or in_catalogue:
                assert written[case] == change.name.lower(), f"{mode} {case}"
    assert {result for table in tables for *_, result in table} == {change.name.lower() for change in Change}


def test_the_limits_are_those_of_the_plans() -> None:
    (rows,) = rows_under("limit", *Plan)
    written = {row[0].split("`")[1]: [_number(cell) for cell in row[1:]] for row in rows}

    assert written == {field.name: [getattr(plan.limits, field.name) for plan in Plan] for field in fields(PlanLimits)}


def _number(cell: str) -> int:
    text, _, unit = cell.replace(",", "").partition(" ")
    return int(text) * (MIB if unit else 1)


def test_every_row_error_and_every_type_is_listed() -> None:
    (errors,) = rows_under("code", "cause", "correct")
    (types,) = rows_under("type", "accepted", "stored as")

    assert {row[0].strip("`") for row in errors} == set(RowErrorCode)
    assert {row[0].strip("`") for row in types} == set(ColumnType)
