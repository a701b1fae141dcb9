"""Which cells are valid, and the one form that each has in the catalogue. An engine evaluates the expressions."""

import calendar
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.shuttle.engine import Engine
from lib.shuttle.entities import Column, ColumnType
from lib.shuttle.imports import rules_sql

TEXT, INTEGER, DECIMAL = Column(name="a"), Column(name="a", type=ColumnType.INTEGER), Column(name="a", type=ColumnType.DECIMAL)
COMMA = Column(name="a", type=ColumnType.DECIMAL, decimal_comma=True)
BOOLEAN, DAY, INSTANT = (Column(name="a", type=kind) for kind in (ColumnType.BOOLEAN, ColumnType.DATE, ColumnType.DATETIME))
SHORT = Column(name="a", max_length=3)

VALID: list[tuple[Column, str, str]] = [
    (TEXT, " a ", " a "),
    (TEXT, " ", " "),
    (SHORT, "äöü", "äöü"),
    (SHORT, "👍👍👍", "👍👍👍"),
    (INTEGER, "0", "0"),
    (INTEGER, "-12", "-12"),
    (INTEGER, "+12", "12"),
    (INTEGER, "-0", "0"),
    (INTEGER, "007", "7"),
    (INTEGER, "-007", "-7"),
    (INTEGER, "\u00a0 7\t\n", "7"),
    (INTEGER, "9" * 18, "9" * 18),
    (DECIMAL, "1.50", "1.50"),
    (DECIMAL, "+1", "1"),
    (DECIMAL, ".5", "0.5"),
    (DECIMAL, "-.5", "-0.5"),
    (DECIMAL, "5.", "5"),
    (DECIMAL, "5.e3", "5e3"),
    (DECIMAL, "00.10", "0.10"),
    (DECIMAL, "-007", "-7"),
    (DECIMAL, "000", "0"),
    (DECIMAL, "-0", "-0"),
    (DECIMAL, " 1E+05 ", "1E+05"),
    (DECIMAL, "9" * 38 + "." + "9" * 38, "9" * 38 + "." + "9" * 38),
    (COMMA, "1,50", "1.50"),
    (COMMA, "+,5", "0.5"),
    (COMMA, "7", "7"),
    (BOOLEAN, "true", "true"),
    (BOOLEAN, "1", "true"),
    (BOOLEAN, " YES ", "true"),
    (BOOLEAN, "No", "false"),
    (BOOLEAN, "0", "false"),
    (BOOLEAN, "FALSE", "false"),
    (DAY, "2024-02-29", "2024-02-29"),
    (DAY, " 2026-01-31", "2026-01-31"),
    (DAY, "0001-01-01", "0001-01-01"),
    (DAY, "9999-12-31", "9999-12-31"),
    (INSTANT, "2026-11-28T19:30", "2026-11-28T19:30"),
    (INSTANT, "2026-11-30 23:59:59.123456789", "2026-11-30 23:59:59.123456789"),
    (INSTANT, "2026-11-28T19:30:00Z", "2026-11-28T19:30:00Z"),
    (INSTANT, "\t2026-11-28T00:00+23:59 ", "2026-11-28T00:00+23:59"),
]
INVALID: list[tuple[Column, str]] = [
    (SHORT, "abcd"),
    (INTEGER, "1.0"),
    (INTEGER, "1e3"),
    (INTEGER, "1_000"),
    (INTEGER, "1 000"),
    (INTEGER, "--1"),
    (INTEGER, "9" * 19),
    (INTEGER, "٣"),
    (INTEGER, "0x1"),
    (DECIMAL, "."),
    (DECIMAL, "e5"),
    (DECIMAL, "1,5"),
    (DECIMAL, "1.234,50"),
    (DECIMAL, "NaN"),
    (DECIMAL, "inf"),
    (DECIMAL, "1e1000"),
    (DECIMAL, "9" * 39),
    (DECIMAL, "1.5\n2"),
    (COMMA, "1.50"),
    (COMMA, "1.234,50"),
    (BOOLEAN, "on"),
    (BOOLEAN, "t"),
    (BOOLEAN, "2"),
    (DAY, "2026-02-29"),
    (DAY, "2026-13-01"),
    (DAY, "2026-1-1"),
    (DAY, "0000-01-01"),
    (DAY, "20260101"),
    (DAY, "2026-01-01T00:00"),
    (DAY, "10000-01-01"),
    (INSTANT, "2026-02-30T10:00"),
    (INSTANT, "2026-11-28"),
    (INSTANT, "2026-11-28T24:00"),
    (INSTANT, "2026-11-28T19:60"),
    (INSTANT, "2026-11-28T19:30:60"),
    (INSTANT, "2026-11-28T19:30:00."),
    (INSTANT, "2026-11-28T19:30+0100"),
    (INSTANT, "2026-11-28T19:30+24:00"),
    (INSTANT, "2026-11-28t19:30z"),
    (INSTANT, "0000-01-01T10:00"),
]
EMPTY: list[tuple[Column, str | None]] = [
    *((column, None) for column in (TEXT, INTEGER, DECIMAL, COMMA, BOOLEAN, DAY, INSTANT, SHORT)),
    *((column, " \t\n\u00a0") for column in (INTEGER, DECIMAL, COMMA, BOOLEAN, DAY, INSTANT)),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(Path(tmp_path_factory.mktemp("engine"))) as engine:
        yield engine


def evaluated(engine: Engine, column: Column, cell: str | None, *, required: bool) -> tuple[bool, str | None, str | None]:
    """Whether a cell is valid, what is wrong with it, and its canonical form."""
    expressions = (
        rules_sql.is_valid(column, "c", required=required),
        rules_sql.problem(column, 3, "c", required=required),
        rules_sql.canonical(column, "c"),
    )
    ((is_valid, problem, canonical),) = engine.rows(f"SELECT {', '.join(expressions)} FROM (SELECT ?::VARCHAR AS c)", [cell])
    return is_valid, problem, canonical


@pytest.mark.parametrize(("column", "cell", "canonical"), VALID)
def test_a_valid_cell_has_one_form(engine: Engine, column: Column, cell: str, canonical: str) -> None:
    assert evaluated(engine, column, cell, required=False) == (True, None, canonical)


@pytest.mark.parametrize(("column", "cell"), INVALID)
@pytest.mark.parametrize("required", [False, True])
def test_another_cell_is_invalid(engine: Engine, column: Column, cell: str, required: bool) -> None:
    code = "L:3" if column.type is ColumnType.STRING else "T:3"

    assert evaluated(engine, column, cell, required=required)[:2] == (False, code)


@pytest.mark.parametrize(("column", "cell"), EMPTY)
def test_no_value_is_valid_unless_it_is_required(engine: Engine, column: Column, cell: str | None) -> None:
    assert evaluated(engine, column, cell, required=False) == (True, None, None)
    assert evaluated(engine, column, cell, required=True)[:2] == (False, "M:3")


@pytest.mark.parametrize("column", [TEXT, SHORT])
def test_a_required_text_is_not_blank(engine: Engine, column: Column) -> None:
    assert evaluated(engine, column, "\u00a0 ", required=True)[:2] == (False, "M:3")
    assert evaluated(engine, column, "\u00a0é", required=True) == (True, None, "\u00a0é")


def test_leap_days_are_of_the_form_that_is_recognized_fast(engine: Engine) -> None:
    (condition,) = rules_sql.are_usual([(DAY, "c", False)])
    days = [f"{year}-02-29" for year in range(1000, 3000)]
    found = {day for (day,) in engine.rows(f"SELECT c FROM (SELECT unnest(?::VARCHAR[]) AS c) WHERE {condition}", [days])}

    assert found <= {day for day in days if calendar.isleap(int(day[:4]))}
    assert found == {f"{year}-02-29" for year in range(1904, 2100, 4)}
