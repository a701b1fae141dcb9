"""The rows of a CSV, JSON or JSON Lines text, one at a time, each bounded; memory does not grow with the file.

A JSON file is an array of objects, an object with such an array as its first member (``{"products": […]}``), or one
object, which is one row. Arrays are read element by element with the standard library's decoder on a window of text
(docs/adr/0063 says why not with a library). A malformed text raises :class:`~.files.UnreadableFileError`: after an error,
the start of the next row can't be found. :mod:`lib.shuttle.imports.row_validation` checks the cells.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NoReturn

from lib.platform.wording import counted
from lib.shuttle.imports.files import Failure, UnreadableFileError, UploadText
from lib.shuttle.jobs.job import FileFormat

#: The longest row, in characters.
MAX_ROW = 1024 * 1024
# By default the csv module refuses a cell of more than 131,072 characters. The setting is global; nothing else in the process
# reads CSV. A cell is bounded by its row, as in JSON.
csv.field_size_limit(MAX_ROW)
#: How much of a JSON text is read at a time.
WINDOW = 64 * 1024

#: A row: column name to cell. CSV cells are text; JSON cells any JSON value, numbers as int or Decimal.
Row = dict[str, Any]

_SPACE = re.compile(r"[ \t\r\n]*")
_WRAPPER = re.compile(r'\{[ \t\r\n]*"(?:[^"\\]|\\.){0,100}"[ \t\r\n]*:[ \t\r\n]*\[')
_LONGEST_WRAPPER = 4096
#: ``-Infinity``, ``\\ud83d\\ude00`` and the like: how far before the end of an incomplete text the decoder may report an error.
_LONGEST_TOKEN = 16


def read_rows(text: UploadText, file_format: FileFormat, delimiter: str = ",") -> Iterator[Row]:
    """The rows of ``text``, in order.

    Raises:
        UnreadableFileError: the file is malformed, or has no header.
    """
    if file_format is FileFormat.CSV:
        return _csv_rows(text, delimiter)
    if file_format is FileFormat.JSONL:
        return _jsonl_rows(text)
    return _JsonRows(text).rows()


def _csv_rows(text: UploadText, delimiter: str) -> Iterator[Row]:
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _header(reader, lines)
    if len(set(header)) < len(header):
        (duplicate, _), *_ = Counter(header).most_common(1)
        raise UnreadableFileError(Failure.DUPLICATE_COLUMN, f"The header names {duplicate[:40]!r} more than once.")
    number = 0
    while (record := _next_record(reader, lines)) is not None:
        if not record:
            continue  # a blank line
        number += 1
        if len(record) != len(header):
            raise UnreadableFileError(
                Failure.RAGGED_ROW, f"Row {number} has {counted(len(record), 'cell')}, and the header has {len(header)}."
            )
        yield dict(zip(header, record, strict=True))


def _header(reader: Any, lines: "_Lines") -> list[str]:
    """The names of the columns: the first record that is not blank."""
    while (record := _next_record(reader, lines)) is not None:
        header = [name.strip() for name in record]
        if any(header):
            return header
    raise UnreadableFileError(Failure.EMPTY_FILE, "The file has no header.")


def _next_record(reader: Any, lines: "_Lines") -> list[str] | None:
    """The next record, however many lines it has; None at the end."""
    lines.begin_record()
    try:
        record: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise UnreadableFileError(Failure.MALFORMED, f"The file is not CSV near line {reader.line_num}: {error}.") from error
    return record


class _Lines:
    """Lines for the CSV reader; a record is bounded as any row."""

    def __init__(self, text: UploadText) -> None:
        self._text = text
        self._left = MAX_ROW

    def begin_record(self) -> None:
        self._left = MAX_ROW

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.read_line(self._left + 1)
        if len(line) > self._left:
            _raise_too_long()
        if not line:
            raise StopIteration
        self._left -= len(line)
        return line


def _jsonl_rows(text: UploadText) -> Iterator[Row]:
    number = 0
    while line := text.read_line(MAX_ROW + 1):
        if len(line) > MAX_ROW:
            _raise_too_long()
        if not line.strip():
            continue
        number += 1
        try:
            value = _DECODER.decode(line)
        except _NOT_JSON as error:
            raise _malformed(f"Line {number} is not JSON") from error
        yield _as_row(value, number)


class _JsonRows:
    """Reads one JSON text through a window that moves along it.

    ``_at`` is the current position in the window.
    """

    def __init__(self, text: UploadText) -> None:
        self._text = text
        self._window = ""
        self._at = 0
        self._ended = False

    def rows(self) -> Iterator[Row]:
        """The rows of the array, or the one object."""
        start = self._peek()
        if not start:
            raise UnreadableFileError(Failure.EMPTY_FILE, "The file is empty.")
        if start == "[":
            self._at += 1
            yield from self._array()
        elif start == "{" and (wrapper := self._wrapper()):
            self._at = wrapper
            yield from self._array()
            self._expect("}")
        else:
            yield _as_row(self._value(1), 1)
        if self._peek():
            raise _malformed("There is more text after the end of the JSON")

    def _array(self) -> Iterator[Row]:
        """The elements up to the closing bracket; the opening one was read."""
        if self._peek() == "]":
            self._at += 1
            return
        number = 0
        while True:
            number += 1
            yield _as_row(self._value(number), number)
            if self._peek() == "]":
                self._at += 1
                return
            self._expect(",")

    def _wrapper(self) -> int | None:
        """Where the array begins, if the text is an object that begins with one."""
        while len(self._window) - self._at < _LONGEST_WRAPPER and self._more():
            pass
        match = _WRAPPER.match(self._window, self._at)
        return match.end() if match else None

    def _value(self, number: int) -> Any:
        """The value at the current position; the window grows until it contains it whole."""
        self._peek()
        while True:
            try:
                value, self._at = _DECODER.raw_decode(self._window, self._at)
            except _NOT_JSON as error:
                if not (_may_be_incomplete(error, self._window) and self._grow()):
                    raise _malformed(f"Row {number} is not JSON") from error
            else:
                return value

    def _grow(self) -> bool:
        if len(self._window) - self._at > MAX_ROW:
            _raise_too_long()
        return self._more()

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise _malformed(f"{character!r} is missing")
        self._at += 1

    def _peek(self) -> str:
        """The next character that is not a space; empty at the end of the text."""
        while True:
            space = _SPACE.match(self._window, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        if self._ended:
            return False
        piece = self._text.read(WINDOW)
        self._ended = not piece
        self._window = self._window[self._at :] + piece
        self._at = 0
        return not self._ended


def _may_be_incomplete(error: Exception, window: str) -> bool:
    """Whether more text could resolve the error: a string without its end, or an error at the end of the window."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= len(window) - _LONGEST_TOKEN


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)
# What the decoder raises: ArithmeticError for a number whose exponent is beyond Decimal's.
_NOT_JSON = (ValueError, ArithmeticError, RecursionError)


def _as_row(value: Any, number: int) -> Row:
    if not isinstance(value, dict):
        raise _malformed(f"Row {number} is not a JSON object")
    return value


def _malformed(problem: str) -> UnreadableFileError:
    return UnreadableFileError(Failure.MALFORMED, f"{problem}.")


def _raise_too_long() -> NoReturn:
    raise UnreadableFileError(Failure.ROW_TOO_LONG, f"A row has more than {MAX_ROW} characters.")
