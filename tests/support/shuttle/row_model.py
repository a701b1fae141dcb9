"""What a check of a CSV file finds, by a plain loop in Python: the model that the SQL is compared with."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from lib.shuttle.entities import Column, ColumnType, Schema
from lib.shuttle.imports.header import Header

BLANKS = " \t\n\u00a0"

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,38}(?:\.[0-9]{0,38})?|\.[0-9]{1,38})(?:[eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?", re.ASCII)
_BOOLEANS = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}

#: Row, line, column and code.
Error = tuple[int, int, str, str]


@dataclass(frozen=True)
class Expected:
    """The result of a check. ``valid`` has the number and the canonical cells of each valid row."""

    rows_read: int
    rows_failed: int
    duplicates: int
    errors: list[Error]
    valid: list[tuple[int | str | None, ...]]


def expected(text: str, header: Header, schema: Schema) -> Expected | None:
    """What a check of ``text``, which has only ``\\n`` as line ends, must find; None if it is not CSV."""
    lines = list(io.StringIO(text, newline="\n"))
    try:
        records = list(_records(lines[header.first_data_line - 1 :], header))
    except csv.Error:
        return None
    found: list[Error] = []
    valid: list[tuple[int | str | None, ...]] = []
    for number, (line, record) in enumerate(records, 1):
        errors, cells = _check(record, header, schema)
        found += [(number, line, column, code) for column, code in errors]
        if not errors:
            valid.append((number, *cells))
    at = [1 + index for index, column in enumerate(schema.columns) if column.name in schema.key_columns]
    keys = {tuple(row[index] for index in at) for row in valid}
    return Expected(len(records), len(records) - len(valid), len(valid) - len(keys), found, valid)


def _records(lines: list[str], header: Header) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=header.delimiter, strict=True)
    line = header.first_data_line
    for record in reader:
        if any(cell.strip(BLANKS) for cell in record):
            yield line, record
        line = header.first_data_line + reader.line_num


def _check(record: list[str], header: Header, schema: Schema) -> tuple[list[tuple[str, str]], list[str | None]]:
    width = len(header.columns)
    if any(cell.strip(BLANKS) for cell in record[width:]):
        return [("", "WRONG_CELL_COUNT")], []
    record = record + [""] * (width - len(record))
    errors = [("", "EXTRA_VALUE") for cell in _unnamed(record, header) if cell.strip(BLANKS)]
    by_name = {column.name: cell for column, cell in zip(header.columns, record, strict=False) if column is not None}
    cells: list[str | None] = []
    for column in schema.columns:
        cell = by_name.get(column.name, "")
        is_required = column.required or column.name in schema.key_columns
        if column.type is not ColumnType.STRING or (is_required and not cell.strip(BLANKS)):
            cell = cell.strip(BLANKS)
        code, value = _check_cell(column, cell, is_required=is_required)
        errors += [(column.name, code)] if code else []
        cells.append(value)
    return errors, cells


def _unnamed(record: list[str], header: Header) -> Iterable[str]:
    return (cell for column, cell in zip(header.columns, record, strict=False) if column is None)


def _check_cell(column: Column, cell: str, *, is_required: bool) -> tuple[str | None, str | None]:
    if not cell:
        return ("MISSING_VALUE" if is_required else None), None
    if column.max_length is not None and len(cell) > column.max_length:
        return "TOO_LONG", None
    value = _canonical(column, cell)
    return (None, value) if value is not None else ("WRONG_TYPE", None)


def _canonical(column: Column, cell: str) -> str | None:
    match column.type:
        case ColumnType.STRING:
            return cell
        case ColumnType.INTEGER:
            return str(int(cell)) if _INTEGER.fullmatch(cell) else None
        case ColumnType.DECIMAL:
            if column.decimal_comma:
                cell = cell.translate(str.maketrans(",.", ".,"))
            return _number(cell) if _DECIMAL.fullmatch(cell) else None
        case ColumnType.BOOLEAN:
            return _BOOLEANS.get(cell.lower())
        case ColumnType.DATE:
            return cell if _DATE.fullmatch(cell) and _is_day(cell) else None
        case ColumnType.DATETIME:
            day, time = cell[:10], cell[10:]
            return cell if _DATE.fullmatch(day) and _is_day(day) and _TIME.fullmatch(time) else None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> str:
    """A decimal number as JSON writes it: digits before a point and after it, no leading zeros."""
    sign = "-" if text.startswith("-") else ""
    mantissa, e, exponent = re.fullmatch(r"([0-9.]*)([eE]?)(.*)", text.lstrip("+-")).groups()  # type: ignore[union-attr]
    whole, _, fraction = mantissa.partition(".")
    return sign + (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "") + e + exponent
