"""The normal form of a file that DuckDB can't read by itself: JSON, JSON Lines, and CSV that is irregular.

It is a CSV file that is regular by construction (comma, quotes doubled, ``\\n``, UTF-8, no header), so that the same SQL checks
every file. Its columns are those of :func:`column_names`: c0 to cN in the order of the schema, then ``line`` and ``problems``.
Row n of the file is record n: blank lines are left out, and a JSON object without members is a record.
"""

import csv
import itertools
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.shuttle.entities import Column, ColumnType, Schema, normalized
from lib.shuttle.imports.csv_rows import is_blank, read_lines, read_records
from lib.shuttle.imports.files import BLANKS, Failure, OnRead, UnreadableFileError, refusing_full_disk
from lib.shuttle.imports.header import Header, columns_by_name
from lib.shuttle.imports.json_rows import Number, read_json, read_json_lines
from lib.shuttle.imports.spool import DISK_FULL, Spooled, SpooledText
from lib.shuttle.jobs.job import FileFormat

#: How often, in rows, ``on_read`` is called; it is called at every read of the file as well.
CHECK_EVERY_ROWS = 500

_UNKNOWN_REPORTED = 20
_NAME_REPORTED = 100
#: What DuckDB or UTF-8 can't have in a text.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NUMERIC = (ColumnType.INTEGER, ColumnType.DECIMAL)


@dataclass(frozen=True, slots=True)
class NormalForm:
    """A file in normal form, and how many rows it has.

    ``line`` is the number of the line in the upload's text where the row begins. ``problems`` is empty or has one problem per
    line, for what the cells can't show:

    * ``W``: the row has more cells than the header, and not all of the others are blank (WRONG_CELL_COUNT). Its cells may
      belong to other columns. A row with fewer cells is right: the others are empty.
    * ``E:5``: cell 5, from 1, has a value, and the header does not name it (EXTRA_VALUE).
    * ``T:3:``: the JSON value of column c3 can't be of the column's type (WRONG_TYPE); its cell is empty. ``T:3:U+0000``: it is
      a text with this character, which can't be stored.
    * ``U:name``: the JSON object has a member that is not a column (UNKNOWN_COLUMN); at most 20 per row, 100 characters each.

    A JSON number of a column with a decimal comma is written with a comma, true and false as these words, null as no value.
    """

    path: Path
    rows: int


def column_names(schema: Schema) -> tuple[str, ...]:
    """The columns of the normal form, in order; all are text."""
    return (*(f"c{index}" for index in range(len(schema.columns))), "line", "problems")


