"""The header of a CSV file: the delimiter, and which column of the schema each of its cells names. Pure."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lib.shuttle.entities import DELIMITERS, Column, Schema, normalized
from lib.shuttle.imports.csv_rows import read_records
from lib.shuttle.imports.files import Failure, UnreadableFileError

#: How many columns a file may have. Unnamed ones at the end do not count: some spreadsheets save all they have.
MAX_CELLS = 1000

_NO_NAMES = re.compile(r"""[\s,;|"]*""")
_SEPARATOR = re.compile(r""""?sep=(.)["\s,;|]*""", re.IGNORECASE)
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Header:
    """What the first lines of a CSV file say.

    ``first_data_line`` is the number, from 1, of the line after the header. ``columns`` has an element for each cell of the
    header, left to right: the column that it names, or None if it is blank, which is padding.
    """

    delimiter: str
    first_data_line: int
    columns: tuple[Column | None, ...]


def read_header(lines: Iterable[str], schema: Schema, delimiter: str | None = None) -> Header:
    """The header of a file with these ``lines``, each with its end; no more of them are taken than needed.

    Blank lines before the header are skipped, and a line like ``sep=;``. ``delimiter`` is what the order or else the shop says;
    without it, the ``sep=`` line counts; without that, the delimiter that makes the most columns of the schema.

    Raises:
        UnreadableFileError: EMPTY_FILE, MALFORMED, ROW_TOO_LONG, DUPLICATE_COLUMN, or WRONG_SCHEMA: a column is unknown, or a
            required one or one of the key is missing.
    """
    names, lines = columns_by_name(schema), iter(lines)
    numbered = ((number, line) for number, line in enumerate(lines, 1) if not _NO_NAMES.fullmatch(line))
    number, line = next(numbered, (0, ""))
    if separator := _SEPARATOR.fullmatch(line):
        delimiter = delimiter or (separator[1] if separator[1] in DELIMITERS else None)
        number, line = next(numbered, (0, ""))
    if not line:
        raise UnreadableFileError(Failure.EMPTY_FILE, "The file has no header. Put the names of the columns on its first line.")
    head = _Replayed(line, lines)
    attempts = [_Attempt(head.lines(), each, names) for each in ([delimiter] if delimiter else DELIMITERS)]
    best = max(attempts, key=lambda attempt: attempt.known)  # the first of those with the most
    if best.error is not None:
        raise best.error
    if best.known == 0 and line.lstrip().startswith(("{", "[")):
        detail = 'The file begins like JSON. Order the import with "file_format": "JSON" or "JSONL".'
        raise UnreadableFileError(Failure.WRONG_SCHEMA, detail)
    if best.known == 0:
        reason = "The first line names no column of the schema."
        raise UnreadableFileError(Failure.WRONG_SCHEMA, f"{reason} Check the names, and the delimiter if one is set.")
    return Header(best.delimiter, number + best.lines, _columns(best.names, names, schema))


def columns_by_name(schema: Schema) -> dict[str, Column]:
    """The columns of a schema by each of their names and aliases, normalized."""
    return {normalized(name): column for column in schema.columns for name in (column.name, *column.aliases)}


class _Replayed:
    """Lines that can be read several times from the start."""

    def __init__(self, first: str, rest: Iterable[str]) -> None:
        self._taken = [first]
        self._rest = iter(rest)

    def lines(self) -> Iterator[str]:
        for index in itertools.count():
            if index == len(self._taken):
                line = next(self._rest, None)
                if line is None:
                    return
                self._taken.append(line)
            yield self._taken[index]


class _Attempt:
    """The header as one delimiter makes it: its names, how many are known, and how many lines it has."""

    def __init__(self, lines: Iterator[str], delimiter: str, known: dict[str, Column]) -> None:
        self.delimiter = delimiter
        self.names: list[str] = []
        self.known = self.lines = 0
        self.error: UnreadableFileError | None = None
        try:
            _, record = next(read_records(self._counted(lines), delimiter), (0, []))
        except UnreadableFileError as error:
            self.error = error
        else:
            self.names = [cell.strip().strip("\ufeff").strip() for cell in record]
            self.known = len({known[name].name for name in map(normalized, self.names) if name in known})

    def _counted(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self.lines += 1
            yield line


def _columns(given: list[str], names: dict[str, Column], schema: Schema) -> tuple[Column | None, ...]:
    if len(given) > MAX_CELLS:
        while not given[-1]:
            given = given[:-1]
    if len(given) > MAX_CELLS:
        problem = f"The header has {len(given)} columns, and at most {MAX_CELLS} are read. Remove those without a name."
        raise UnreadableFileError(Failure.WRONG_SCHEMA, problem)
    found = [names.get(normalized(name)) for name in given]
    _refuse_duplicates(given, found)
    present = {column.name for column in found if column is not None}
    unknown = [name for name, column in zip(given, found, strict=True) if name and column is None]
    needed = (column.name for column in schema.columns if column.required or column.name in schema.key_columns)
    missing = [name for name in needed if name not in present]
    if unknown or missing:
        parts = (
            f"It has no {_listed(missing)}: add {_it(missing)}." if missing else "",
            f"It has {_listed(unknown)}, which the schema has not: rename or remove {_it(unknown)}." if unknown else "",
        )
        raise UnreadableFileError(Failure.WRONG_SCHEMA, f"The header is not the schema's. {' '.join(filter(None, parts))}")
    return tuple(found)


def _refuse_duplicates(given: list[str], found: list[Column | None]) -> None:
    seen: dict[str, int] = {}
    for number, (name, column) in enumerate(zip(given, found, strict=True), 1):
        meant = column.name if column else normalized(name)
        if meant and (first := seen.setdefault(meant, number)) != number:
            problem = f"Columns {first} and {number} of the header are both {meant[:40]!r}. Remove or rename one."
            raise UnreadableFileError(Failure.DUPLICATE_COLUMN, problem)


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"
