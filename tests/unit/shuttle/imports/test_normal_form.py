"""The normal form of CSV files: rows of any width, padding, blank lines, and the lines that rows begin at."""

import dataclasses
import gzip
from pathlib import Path

import pytest

from lib.shuttle.imports.csv_rows import read_lines
from lib.shuttle.imports.files import MAX_ROW, Failure, UnreadableFileError
from lib.shuttle.imports.header import read_header
from lib.shuttle.imports.normal_form import column_names, lines_of_rows
from lib.shuttle.imports.spool import SpooledText
from tests.support.shuttle.files import SCHEMA, normal, nothing, spooled

HEADER = "sku,title,price,stock\n"


def refusal(text: str, **options: int) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        normal(text, **options)  # type: ignore[arg-type]
    return caught.value


def test_the_columns_are_those_of_the_schema_and_two_more() -> None:
    assert column_names(SCHEMA) == ("c0", "c1", "c2", "c3", "line", "problems")


def test_cells_are_put_in_the_order_of_the_schema() -> None:
    found = normal('PRICE,sku,Name of the item\n1.50,a-1,"Tea, ""green"""\n')
    assert found.rows == [["a-1", 'Tea, "green"', "1.50", "", "2", ""]]


def test_cells_are_kept_as_they_are() -> None:
    found = normal(HEADER + 'a-1, Tea ,,\na-2,"two\nlines",,\na-3,,," 3"\n')
    assert found.cells == [["a-1", " Tea ", "", ""], ["a-2", "two\nlines", "", ""], ["a-3", "", "", " 3"]]
    assert found.lines == [2, 3, 5]


# Blank lines and padding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("is_gzip", [False, True])
def test_a_file_of_a_spreadsheet_is_read(encoding: str, delimiter: str, newline: str, *, is_gzip: bool) -> None:
    lines = ["sku,title,price,stock,,", "a-1,Thé,1.50,3,,", ",,,,,", "a-2,Mug", "   ", "\x1a"]
    content = newline.join(lines).replace(",", delimiter).encode(encoding)

    found = normal(gzip.compress(content) if is_gzip else content)

    assert found.cells == [["a-1", "Thé", "1.50", "3"], ["a-2", "Mug", "", ""]]
    assert found.lines == [2, 4]
    assert found.problems == [[], []]


@pytest.mark.parametrize(
    "end", ["  ", "\n", "  \n\t\n", ",,,\n", '"",""\n', ", ,\n", "\x1a", "\n\x1a\n", ",,,,,,,,,,,,,,,,,,,,,,,,\n"]
)
def test_a_row_of_blanks_is_a_blank_line(end: str) -> None:
    assert normal(f"{HEADER}a-1,Tea,1.50,3\n{end}").lines == [2]
    middle = end.replace("\x1a", "")
    assert normal(f"{HEADER}{middle}\na-1,Tea,1.50,3\n").cells == [["a-1", "Tea", "1.50", "3"]]


def test_a_file_with_one_column_has_blank_lines_as_well() -> None:
    assert normal("sku\n\na-1\n  \na-2\n").lines == [3, 5]


# Rows of another width than the header, and values in unnamed columns

ROWS = ("a-1,Tea,1.50,3", "a-2,Mug,4.00,1", "a-3,Cup,2.00,2")


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("row", "problems"),
    [
        ("b-1", []),
        ("b-1,Tea", []),
        ("b-1,Tea,,", []),
        ("b-1,Tea,1,2,,,", []),
        ("b-1,Tea,1,2, ,\t", []),
        ("b-1,Tea,1,2,3", ["W"]),
        ("b-1,Tea,1,50,2,,", ["W"]),
    ],
)
def test_a_row_of_wrong_width_does_not_end_the_file(place: int, row: str, problems: list[str]) -> None:
    rows = list(ROWS)
    rows[place] = row

    found = normal(HEADER + "\n".join(rows))

    assert found.lines == [2, 3, 4]
    assert found.problems[place] == problems
    assert [found.problems[other] for other in range(3) if other != place] == [[], []]


@pytest.mark.parametrize(
    ("header", "row", "problems"),
    [
        ("sku,,title,", "a-1,,Tea,", []),
        ("sku,,title,", "a-1, ,Tea,\t", []),
        ("sku,,title,", "a-1,x,Tea,", ["E:2"]),
        ("sku,,title,", "a-1,x,Tea,y", ["E:2", "E:4"]),
        ("sku,,title,", "a-1,x,Tea,y,z", ["W", "E:2", "E:4"]),
        (",sku", "x,a-1", ["E:1"]),
    ],
)
def test_a_value_under_an_unnamed_column_is_reported_with_its_column(header: str, row: str, problems: list[str]) -> None:
    assert normal(f"{header}\n{row}\n").problems == [problems]


# Files that are refused


@pytest.mark.parametrize(
    ("rows", "failure", "detail"),
    [
        ('a-1,"Tea\n', "MALFORMED", "The row that begins on line 2 is not CSV: unexpected end of data. Check its quotes."),
        (
            'a-1\n\n"a-2"x,Tea\n',
            "MALFORMED",
            "The row that begins on line 4 is not CSV: ',' expected after '\"'. Check its quotes.",
        ),
        (
            "x" * MAX_ROW + "\n",
            "ROW_TOO_LONG",
            "The row on line 2 has more than 1048576 characters. Shorten it, or check that every quote is closed.",
        ),
        (
            'a-1,"' + "x\n" * MAX_ROW,
            "ROW_TOO_LONG",
            "The row on line 2 has more than 1048576 characters. Shorten it, or check that every quote is closed.",
        ),
    ],
)
def test_a_file_that_is_not_csv_is_refused(rows: str, failure: str, detail: str) -> None:
    found = refusal(HEADER + rows)
    assert (found.failure, found.detail) == (Failure(failure), detail)


def test_a_file_with_more_rows_than_the_plan_allows_is_refused() -> None:
    assert len(normal(HEADER + "a-1\n" * 3, max_rows=3).rows) == 3
    found = refusal(HEADER + "a-1\n" * 4, max_rows=3)
    assert (found.failure, found.detail) == (Failure.TOO_MANY_ROWS, "The plan allows 3 rows per file. Split the file.")


# Lines of rows


def test_the_lines_of_rows_can_be_found(tmp_path: Path) -> None:
    content = '\nsep=;\nsku;title\n\na-1;"two\nlines"\n;;\na-2;"\n\n"\na-3;Tea\n'
    file = spooled(content.encode(), tmp_path)
    with SpooledText(file, nothing) as text:
        header = read_header(read_lines(text), SCHEMA)

    assert lines_of_rows(file, header, {1, 2, 3}, nothing) == {1: 5, 2: 8, 3: 11}
    assert lines_of_rows(file, header, {2, 99}, nothing) == {2: 8}
    assert lines_of_rows(file, header, set(), nothing) == {}


@pytest.mark.parametrize("rows", [200, 5_000])
def test_the_time_is_checked_every_500_rows(rows: int) -> None:
    checks = 0

    def count(_: int) -> None:
        nonlocal checks
        checks += 1

    normal(HEADER + "a\n" * rows, on_read=count)
    assert checks >= 8 + rows // 500


def test_a_schema_of_one_column_is_enough() -> None:
    schema = dataclasses.replace(SCHEMA, columns=SCHEMA.columns[:1])
    assert normal("sku\na-1\n", schema=schema).rows == [["a-1", "2", ""]]
