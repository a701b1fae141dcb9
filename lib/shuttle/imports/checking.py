r"""Checks a file on disk against a schema, in SQL, and says what is wrong with which row.

::

    CSV ─► header ─► as DuckDB reads it ─► one scan: how many rows, valid ones and keys ─► only if not all are valid: the errors
                            │ irregular                    ▲
    JSON, JSON Lines ───────┴──────► normal form ──────────┘

DuckDB reads nearly every CSV file as Python's reader does, and faster by far. It does not report a quote without an end, so
the file has a sentinel as its last record: if that does not come back, or DuckDB refuses a record, or blanks are beside quotes,
the file is irregular, and Python's reader writes it in normal form first.

A row is a record that is not blank; rows are numbered from 1. The most common result, a file of valid rows, takes one scan.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lib.shuttle.engine import Engine, EngineError, literal
from lib.shuttle.entities import Schema
from lib.shuttle.imports import rules_sql
from lib.shuttle.imports.csv_rows import read_lines
from lib.shuttle.imports.files import MAX_ROW, OnRead
from lib.shuttle.imports.header import Header, read_header
from lib.shuttle.imports.normal_form import column_names, lines_of_rows, write_normal_form
from lib.shuttle.imports.reports import FIRST_ROWS, MAX_REPORT_LINES, ErrorReport, RowError, RowErrorCode
from lib.shuttle.imports.spool import Spooled, SpooledText
from lib.shuttle.jobs.job import ErrorSummary, FileFormat

#: How many cells more than the header a row may have, for DuckDB to read it: cells that are blank are no error.
PADDING = 16
#: The longest line, in bytes, of a file that is read as it is, and of the normal form: a row may have :data:`MAX_ROW`
#: characters of 4 bytes, or quotes, which are doubled.
_MAX_LINE = 1024 * 1024
_MAX_NORMAL_LINE = 5 * MAX_ROW

# The letter of each kind of error in the texts that SQL makes of a row's errors, one error per line: ``M:3``, ``U:colour``.
_LETTERS = {
    "U": RowErrorCode.UNKNOWN_COLUMN,
    "W": RowErrorCode.WRONG_CELL_COUNT,
    "E": RowErrorCode.EXTRA_VALUE,
    "M": RowErrorCode.MISSING_VALUE,
    "T": RowErrorCode.WRONG_TYPE,
    "L": RowErrorCode.TOO_LONG,
}


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
    checked = _Check(engine, _normal_rows(path, schema), schema).run()
    if checked is None or checked.rows_read != normal.rows:
        raise EngineError("the engine read another number of rows than were written")
    return replace(checked, delimiter=header.delimiter if header else None)


def _check_as_it_is(engine: Engine, spooled: Spooled, header: Header, schema: Schema, on_read: OnRead) -> CheckedFile | None:
    """The result for a CSV file as DuckDB reads it; None if it is irregular."""

    def with_lines(failed: list[_Failed]) -> list[_Failed]:
        lines = lines_of_rows(spooled, header, {row.row for row in failed}, on_read)
        return [replace(row, line=lines[row.row]) for row in failed]

    try:
        return _Check(engine, _rows_as_they_are(spooled, header, schema), schema, with_lines).run()
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
class _Rows:
    """The records of a file in SQL.

    Attributes:
        table: what to select from.
        cells: the cell of each column of the schema.
        problem: what is wrong with the row apart from its cells, NULL if nothing; a text as of :data:`_LETTERS`.
        is_sound: whether ``problem`` is NULL, computed faster.
        is_sentinel: whether the record is the sentinel; None if the file has none.
        is_blank: whether the record is blank; None if the file has none that are.
        line: the number of the record's line, for record number ``r``.
        lines: how many lines the records have, if that is known; if there are as many records, ``line`` is right.
    """

    table: str
    cells: tuple[str, ...]
    problem: str
    is_sound: str
    line: str
    is_sentinel: str | None = None
    is_blank: str | None = None
    lines: int | None = None


def _rows_as_they_are(spooled: Spooled, header: Header, schema: Schema) -> _Rows:
    width = len(header.columns)
    names = [f"f{index}" for index in range(width + PADDING)]
    cells = {column.name: name for column, name in zip(header.columns, names, strict=False) if column is not None}
    unnamed = [index for index, column in enumerate(header.columns) if column is None]
    padding = names[width:]
    others = ", ".join([*(names[index] for index in unnamed), *padding])
    extra = [f"CASE WHEN NOT {rules_sql.is_blank(names[index])} THEN 'E:{index + 1}' END" for index in unnamed]
    return _Rows(
        table=_read_csv(spooled.path, names, header.delimiter, skip=header.first_data_line - 1, max_line=_MAX_LINE),
        cells=tuple(cells.get(column.name, "NULL") for column in schema.columns),
        problem=f"CASE WHEN NOT {_all_blank(padding)} THEN 'W:' ELSE {_joined(extra)} END",
        is_sound=f"CASE WHEN coalesce({others}) IS NULL THEN true ELSE {_all_blank(others.split(', '))} END",
        line=f"r + {header.first_data_line - 1}",
        is_sentinel=f"coalesce(f0 = {literal(spooled.sentinel)}, false)",
        is_blank=_all_blank(names),
        lines=spooled.lines - header.first_data_line + 1,
    )


def _normal_rows(path: Path, schema: Schema) -> _Rows:
    names = column_names(schema)
    cells = names[: len(schema.columns)]
    return _Rows(
        table=_read_csv(path, names, ",", skip=0, max_line=_MAX_NORMAL_LINE),
        cells=cells,
        problem="CASE WHEN starts_with(problems, 'W') THEN 'W:' ELSE problems END",
        is_sound="problems IS NULL",
        line="line",
    )


def _read_csv(path: Path, names: "list[str] | tuple[str, ...]", delimiter: str, *, skip: int, max_line: int) -> str:
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    return (
        f"read_csv({literal(str(path))}, columns = {{{columns}}}, auto_detect = false, header = false, skip = {skip}, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', new_line = '\\n', nullstr = '', compression = 'none', "
        f"null_padding = true, strict_mode = true, parallel = false, max_line_size = {max_line}, buffer_size = {2 * max_line})"
    )


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
        rows: _Rows,
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
        records, valid, sentinels, repeated = self._totals()
        if sentinels != (self._rows.is_sentinel is not None):
            return None
        records -= sentinels
        failed, summaries = (0, ()) if valid == records else self._summaries()
        relation = self._relation(has_failed=failed > 0, has_blank=valid + failed < records)
        return CheckedFile(
            relation=relation,
            rows_read=valid + failed,
            rows_failed=failed,
            duplicates=self._duplicates(relation) if repeated else 0,
            report=ErrorReport(summaries, tuple(self._errors(records)) if failed else ()),
        )

    def _totals(self) -> tuple[int, int, int, int]:
        """How many records, valid rows and sentinels there are, and how many keys may occur in more than one valid row."""
        sentinel = self._rows.is_sentinel or "false"
        (found,) = self._engine.rows(
            f"SELECT coalesce(sum(n), 0), coalesce(sum(v), 0), coalesce(sum(s), 0), count(*) FILTER (v > 1) FROM ("
            f"SELECT hash({', '.join(self._key())}) AS h, count(*) AS n, count(*) FILTER ({self._is_valid()}) AS v, "
            f"count(*) FILTER ({sentinel}) AS s FROM {self._rows.table} GROUP BY h)"
        )
        records, valid, sentinels, repeated = map(int, found)
        return records, valid, sentinels, repeated

    def _summaries(self) -> tuple[int, tuple[ErrorSummary, ...]]:
        """How many rows have an error, and how often each error occurs, the most frequent first."""
        counts = {
            code: f"(length(e) - length(replace(e, chr(10) || '{letter}:', ''))) // 3" for letter, code in _LETTERS.items()
        }
        selected = ", ".join(f"sum({count}), min(n, {FIRST_ROWS}) FILTER ({count} > 0)" for count in counts.values())
        ((failed, *found),) = self._engine.rows(f"SELECT count(*), {selected} FROM ({self._failed()})")
        summaries = [
            ErrorSummary(code=code.value, count=int(count), first_rows=tuple(rows))
            for code, count, rows in zip(counts, found[::2], found[1::2], strict=True)
            if count
        ]
        return failed, tuple(sorted(summaries, key=lambda summary: (-summary.count, summary.code)))

    def _errors(self, records: int) -> Iterator[RowError]:
        """The first errors."""
        sql = f"SELECT n, line, e FROM ({self._failed()}) LIMIT {MAX_REPORT_LINES}"
        failed = [_Failed(row, None if line is None else int(line), text) for row, line, text in self._engine.rows(sql)]
        if self._rows.lines not in (None, records):  # blank lines, or line ends in cells
            failed = self._with_lines(failed)
        left = MAX_REPORT_LINES
        for row in failed:
            errors = list(_row_errors(row, self._schema))[:left]
            left -= len(errors)
            yield from errors

    def _duplicates(self, relation: str) -> int:
        key = ", ".join(self._key(is_relation=True))
        ((duplicates,),) = self._engine.rows(
            f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM ({relation}) GROUP BY {key} HAVING count(*) > 1)"
        )
        return int(duplicates)

    def _relation(self, *, has_failed: bool, has_blank: bool) -> str:
        cells = ", ".join(
            f"{rules_sql.canonical(column, cell)} AS c{index}" for index, (column, cell, _) in enumerate(self._columns)
        )
        numbered = self._numbered(has_blank=has_blank)
        return f"SELECT n, {cells} FROM ({numbered})" + (f" WHERE {self._is_valid()}" if has_failed else "")

    def _failed(self) -> str:
        """SQL of the rows with an error: ``n``, ``line`` and ``e``, the errors, each after a line end."""
        problems = [
            rules_sql.problem(column, index, cell, required=required)
            for index, (column, cell, required) in enumerate(self._columns)
        ]
        of_cells = [f"CASE WHEN {_names(f'T:{index}')} THEN NULL ELSE {text} END" for index, text in enumerate(problems)]
        every = f"CASE WHEN starts_with(p, 'W') THEN p ELSE concat_ws(chr(10), p, {', '.join(of_cells)}) END"
        failed = f"SELECT *, {self._rows.problem} AS p FROM ({self._numbered(has_blank=True)}) WHERE NOT {self._is_valid()}"
        return f"SELECT n, {self._rows.line} AS line, chr(10) || {every} AS e FROM ({failed})"

    def _numbered(self, *, has_blank: bool) -> str:
        """SQL of the rows with ``n``, their number, and, if there may be blank records, ``r``, the number of the record."""
        table = self._rows.table + (f" WHERE NOT {self._rows.is_sentinel}" if self._rows.is_sentinel else "")
        if not (has_blank and self._rows.is_blank):
            return f"SELECT row_number() OVER () AS n, * FROM {table}"
        records = f"SELECT row_number() OVER () AS r, * FROM {table}"
        return f"SELECT row_number() OVER () AS n, * FROM ({records}) WHERE NOT {self._rows.is_blank}"

    def _is_valid(self) -> str:
        rules = [rules_sql.is_valid(column, cell, required=required) for column, cell, required in self._columns]
        others = [self._rows.is_sound, *([f"NOT {self._rows.is_sentinel}"] if self._rows.is_sentinel else [])]
        return "(" + " AND ".join([*others, *(rule for rule in rules if rule != "true")]) + ")"

    def _key(self, *, is_relation: bool = False) -> list[str]:
        return [
            f"c{index}" if is_relation else rules_sql.canonical(column, cell)
            for index, (column, cell, _) in enumerate(self._columns)
            if column.name in self._schema.key_columns
        ]


def _all_blank(cells: list[str]) -> str:
    return "(" + " AND ".join(map(rules_sql.is_blank, cells)) + ")"


def _joined(texts: list[str]) -> str:
    return f"nullif(concat_ws(chr(10), {', '.join(texts)}), '')" if texts else "NULL"


def _names(problem: str) -> str:
    """Whether ``p`` has a line that is ``problem``."""
    return f"(p IS NOT NULL AND list_contains(string_split(p, chr(10)), {literal(problem)}))"


def _row_errors(failed: _Failed, schema: Schema) -> Iterator[RowError]:
    """The errors of a row: those that no column of the schema has first, then by column."""
    problems = [problem.partition(":") for problem in failed.problems.split("\n") if problem]
    for letter, _, about in sorted(problems, key=lambda parts: int(parts[2]) if parts[0] in "MTL" else -1):
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
    column = schema.columns[int(about)]
    match code:
        case RowErrorCode.MISSING_VALUE:
            return error(column.name, "a value is required")
        case RowErrorCode.WRONG_TYPE:
            return error(column.name, f"the value is not of type {column.type}")
        case RowErrorCode.TOO_LONG:
            return error(column.name, f"the value has more than {column.max_length} characters")
