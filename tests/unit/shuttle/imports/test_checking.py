"""A file is checked to its last row, with the row and the line of each error, whoever reads it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.shuttle.engine import Engine, EngineError
from lib.shuttle.entities import Column, ColumnType, Schema
from lib.shuttle.imports import checking, normal_form
from lib.shuttle.imports.checking import CheckedFile, check
from lib.shuttle.imports.files import Failure, UnreadableFileError
from lib.shuttle.imports.records_sql import PADDING
from lib.shuttle.jobs.job import ErrorSummary, FileFormat
from tests.support.shuttle.builders import DOMAIN, NOON
from tests.support.shuttle.files import nothing, spooled

SCHEMA = Schema(
    shop_domain=DOMAIN,
    version=1,
    columns=(Column(name="sku"), Column(name="stock", type=ColumnType.INTEGER), Column(name="title", max_length=5)),
    created_at=NOON,
    key_columns=("sku",),
)
HEADER = "sku,stock,title\n"
MOST = 1_048_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


@pytest.fixture
def normal_forms(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The normal forms that were written."""
    write, written = normal_form.write_normal_form, []

    def spy(*arguments, **named):
        written.append(arguments[3])
        return write(*arguments, **named)

    monkeypatch.setattr(checking, "write_normal_form", spy)
    return written


def checked(
    engine: Engine, folder: Path, content: str, file_format: FileFormat = FileFormat.CSV, schema: Schema = SCHEMA
) -> CheckedFile:
    return check(engine, spooled(content.encode(), folder), file_format, schema, nothing, max_rows=10**6)


def errors(result: CheckedFile) -> list[tuple[int, int | None, str, str]]:
    return [(error.row, error.line, error.column, error.code.value) for error in result.report.errors]


@pytest.mark.parametrize("few", [0, 1000])
def test_the_relation_has_the_valid_rows_in_canonical_form(
    engine: Engine, tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "FEW_FAILED", few)
    result = checked(engine, tmp_path, "title,sku\n,A1\n\n  ,\nlong title,A2\nTea,A3\n")

    assert (result.rows_read, result.rows_failed, result.delimiter) == (3, 1, ",")
    assert engine.rows(result.relation) == [(1, "A1", None, None), (3, "A3", None, "Tea")]


@pytest.mark.parametrize(
    "content",
    [
        'A1,1,"large, ""fine"" mug"\n',
        'A1,1,5" pipe\n',
        "A1\n\n\n  \nA2,,\nA3,2,Tea,,,,\n",
        '"A\n1",1,Tea\n"A""2",2,\n',
        "A1,x,Tea\n,,toolong\n",
        "A1,1,=1+1\nA2,1,'; DROP TABLE x\n",
    ],
)
def test_an_ordinary_file_is_read_by_the_engine(engine: Engine, tmp_path: Path, content: str, normal_forms: list[Path]) -> None:
    checked(engine, tmp_path, HEADER + content)

    assert normal_forms == []


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param('A1,1, "T"\n', [(1, "A1", "1", ' "T"')], id="a blank before a quote"),
        pytest.param("A1" + "," * (PADDING + 5) + "x\nA2\n", [(2, "A2", None, None)], id="many more cells"),
        pytest.param(
            "A1,1,\n" + "\n" * 1_100_000 + "A2\n", [(1, "A1", "1", None), (2, "A2", None, None)], id="many blank lines"
        ),
    ],
)
def test_an_irregular_file_is_read_in_normal_form(
    engine: Engine, tmp_path: Path, content: str, rows: list, normal_forms: list[Path]
) -> None:
    result = checked(engine, tmp_path, HEADER + content)

    assert engine.rows(result.relation) == rows
    assert len(normal_forms) == 1


def test_a_header_of_several_lines_loses_no_row(engine: Engine, tmp_path: Path) -> None:
    schema = Schema(shop_domain=DOMAIN, version=1, columns=(Column(name="the sku"),), created_at=NOON, key_columns=("the sku",))

    result = checked(engine, tmp_path, '"the\nsku"\nA1\nA2\n', schema=schema)

    assert engine.rows(result.relation) == [(1, "A1"), (2, "A2")]


@pytest.mark.parametrize("content", ['A1\n"A2\nA3\n', 'A1\nA2,1,"Tea\n', 'A1\nA2,1,"Tea"x\nA3\n'])
def test_a_file_with_an_open_quote_is_refused(engine: Engine, tmp_path: Path, content: str) -> None:
    """DuckDB takes what follows the quote for the cell, and reports nothing."""
    with pytest.raises(UnreadableFileError) as raised:
        checked(engine, tmp_path, HEADER + content)

    assert raised.value.failure is Failure.MALFORMED


def test_errors_have_their_lines_despite_line_ends_in_cells(engine: Engine, tmp_path: Path) -> None:
    result = checked(engine, tmp_path, '\n\nsku,stock,title\n"A\n1",x,\n\n , \nA2,y,"\n"\nA3\n,z,toolong\n')

    assert errors(result) == [
        (1, 4, "stock", "WRONG_TYPE"),
        (2, 8, "stock", "WRONG_TYPE"),
        (4, 11, "sku", "MISSING_VALUE"),
        (4, 11, "stock", "WRONG_TYPE"),
        (4, 11, "title", "TOO_LONG"),
    ]


