"""Checks rows against the shop's schema. Pure: a row in, its errors out.

Messages name the column and the rule and never quote a cell: a cell may be an e-mail address.
"""

import enum
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from lib.shuttle.entities import Column, ColumnType, Schema
from lib.shuttle.imports.files import Failure, UnreadableFileError
from lib.shuttle.imports.parsing import Row

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLEANS = frozenset({"true", "false", "yes", "no", "1", "0"})
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,38}(?:\.[0-9]{0,38})?|\.[0-9]{1,38})(?:[eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAMES_SHOWN = 5
_UNKNOWN_REPORTED = 20


class RowErrorCode(enum.StrEnum):
    """The kinds of errors in a row."""

    MISSING_VALUE = "MISSING_VALUE"
    WRONG_TYPE = "WRONG_TYPE"
    TOO_LONG = "TOO_LONG"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"


@dataclass(frozen=True, slots=True)
class RowError:
    """One error in a row."""

    column: str
    code: RowErrorCode
    message: str


class RowValidator:
    """Checks rows against one schema."""

    def __init__(self, schema: Schema) -> None:
        self._columns = {column.name: column for column in schema.columns}

    def check_header(self, names: Iterable[str]) -> None:
        """Refuse a CSV file whose rows can't be valid.

        Raises:
            UnreadableFileError: WRONG_SCHEMA: a column is unknown, or a required one is missing.
        """
        given = set(names)
        unknown = sorted(given - self._columns.keys())
        missing = sorted(name for name, column in self._columns.items() if column.required and name not in given)
        if unknown or missing:
            parts = [f"{what}: {_listed(which)}" for what, which in (("unknown", unknown), ("missing", missing)) if which]
            raise UnreadableFileError(Failure.WRONG_SCHEMA, f"The columns are not the schema's; {'; '.join(parts)}.")

    def check(self, row: Row) -> list[RowError]:
        """The errors of ``row``; empty if it is valid."""
        unknown = (name for name in row if name not in self._columns)
        found = [
            RowError(name[:100], RowErrorCode.UNKNOWN_COLUMN, "the schema has no such column")
            for name in itertools.islice(unknown, _UNKNOWN_REPORTED)
        ]
        for name, column in self._columns.items():
            error = _check_cell(column, row.get(name))
            if error is not None:
                found.append(error)
        return found


def _check_cell(column: Column, cell: Any) -> RowError | None:
    if cell is None or cell == "":
        if column.required:
            return RowError(column.name, RowErrorCode.MISSING_VALUE, "a value is required")
        return None
    if not _READS[column.type](cell):
        return RowError(column.name, RowErrorCode.WRONG_TYPE, f"the value is not of type {column.type}")
    if column.max_length is not None and len(cell) > column.max_length:
        return RowError(column.name, RowErrorCode.TOO_LONG, f"the value has more than {column.max_length} characters")
    return None


def _is_integer(cell: Any) -> bool:
    if isinstance(cell, str):
        return _INTEGER.fullmatch(cell.strip()) is not None
    return isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < 10**18


def _is_decimal(cell: Any) -> bool:
    if isinstance(cell, str):
        return _DECIMAL.fullmatch(cell.strip()) is not None
    return isinstance(cell, int | Decimal) and not isinstance(cell, bool)


def _is_boolean(cell: Any) -> bool:
    return isinstance(cell, bool) or (isinstance(cell, str) and cell.strip().lower() in _BOOLEANS)


def _is_date(cell: Any) -> bool:
    return isinstance(cell, str) and _DATE.fullmatch(cell.strip()) is not None and _parses(date.fromisoformat, cell)


def _is_datetime(cell: Any) -> bool:
    return isinstance(cell, str) and _parses(datetime.fromisoformat, cell)


def _parses(parse: Callable[[str], Any], cell: str) -> bool:
    try:
        parse(cell.strip())
    except ValueError:
        return False
    return True


_READS: Mapping[ColumnType, Callable[[Any], bool]] = {
    ColumnType.STRING: lambda cell: isinstance(cell, str),
    ColumnType.INTEGER: _is_integer,
    ColumnType.DECIMAL: _is_decimal,
    ColumnType.BOOLEAN: _is_boolean,
    ColumnType.DATE: _is_date,
    ColumnType.DATETIME: _is_datetime,
}


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"
