"""A CSV file is checked in SQL as a plain loop in Python would, whether DuckDB or Python reads it. No row is lost silently."""

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.shuttle.engine import Engine
from lib.shuttle.entities import Column, ColumnType, Schema
from lib.shuttle.imports.checking import CheckedFile, check
from lib.shuttle.imports.csv_rows import read_lines
from lib.shuttle.imports.files import Failure, UnreadableFileError
from lib.shuttle.imports.header import Header, read_header
from lib.shuttle.imports.spool import Spooled, SpooledText
from lib.shuttle.jobs.job import FileFormat
from tests.support.project.examples import examples
from tests.support.shuttle.builders import DOMAIN, NOON
from tests.support.shuttle.catalogue import an_engine
from tests.support.shuttle.files import nothing, spooled, text_of
from tests.support.shuttle.row_model import Expected, expected

SCHEMA = Schema(
    shop_domain=DOMAIN,
    version=1,
    columns=(
        Column(name="sku"),
        Column(name="n", type=ColumnType.INTEGER),
        Column(name="title", max_length=5),
        Column(name="price", type=ColumnType.DECIMAL, required=True),
        Column(name="cost", type=ColumnType.DECIMAL, decimal_comma=True),
        Column(name="active", type=ColumnType.BOOLEAN),
        Column(name="day", type=ColumnType.DATE),
        Column(name="at", type=ColumnType.DATETIME),
    ),
    created_at=NOON,
    key_columns=("sku", "n"),
)
LOOSE = replace(SCHEMA, columns=tuple(replace(column, required=False) for column in SCHEMA.columns), key_columns=("sku",))
NAMES = [column.name for column in SCHEMA.columns]
TYPICAL = {
    "sku": ["A1", "A2", "é", "=1+1", " "],
    "n": ["1", "+1", "01", " 1", "-0", "0", "1.0", "1e3", "9" * 18, "9" * 19],
    "title": ["", "Tea", "café!", "a,b", "too long", "日本語", "👍🏽👍🏽", 'a"b', "a\nb", "@SUM(1)", "\u00a0", "NULL"],
    "price": ["1.50", "+.5", "5.", "-007.10", "1e3", "1E+05", "1,5", "0" * 38, "NaN", "inf", "0x1", ".", "1_0", "٣"],
    "cost": ["1,50", "1.50", ",5", "5,", "-0", "00,0e-1", "1.000,5"],
    "active": ["true", "FALSE", "Yes", "no", "0", "1", " true ", "on", "\u0130"],
    "day": [
        "2026-02-28", "2026-02-29", "2024-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2026-1-1", "2026-13-01",
        "\t2026-01-31\n",
    ],
    "at": [
        "2026-01-31T10:00", "2026-01-31 10:00:00", "2026-01-31T10:00:00.123456789Z", "2026-01-31T24:00:00Z",
        "2026-01-31T10:00:60Z", "2026-01-31T10:00+23:59", "2026-01-31T10:00+0100", "2026-01-31", "2026-02-30T10:00",
        "2026-01-31t10:00z",
    ],
}  # fmt: skip
ODD = [*',;" \t\n', "a", "1", "=", "\u00a0", "\u2028", "\\", "'", "\x0b", "\x1a", "\ufeff", "é"]
odd_cells = st.one_of(
    st.text(ODD, max_size=6),
    st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=4),
)


def cells(name: str) -> st.SearchStrategy[str]:
    typical = st.sampled_from([*TYPICAL[name], ""])
    return st.one_of(typical, typical, typical, odd_cells)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def written(cell: str, delimiter: str) -> st.SearchStrategy[str]:
    """A cell as a program writes it; sometimes as one that does not quote or pads it."""
    needs_quotes = any(character in cell for character in (delimiter, '"', "\n"))
    right = quoted(cell) if needs_quotes else cell
    return st.sampled_from([right] * 12 + [quoted(cell)] * 6 + [cell, f" {right}", f"{right} ", f'{right}"'])


