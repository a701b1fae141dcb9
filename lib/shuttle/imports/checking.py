r"""Checks a file on disk against a schema, in SQL, and says what is wrong with which row.

::

    CSV ─► header ─► as DuckDB reads it ─► one scan: how many rows, valid ones and keys ─► only if not all are valid: the errors
                            │ irregular                    ▲
    JSON, JSON Lines ───────┴──────► normal form ──────────┘

DuckDB reads nearly every CSV file as Python's reader does, and much faster. It does not report a quote without an end, so a
sentinel is added as the last record. A file is irregular if the sentinel does not come back, DuckDB refuses a record, or blanks
are beside quotes. Python's reader then writes it in normal form first.

A row is a record that is not blank; rows are numbered from 1. The most common result, a file of valid rows, takes one scan.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lib.shuttle.engine import Engine, EngineError, literal
from lib.shuttle.entities import ColumnType, Schema
from lib.shuttle.imports import rules_sql
from lib.shuttle.imports.csv_rows import read_lines
from lib.shuttle.imports.files import OnRead
from lib.shuttle.imports.header import Header, read_header
from lib.shuttle.imports.normal_form import lines_of_rows, write_normal_form
from lib.shuttle.imports.records_sql import PADDING, Records, records_as_they_are, records_in_normal_form
from lib.shuttle.imports.reports import FIRST_ROWS, MAX_REPORT_LINES, ErrorReport, RowError, RowErrorCode
from lib.shuttle.imports.spool import Spooled, SpooledText
from lib.shuttle.jobs.job import ErrorSummary, FileFormat

# The letter of each kind of error in the texts that SQL makes of a row's errors, one error per line: ``M:3``, ``U:colour``.
_LETTERS = {
    "U": RowErrorCode.UNKNOWN_COLUMN,
    "W": RowErrorCode.WRONG_CELL_COUNT,
    "E": RowErrorCode.EXTRA_VALUE,
    "M": RowErrorCode.MISSING_VALUE,
    "T": RowErrorCode.WRONG_TYPE,
    "L": RowErrorCode.TOO_LONG,
}
# What a record is instead of a row with errors: see _Check._state.
_UNUSUAL, _SENTINEL, _BLANK = "V", "S", "B"
_EXAMPLES = {
    ColumnType.STRING: '"a text"',  # a number or another value of JSON
    ColumnType.INTEGER: "12",
    ColumnType.DECIMAL: "1.50",
    ColumnType.BOOLEAN: "true or false",
    ColumnType.DATE: "2026-01-31",
    ColumnType.DATETIME: "2026-01-31T19:30",
}
_FAILED = f"""SELECT n, r, e FROM (
    SELECT row_number() OVER () AS n, rowid + 1 AS r, e FROM checked WHERE coalesce(e NOT IN ('{_SENTINEL}', '{_BLANK}'), true)
) WHERE contains(e, chr(10))"""
"""SQL of the rows with an error: ``n``, the number of the row, ``r``, that of the record, and ``e``, its state."""
FEW_FAILED = 1000
"""Up to this many failed rows are excluded by number, instead of checking all rows again."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The result of a check.

    Attributes:
        relation: SQL for :class:`~lib.shuttle.engine.Engine` that selects the valid rows, in the order of the file: ``n``,
            the number of the row, and ``c0``, ``c1``, … with the columns in the order of the schema, each a canonical text
            or NULL. Rows with the same key are all in it.
        rows_read: how many rows the file has; blank ones are not counted.
        rows_failed: how many have an error.
        duplicates: how many valid rows have the key of a later valid row.
        report: the errors.
        delimiter: of a CSV file.
    """

    relation: str
    rows_read: int
    rows_failed: int
    duplicates: int
    report: ErrorReport
    delimiter: str | None = None


def check(
    engine: Engine,
    spooled: Spooled,
    file_format: FileFormat,
    schema: Schema,
    on_read: OnRead,
    *,
    delimiter: str | None = None,
    max_rows: int,
) -> CheckedFile:
    """Check ``spooled``, which is in the folder of ``engine``, against ``schema``, which has a key.

    ``delimiter`` is what the order or the shop says; ``on_read`` is called at every read of the file in Python.

    Raises:
        UnreadableFileError: the file is malformed, its header is not the schema's, it has more than ``max_rows`` rows, or it
            needs too much memory or disk.
    """
    header = None
    if file_format is FileFormat.CSV:
        header, can_be_skipped = _read_header(spooled, schema, delimiter, on_read)
        if can_be_skipped and spooled.is_regular_csv_candidate:
            checked = _check_as_it_is(engine, spooled, header, schema, on_read)
            if checked is not None:
                return replace(checked, delimiter=header.delimiter)
    path = spooled.path.with_name("rows.csv")
    normal = write_normal_form(spooled, header or file_format, schema, path, on_read, max_rows=max_rows)
    spooled.path.unlink()
    checked = _Check(engine, records_in_normal_form(path, schema), schema).run()
    if checked is None or checked.rows_read != normal.rows:
        raise EngineError("the engine read another number of rows than were written")
    return replace(checked, delimiter=header.delimiter if header else None)


def _check_as_it_is(engine: Engine, spooled: Spooled, header: Header, schema: Schema, on_read: OnRead) -> CheckedFile | None:
    """The result for a CSV file as DuckDB reads it; None if it is irregular."""

    def with_lines(failed: list[_Failed]) -> list[_Failed]:
        lines = lines_of_rows(spooled, header, {row.row for row in failed}, on_read)
        return [replace(row, line=lines[row.row]) for row in failed]

    with spooled.path.open("r+b") as file:  # a record that no schema takes for a valid row
        file.seek(spooled.size)
        file.write((header.delimiter * (len(header.columns) + PADDING - 1) + spooled.sentinel + "\n").encode())
    try:
        return _Check(engine, records_as_they_are(spooled, header, schema), schema, with_lines).run()
    except EngineError:
        return None


def _read_header(spooled: Spooled, schema: Schema, delimiter: str | None, on_read: OnRead) -> tuple[Header, bool]:
    """The header, and whether DuckDB can skip it: whether each of its records is one line."""
    with_odd_quotes: list[int] = []

    def lines(text: SpooledText) -> Iterator[str]:
        for number, line in enumerate(read_lines(text), 1):
            if line.count('"') % 2:
                with_odd_quotes.append(number)
            yield line

    with SpooledText(spooled, on_read) as text:
        header = read_header(lines(text), schema, delimiter)
    return header, not with_odd_quotes or with_odd_quotes[0] >= header.first_data_line


@dataclass(frozen=True, slots=True)
class _Totals:
    """How many records there are, without sentinels: valid rows, with cells of usual forms only and others, and blank ones.

    ``repeated`` is how many keys may be in more than one valid row.
    """

    records: int
    usual: int
    unusual: int
    sentinels: int
    blank: int
    repeated: int

    @property
    def failed(self) -> int:
        """How many rows have an error."""
        return self.records - self.usual - self.unusual - self.blank


@dataclass(frozen=True, slots=True)
class _Failed:
    """A row with errors: its number and line, and the errors as of :data:`_LETTERS`."""

    row: int
    line: int | None
    problems: str


class _Check:
    """The check of one file, as one kind of rows."""

    def __init__(
        self,
        engine: Engine,
        rows: Records,
        schema: Schema,
        with_lines: "Callable[[list[_Failed]], list[_Failed]]" = lambda failed: failed,
    ) -> None:
        self._engine = engine
        self._rows = rows
        self._schema = schema
        self._with_lines = with_lines
        required = [rules_sql.is_required(schema, column) for column in schema.columns]
        self._columns = list(zip(schema.columns, rows.cells, required, strict=True))

    def run(self) -> CheckedFile | None:
        """The result; None if the sentinel did not come back."""
        self._engine.run(
            f"CREATE OR REPLACE TEMP TABLE checked AS "
            f"SELECT hash({', '.join(self._key())}) AS h, {self._state()} AS e FROM {self._rows.table}"
        )
        totals = self._totals()
        if totals.sentinels != (self._rows.is_sentinel is not None):
            return None
        valid = totals.usual + totals.unusual
        relation = self._relation(totals)
        checked = CheckedFile(
            relation=relation,
            rows_read=valid + totals.failed,
            rows_failed=totals.failed,
            duplicates=self._duplicates(relation) if totals.repeated else 0,
            report=self._report(totals) if totals.failed else ErrorReport((), ()),
        )
        self._engine.run("DROP TABLE checked")
        return checked

    def _state(self) -> str:
        """What a record is.

        NULL is a valid row in the usual form, as nearly all are. A letter is another valid row, the sentinel or a blank row.
        Anything else is the line, if it is known, and the row's errors, each after a line end.
        """
        problems = [
            rules_sql.problem(column, index, cell, required=required)
            for index, (column, cell, required) in enumerate(self._columns)
        ]
        p = self._rows.problem
        if self._rows.wrong_types is not None:
            problems = [
                f"CASE WHEN {_has_line(self._rows.wrong_types, f'T:{index}:')} THEN NULL ELSE {text} END"
                for index, text in enumerate(problems)
            ]
        every = f"CASE WHEN starts_with({p}, 'W') THEN 'W:' ELSE concat_ws(chr(10), {p}, {', '.join(problems)}) END"
        cases = [(self._rows.is_sentinel, _SENTINEL), (self._rows.is_blank, _BLANK), (self._is_valid(), _UNUSUAL)]
        whens = " ".join(f"WHEN {condition} THEN '{state}'" for condition, state in cases if condition is not None)
        return (
            f"CASE WHEN {' AND '.join([self._rows.is_sound, *rules_sql.are_usual(self._columns)])} THEN NULL {whens} "
            f"ELSE concat({self._rows.line}, chr(10), {every}) END"
        )

    def _totals(self) -> _Totals:
        states = ", ".join(f"count(*) FILTER (e = '{state}')" for state in (_UNUSUAL, _SENTINEL, _BLANK))
        (found,) = self._engine.rows(f"SELECT count(*), count(*) FILTER (e IS NULL), {states} FROM checked")
        records, usual, unusual, sentinels, blank = found
        ((repeated,),) = self._engine.rows(
            "SELECT count(*) FROM "
            f"(SELECT h FROM checked WHERE coalesce(e = '{_UNUSUAL}', true) GROUP BY h HAVING count(*) > 1)"
        )
        return _Totals(records - sentinels, usual, unusual, sentinels, blank, repeated)

    def _report(self, totals: _Totals) -> ErrorReport:
        """How often each error occurs, the most frequent first, and the first errors."""
        counts = {
            code: f"(length(e) - length(replace(e, chr(10) || '{letter}:', ''))) // 3" for letter, code in _LETTERS.items()
        }
        selected = ", ".join(f"sum({count}), min(n, {FIRST_ROWS}) FILTER ({count} > 0)" for count in counts.values())
        (found,) = self._engine.rows(f"SELECT {selected} FROM ({_FAILED})")
        summaries = [
            ErrorSummary(code=code.value, count=int(count), first_rows=tuple(rows))
            for code, count, rows in zip(counts, found[::2], found[1::2], strict=True)
            if count
        ]
        summaries.sort(key=lambda summary: (-summary.count, summary.code))
        return ErrorReport(tuple(summaries), tuple(self._errors(totals.records)))

    def _errors(self, records: int) -> Iterator[RowError]:
        """The first errors."""
        found = self._engine.rows(f"SELECT n, r, e FROM ({_FAILED}) LIMIT {MAX_REPORT_LINES}")
        failed = [self._failed(*row) for row in found]
        if self._rows.lines not in (None, records):  # blank lines, or line ends in cells
            failed = self._with_lines(failed)
        left = MAX_REPORT_LINES
        for row in failed:
            errors = list(_row_errors(row, self._schema))[:left]
            left -= len(errors)
            yield from errors

    def _failed(self, row: int, record: int, state: str) -> _Failed:
        line, _, problems = state.partition("\n")
        first = self._rows.first_line
        return _Failed(row, int(line) if line else None if first is None else first + record - 1, problems)

    def _duplicates(self, relation: str) -> int:
        key = ", ".join(self._key(is_relation=True))
        ((duplicates,),) = self._engine.rows(
            f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM ({relation}) GROUP BY {key} HAVING count(*) > 1)"
        )
        return int(duplicates)

    def _relation(self, totals: _Totals) -> str:
        cells = ", ".join(
            f"{rules_sql.canonical(column, cell, is_usual=totals.unusual == 0)} AS c{index}"
            for index, (column, cell, _) in enumerate(self._columns)
        )
        relation = f"SELECT n, {cells} FROM ({self._numbered(has_blank=totals.blank > 0)})"
        if totals.failed > FEW_FAILED:
            return f"{relation} WHERE {self._is_valid()}"
        failed = ", ".join(str(row) for (row,) in self._engine.rows(f"SELECT n FROM ({_FAILED})")) if totals.failed else ""
        return f"{relation} WHERE n NOT IN ({failed})" if failed else relation

    def _numbered(self, *, has_blank: bool) -> str:
        """SQL of the rows with ``n``, their number, and, if there may be blank records, ``r``, the number of the record."""
        table = self._rows.table + (f" WHERE NOT ({self._rows.is_sentinel})" if self._rows.is_sentinel else "")
        if not (has_blank and self._rows.is_blank):
            return f"SELECT row_number() OVER () AS n, * FROM {table}"
        records = f"SELECT row_number() OVER () AS r, * FROM {table}"
        return f"SELECT row_number() OVER () AS n, * FROM ({records}) WHERE NOT {self._rows.is_blank}"

    def _is_valid(self) -> str:
        rules = [rules_sql.is_valid(column, cell, required=required) for column, cell, required in self._columns]
        return "(" + " AND ".join([self._rows.is_sound, *rules]) + ")"

    def _key(self, *, is_relation: bool = False) -> list[str]:
        return [
            f"c{index}" if is_relation else rules_sql.canonical(column, cell)
            for index, (column, cell, _) in enumerate(self._columns)
            if column.name in self._schema.key_columns
        ]


def _has_line(text: str, start: str) -> str:
    return f"coalesce(contains(concat(chr(10), {text}), concat(chr(10), {literal(start)})), false)"


def _row_errors(failed: _Failed, schema: Schema) -> Iterator[RowError]:
    """The errors of a row: those that no column of the schema has first, then by column."""
    problems = [problem.partition(":") for problem in failed.problems.split("\n") if problem]
    for letter, _, about in sorted(problems, key=lambda parts: int(parts[2].partition(":")[0]) if parts[0] in "MTL" else -1):
        yield _row_error(failed, _LETTERS[letter], about, schema)


def _row_error(failed: _Failed, code: RowErrorCode, about: str, schema: Schema) -> RowError:
    def error(column: str, message: str) -> RowError:
        return RowError(row=failed.row, line=failed.line, column=column, code=code, message=message)

    match code:
        case RowErrorCode.UNKNOWN_COLUMN:
            return error(about, "the schema has no such column")
        case RowErrorCode.WRONG_CELL_COUNT:
            return error("", "the row has more cells than the header: is a delimiter in a cell without quotes?")
        case RowErrorCode.EXTRA_VALUE:
            return error("", f"cell {about} has a value, but the header has no name for it")
    index, _, character = about.partition(":")
    column = schema.columns[int(index)]
    match code:
        case RowErrorCode.MISSING_VALUE:
            return error(column.name, "a value is required")
        case RowErrorCode.WRONG_TYPE:
            example = "1,50" if column.decimal_comma else _EXAMPLES[column.type]
            wrong = f"the value is not of type {column.type}: write it like {example}"
            odd = f"the value contains {character}, a character that can't be stored: remove it"
            return error(column.name, odd if character else wrong)
        case RowErrorCode.TOO_LONG:
            return error(column.name, f"the value has more than {column.max_length} characters")