@pytest.mark.parametrize(
    ("file_format", "separator", "brackets", "lines"),
    [(FileFormat.JSONL, "\n\n", "", (3, 5)), (FileFormat.JSON, ",\n", "[]", (2, 3))],
)
def test_errors_of_json_rows_have_their_lines(
    engine: Engine, tmp_path: Path, file_format: FileFormat, separator: str, brackets: str, lines: tuple[int, int]
) -> None:
    rows = [{"sku": "A1"}, {"sku": 5, "stock": "x"}, {"title": "Tea", "T:0": 1, "b": 2}]
    text = separator.join(map(json.dumps, rows))

    result = checked(engine, tmp_path, brackets[:1] + text + brackets[1:], file_format)

    first, second = lines
    assert errors(result) == [
        (2, first, "sku", "WRONG_TYPE"),
        (2, first, "stock", "WRONG_TYPE"),
        (3, second, "T:0", "UNKNOWN_COLUMN"),
        (3, second, "b", "UNKNOWN_COLUMN"),
        (3, second, "sku", "MISSING_VALUE"),
    ]
    assert result.report.summary == (
        ErrorSummary(code="UNKNOWN_COLUMN", count=2, first_rows=(3,)),
        ErrorSummary(code="WRONG_TYPE", count=2, first_rows=(2,)),
        ErrorSummary(code="MISSING_VALUE", count=1, first_rows=(3,)),
    )


def test_all_errors_are_counted_and_the_first_reported(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_REPORT_LINES", 5)

    result = checked(engine, tmp_path, HEADER + ",x,\n" * 4 + ",x,toolong\n")

    assert [summary.count for summary in result.report.summary] == [5, 5, 1]
    assert [row for row, *_ in errors(result)] == [1, 1, 2, 2, 3]
    assert result.report.left_out == 6
    assert result.report.summary[-1] == ErrorSummary(code="TOO_LONG", count=1, first_rows=(5,))


def test_duplicates_are_valid_rows_whose_key_comes_again(engine: Engine, tmp_path: Path) -> None:
    schema = Schema(shop_domain=DOMAIN, version=1, columns=SCHEMA.columns, created_at=NOON, key_columns=("sku", "stock"))

    result = checked(engine, tmp_path, HEADER + "A1,1,\nA1,+1,\nA1,2,\nA1,1,toolong\nA2,,\n", schema=schema)

    assert (result.rows_read, result.rows_failed, result.duplicates) == (5, 2, 1)


def test_names_of_columns_are_not_sql(engine: Engine, tmp_path: Path) -> None:
    names = ("a'b", 'c"d', "e;f", "%s", "{x}", "c0")
    schema = Schema(
        shop_domain=DOMAIN,
        version=1,
        columns=tuple(Column(name=name) for name in names),
        created_at=NOON,
        key_columns=names[:2],
    )

    result = checked(engine, tmp_path, 'a\'b,"c""d",e;f,%s,{x},c0\n1,2,3,4,5,6\n,2,,,,\n', schema=schema)

    assert engine.rows(result.relation) == [(1, "1", "2", "3", "4", "5", "6")]
    assert errors(result) == [(2, 3, "a'b", "MISSING_VALUE")]


def test_a_schema_of_200_columns_is_checked(engine: Engine, tmp_path: Path) -> None:
    columns = tuple(Column(name=f"n{number}", type=ColumnType.INTEGER) for number in range(200))
    schema = Schema(shop_domain=DOMAIN, version=1, columns=columns, created_at=NOON, key_columns=("n199",))
    rows = [",".join(column.name for column in columns), ",".join(["1"] * 200), ",".join(["x"] * 200)]

    result = checked(engine, tmp_path, "\n".join(rows), schema=schema)

    assert (result.rows_read, result.rows_failed, len(result.report.errors)) == (2, 1, 200)


@pytest.mark.parametrize(
    ("content", "file_format", "length"),
    [
        pytest.param('a,b\nA1,"' + "\n" * MOST + '"\n', FileFormat.CSV, MOST, id="a cell of line ends"),
        pytest.param('a,b\nA1,"' + '"' * MOST + '"\n', FileFormat.CSV, MOST // 2, id="a cell of quotes"),
        pytest.param("a,b\nA1," + "\U0001f44d" * MOST, FileFormat.CSV, MOST, id="a cell of 4 MB"),
        pytest.param('{"a": "A1", "b": "' + r"\"" * (MOST // 2) + '"}', FileFormat.JSONL, MOST // 2, id="a text of quotes"),
        pytest.param('{"a": "A1", "b": "' + "\U0001f44d" * MOST + '"}', FileFormat.JSON, MOST, id="a text of 4 MB"),
    ],
)
def test_the_longest_row_is_read_whole(
    engine: Engine, tmp_path: Path, content: str, file_format: FileFormat, length: int
) -> None:
    columns = (Column(name="a"), Column(name="b"))
    schema = Schema(shop_domain=DOMAIN, version=1, columns=columns, created_at=NOON, key_columns=("a",))

    result = checked(engine, tmp_path, content, file_format, schema)

    assert engine.rows(f"SELECT length(c1) FROM ({result.relation})") == [(length,)]


def test_a_row_that_the_engine_loses_is_an_internal_error(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = normal_form.write_normal_form

    def lossy(*arguments, **named):
        form = write(*arguments, **named)
        form.path.write_bytes(form.path.read_bytes().split(b"\n", 1)[1])
        return form

    monkeypatch.setattr(checking, "write_normal_form", lossy)
    with pytest.raises(EngineError):
        checked(engine, tmp_path, '{"sku": "A1"}\n{"sku": "A2"}\n', FileFormat.JSONL)