@st.composite
def csv_texts(draw: st.DrawFn) -> str:
    """A CSV text with a header that names columns of the schema, in any order."""
    names = draw(st.permutations(NAMES))
    names = [name for name in names if name in ("sku", "n", "price") or draw(st.integers(0, 3))]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        names.insert(draw(st.integers(0, len(names))), "")
    delimiter = draw(st.sampled_from(",,,;\t|"))
    lines = [*draw(st.sampled_from([[], [], [""], ["  "]])), delimiter.join(names)]
    for _ in range(draw(st.integers(0, 6))):
        if not draw(st.integers(0, 9)):
            lines.append(draw(st.sampled_from(["", " ", delimiter * len(names), f" {delimiter} ", '""'])))
            continue
        row = [draw(cells(name) if name else st.sampled_from(["", "", " ", "x"])) for name in names]
        row += draw(st.sampled_from([[]] * 8 + [["", ""], [" "], ["x"], [""] * 20]))
        row = row[: len(row) - draw(st.sampled_from([0] * 8 + [1, 2, 3]))]
        lines.append(delimiter.join([draw(written(cell, delimiter)) for cell in row]))
    return draw(st.sampled_from(["\n"] * 4 + ["\r\n", "\r"])).join(lines) + draw(st.sampled_from(["\n", "", "\n\n", "\x1a"]))


@given(csv_texts(), st.sampled_from([SCHEMA, LOOSE]))
@settings(max_examples=examples(40, thorough=600), deadline=None)
@example('sku,n,price\nA1,1,1\n"A2,2,2\nA3,3,3\n', SCHEMA)
@example('sku,n,price\nA1,1,1\nA2,2,"2\n', SCHEMA)
@example('sku,n,price\nA1,1,1\n "A2",2,2\n"A3" ,3,3\n', SCHEMA)
@example('sku,n,price\nA1,1,1\n"A2" ,2,2\n', SCHEMA)
@example('sku,n,price\nA1,1,1\nA2,2,"2"x\n', SCHEMA)
@example("sku,n,price\nA1,1,1\nA2,1,1\nA1,+1,1\n", SCHEMA)
@example('sku,n,price\n"A1\n",1,1\n\nA2,x,1\n"A\n\n3",y,1\n', SCHEMA)
@example("sku,n,price\nA1,1,1\n  \n ,,\n\u00a0,1,1\n", LOOSE)
def test_a_csv_file_is_checked_as_the_model_does(text: str, schema: Schema) -> None:
    with an_engine() as (engine, folder):
        found = spooled(text.encode(), folder)
        header = header_of(found, schema)
        if header is None:
            return
        wanted = expected(text_of(found), header, schema)
        irregular = replace(found, path=found.path.with_name("again"), is_regular_csv_candidate=False)
        irregular.path.write_bytes(found.path.read_bytes())

        assert [checked(each, schema, engine) for each in (found, irregular)] == [wanted, wanted]


def header_of(found: Spooled, schema: Schema) -> Header | None:
    try:
        with SpooledText(found, nothing) as text:
            return read_header(read_lines(text), schema)
    except UnreadableFileError:
        return None


def checked(found: Spooled, schema: Schema, engine: Engine) -> Expected | None:
    try:
        result = check(engine, found, FileFormat.CSV, schema, nothing, max_rows=1000)
    except UnreadableFileError as error:
        if error.failure is not Failure.MALFORMED:
            raise
        return None
    return as_expected(result, engine)


def as_expected(result: CheckedFile, engine: Engine) -> Expected:
    errors = [(error.row, error.line or 0, error.column, error.code.value) for error in result.report.errors]
    columns = ", ".join(["n", *(f"c{index}" for index in range(len(NAMES)))])
    valid = engine.rows(f"SELECT {columns} FROM ({result.relation})")
    return Expected(result.rows_read, result.rows_failed, result.duplicates, errors, valid)
