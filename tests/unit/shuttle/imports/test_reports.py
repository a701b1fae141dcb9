"""An error report is safe to open in a spreadsheet, whatever the columns of the upload are called."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.shuttle.imports.reports import ErrorReport, RowError, RowErrorCode
from lib.shuttle.jobs.job import ErrorSummary

SIGNS = "=+-@＝＋－＠"
TRIMMED = [" ", "\t", "\r", "\n", "\u00a0", "\u3000", '"', "'", "\ufeff", "\u200b"]


def reported(column: str) -> str:
    """The report on a row with that unknown column, as text."""
    error = RowError(1, None, column, RowErrorCode.UNKNOWN_COLUMN, "the schema has no such column")
    summary = ErrorSummary(code=error.code, count=1, first_rows=(1,))
    return ErrorReport((summary,), (error,)).as_csv().read().decode()


def column_cell(column: str) -> str:
    """The cell that names the column, as a spreadsheet reads it."""
    return list(csv.reader(io.StringIO(reported(column), newline="")))[1][2]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", ["", *TRIMMED, " \t\"'", "\ufeff "])
def test_a_formula_start_is_quoted_even_behind_trimmed_characters(before: str, sign: str) -> None:
    assert column_cell(f"{before}{sign}HYPERLINK(1)").startswith("'")


@pytest.mark.parametrize("start", ["\t", "\r", "\n"])
def test_a_control_character_at_the_start_is_quoted(start: str) -> None:
    assert column_cell(f"{start}name") == f"'{start}name"


@pytest.mark.parametrize("separator", [",", ";", "|", "\t", "\n"])
def test_a_formula_behind_a_separator_is_quoted(separator: str) -> None:
    assert f"{separator}'=cmd" in column_cell(f"name{separator}=cmd")


def test_a_negative_number_is_quoted() -> None:
    assert column_cell("-5") == "'-5"


@pytest.mark.parametrize("name", ["price", "price in €", "net-price", "a=b", "me@home", "5", "a, b", "'quoted'"])
def test_a_harmless_name_is_unchanged(name: str) -> None:
    assert column_cell(name) == name


@given(st.text(alphabet=[*SIGNS, *TRIMMED, ",", ";", "a", "1"], max_size=12), st.sampled_from([",", ";", "\t"]))
def test_no_cell_of_a_report_starts_like_a_formula(name: str, separator: str) -> None:
    for row in csv.reader(io.StringIO(reported(name), newline=""), delimiter=separator):
        for cell in row:
            assert cell.lstrip("".join(TRIMMED))[:1] not in set(SIGNS) or cell.startswith("'"), (cell, name)
