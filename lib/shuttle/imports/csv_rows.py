"""The records of a CSV text, one at a time, with the line each begins at; memory does not grow with the file.

A text that breaks the rules of quotes raises :class:`~.files.UnreadableFileError`: after such an error, the start of the next
record can't be found.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import NoReturn

from lib.shuttle.imports.files import BLANKS, MAX_ROW, Failure, UnreadableFileError
from lib.shuttle.imports.spool import SpooledText

# By default the csv module refuses a cell of more than 131,072 characters. The setting is global; nothing else in the process
# reads CSV. A cell is bounded by its row, as in JSON.
csv.field_size_limit(MAX_ROW)


def read_lines(text: SpooledText) -> Iterator[str]:
    """The lines of a text, each with its end.

    Raises:
        UnreadableFileError: ROW_TOO_LONG.
    """
    number = 0
    while line := text.read_line(MAX_ROW + 1):
        number += 1
        if len(line) > MAX_ROW:
            raise_too_long(number)
        yield line


def read_records(lines: Iterable[str], delimiter: str, first_line: int = 1) -> Iterator[tuple[int, list[str]]]:
    """The records in ``lines``, of which the first is line ``first_line``, with the line each begins at.

    An empty line is a record without cells.

    Raises:
        UnreadableFileError: MALFORMED or ROW_TOO_LONG.
    """
    bounded = _Bounded(lines, first_line)
    reader = csv.reader(bounded, delimiter=delimiter, strict=True)
    line = first_line
    try:
        for record in reader:
            yield line, record
            line = first_line + reader.line_num
            bounded.begin(line)
    except csv.Error as error:
        problem = f"The row that begins on line {line} is not CSV: {error}. Check its quotes."
        raise UnreadableFileError(Failure.MALFORMED, problem) from error


class _Bounded:
    """The lines of records that have at most MAX_ROW characters each."""

    def __init__(self, lines: Iterable[str], line: int) -> None:
        self._lines = iter(lines)
        self.begin(line)

    def begin(self, line: int) -> None:
        """Begin a record on line ``line``."""
        self._line = line
        self._left = MAX_ROW

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._left -= len(line)
        if self._left < 0:
            raise_too_long(self._line)
        return line


def is_blank(record: list[str]) -> bool:
    """Whether a record has no value: a blank line, or cells of blanks."""
    return not any(cell.strip(BLANKS) for cell in record)


def raise_too_long(line: int) -> NoReturn:
    """Refuse the row that begins on ``line`` for its more than MAX_ROW characters."""
    problem = f"The row on line {line} has more than {MAX_ROW} characters. Shorten it, or check that every quote is closed."
    raise UnreadableFileError(Failure.ROW_TOO_LONG, problem)