def write_normal_form(
    spooled: Spooled, source: Header | FileFormat, schema: Schema, path: Path, on_read: OnRead, *, max_rows: int
) -> NormalForm:
    """Write the rows of ``spooled`` to ``path``. ``source`` is the header of a CSV file, or JSON or JSONL.

    ``on_read`` is called at every read and every 500 rows.

    Raises:
        UnreadableFileError: MALFORMED, ROW_TOO_LONG, TOO_MANY_ROWS, or EMPTY_FILE for an empty JSON text.
    """
    number = 0
    with (
        refusing_full_disk(*DISK_FULL),
        SpooledText(spooled, on_read) as text,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        for number, row in enumerate(_rows(text, source, schema), 1):
            if number > max_rows:
                detail = f"The plan allows {max_rows} rows per file. Split the file."
                raise UnreadableFileError(Failure.TOO_MANY_ROWS, detail)
            if number % CHECK_EVERY_ROWS == 0:
                on_read(spooled.bytes_read)
            writer.writerow(row)
    return NormalForm(path, number)


def lines_of_rows(spooled: Spooled, header: Header, rows: set[int], on_read: OnRead) -> dict[int, int]:
    """The line at which each of the ``rows`` of a CSV file begins; the file is read up to the last of them."""
    found: dict[int, int] = {}
    with SpooledText(spooled, on_read) as text:
        for number, (line, _) in enumerate(_csv_records(text, header), 1):
            if len(found) == len(rows):
                break
            if number % CHECK_EVERY_ROWS == 0:
                on_read(spooled.bytes_read)
            if number in rows:
                found[number] = line
    return found


def _rows(text: SpooledText, source: Header | FileFormat, schema: Schema) -> Iterator[list[Any]]:
    if isinstance(source, Header):
        return _CsvCells(source, schema).rows(_csv_records(text, source))
    names = {name: schema.columns.index(column) for name, column in columns_by_name(schema).items()}
    cells = _JsonCells(schema, lambda name: names.get(normalized(name)))
    rows = read_json_lines(text) if source is FileFormat.JSONL else read_json(text, lambda name: normalized(name) in names)
    return (cells.row(line, members) for line, members in rows)


def _csv_records(text: SpooledText, header: Header) -> Iterator[tuple[int, list[str]]]:
    """The records after the header that are not blank."""
    lines = itertools.islice(read_lines(text), header.first_data_line - 1, None)
    records = read_records(lines, header.delimiter, header.first_data_line)
    return ((line, record) for line, record in records if not is_blank(record))


class _CsvCells:
    """Puts the cells of CSV records in the order of the schema."""

    def __init__(self, header: Header, schema: Schema) -> None:
        self._width = len(header.columns)
        self._unnamed = [index for index, column in enumerate(header.columns) if column is None]
        cell_of = {column.name: index for index, column in enumerate(header.columns) if column is not None}
        order = [cell_of.get(column.name, self._width) for column in schema.columns]  # a missing column: the cell added below
        self._ordered: Callable[[list[str]], tuple[str, ...]] = operator.itemgetter(slice(0, 0), *order)
        self._filler = [""] * (self._width + 1)

    def rows(self, records: Iterator[tuple[int, list[str]]]) -> Iterator[list[Any]]:
        for line, record in records:
            extra = record[self._width :]
            cells = [*record[: self._width], *self._filler[min(len(record), self._width) :]]
            problems = ["W"] if extra and not is_blank(extra) else []
            problems += [f"E:{index + 1}" for index in self._unnamed if cells[index].strip(BLANKS)]
            yield [*self._ordered(cells)[1:], line, "\n".join(problems)]


class _JsonCells:
    """Makes texts, in the order of the schema, of the members of JSON objects."""

    def __init__(self, schema: Schema, position_of: Callable[[str], int | None]) -> None:
        self._columns = schema.columns
        self._exact = {column.name: index for index, column in enumerate(schema.columns)}
        self._position_of = position_of

    def row(self, line: int, members: dict[str, Any]) -> list[Any]:
        cells = [""] * len(self._columns)
        wrong: dict[int, str] = {}
        unknown: list[str] = []
        for name, value in members.items():
            index = self._exact.get(name)
            if index is None:
                index = self._position_of(name)
            if index is None:
                unknown.append(name)
                continue
            text = _cell(self._columns[index], value)
            cells[index] = text or ""
            wrong.pop(index, None)
            if text is None:
                wrong[index] = _unstorable(value)
        problems = [f"T:{index}:{character}" for index, character in sorted(wrong.items())]
        problems += [f"U:{_one_line(name[:_NAME_REPORTED])}" for name in unknown[:_UNKNOWN_REPORTED]]
        return [*cells, line, "\n".join(problems)]


def _cell(column: Column, value: Any) -> str | None:
    """A JSON value as the text of a cell; None if it can't be of the column's type."""
    kind = type(value)
    if kind is str:
        return value if value.isprintable() else _text(value)
    if kind is Number and column.type in _NUMERIC:
        return value.replace(".", ",") if column.decimal_comma else str(value)
    if kind is bool and column.type is ColumnType.BOOLEAN:
        return "true" if value else "false"
    return "" if value is None else None


def _text(value: str) -> str | None:
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    return value if _UNSTORABLE.search(value) is None else None


def _unstorable(value: Any) -> str:
    """The character because of which a text can't be stored, as ``U+0000``; empty if the value is no text or has none."""
    found = _UNSTORABLE.search(value) if isinstance(value, str) else None
    return f"U+{ord(found[0]):04X}" if found else ""


def _one_line(name: str) -> str:
    return _UNSTORABLE.sub("?", name).replace("\r", "?").replace("\n", " ")
