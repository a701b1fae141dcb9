"""The rows of a JSON or JSON Lines text, one at a time, with the line each begins at; memory does not grow with the file.

A JSON file is an array of objects, or an object that holds one such array under a name like ``products``, perhaps with other
members for paging. Any other object is one row. The order of members has no meaning. Arrays are read element by element with
the standard library's decoder on a window of text (docs/adr/0063 says why not with a library). A malformed text raises
:class:`~.files.UnreadableFileError`: after an error, the start of the next row can't be found.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from lib.shuttle.imports.csv_rows import raise_too_long, read_lines
from lib.shuttle.imports.files import MAX_ROW, Failure, UnreadableFileError
from lib.shuttle.imports.spool import SpooledText

#: How much of a JSON text is read at a time.
WINDOW = 64 * 1024

#: A row: the line it begins at, and its members: texts, :class:`Number`, true, false, None, lists and objects.
Row = tuple[int, dict[str, Any]]

_SPACE = re.compile(r"[ \t\r\n]*")
#: ``-Infinity``, ``\\ud83d\\ude00`` and the like: how far before the end of an incomplete text the decoder may report an error.
_LONGEST_TOKEN = 16


class Number(str):
    """A number as the text has it, of any length: nothing is lost or rounded. The check of its row says whether it fits."""

    __slots__ = ()


def read_json_lines(text: SpooledText) -> Iterator[Row]:
    """The rows of a JSON Lines text, without blank lines.

    Raises:
        UnreadableFileError: MALFORMED or ROW_TOO_LONG.
    """
    for number, line in enumerate(read_lines(text), 1):
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line)
        except _NOT_JSON as error:
            raise _malformed(f"Line {number} is not JSON. Each line must be one JSON object") from error
        if not isinstance(value, dict):
            raise _malformed(f"Line {number} is not a JSON object. Write each row in braces")
        yield number, value


def read_json(text: SpooledText, is_column: Callable[[str], bool]) -> Iterator[Row]:
    """The rows of a JSON text.

    ``is_column`` is whether the schema has a column of this name. An object with an empty array is a list of no rows, unless
    it has a column beside it.

    Raises:
        UnreadableFileError: MALFORMED, ROW_TOO_LONG, or EMPTY_FILE: there is no JSON text.
    """
    return _JsonText(text).rows(is_column)


class _JsonText:
    """Reads one JSON text through a window that moves along it.

    ``_at`` is the current position in the window, ``_line`` the line of the position ``_counted``.
    """

    def __init__(self, text: SpooledText) -> None:
        self._text = text
        self._window = ""
        self._at = 0
        self._counted = 0
        self._line = 1
        self._ended = False

    def rows(self, is_column: Callable[[str], bool]) -> Iterator[Row]:
        start = self._peek()
        if not start:
            raise UnreadableFileError(Failure.EMPTY_FILE, "The file is empty. Write an array of objects.")
        if start == "[":
            yield from self._array()
        elif start == "{":
            yield from self._object(is_column)
        else:
            raise _malformed("The file is not JSON: it begins with neither [ nor {. Check the format of the job")
        if self._peek():
            where = f"There is more text after the end of the JSON, on line {self._current_line()}"
            raise _malformed(f'{where}. Remove it, or order the import with "file_format": "JSONL"')

    def _array(self) -> Iterator[Row]:
        """The elements of the array at the current position, and past its end."""
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            line = self._current_line()
            yield line, self._row(line)
            if self._peek() == "]":
                self._at += 1
                return
            self._expect(",")
            self._peek()

    def _object(self, is_column: Callable[[str], bool]) -> Iterator[Row]:
        """The rows of the wrapper at the current position, or the object itself as a row."""
        line = self._current_line()
        members: dict[str, Any] = {}
        size, is_wrapper = 0, False
        for name in self._names():
            if not self._is_array_of_objects():
                value, length = self._value("The value of a member")
                size += length + len(name)
                if is_wrapper:
                    continue
                if size > MAX_ROW:
                    raise_too_long(line)
                members[name] = value
            elif is_wrapper:
                raise _malformed(f"A second array of objects begins on line {self._current_line()}. Keep the one with the rows")
            else:
                is_wrapper = True
                members.clear()
                yield from self._array()
        is_list_of_none = [] in members.values() and not any(map(is_column, members))
        if not is_wrapper and not is_list_of_none:
            yield line, members

    def _names(self) -> Iterator[str]:
        """The names of the members of the object at the current position; the caller reads each value."""
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            if self._peek() != '"':
                raise _malformed(
                    f"The name of a member is missing on line {self._current_line()}. Add it, or check the end of the file"
                )
            name, _ = self._value("The name of a member")
            self._expect(":")
            self._peek()
            yield name
            if self._peek() == "}":
                self._at += 1
                return
            self._expect(",")

    def _is_array_of_objects(self) -> bool:
        """Whether an array begins at the current position and an object in it."""
        if not self._window.startswith("[", self._at):
            return False
        while True:
            space = _SPACE.match(self._window, self._at + 1)
            first = space.end() if space else self._at + 1
            if first < len(self._window):
                return self._window[first] == "{"
            if not self._grow():
                return False

    def _row(self, line: int) -> dict[str, Any]:
        value, _ = self._value("The row")
        if not isinstance(value, dict):
            raise _malformed(f"The row on line {line} is not a JSON object. Write each row in braces")
        return value

    def _value(self, what: str) -> tuple[Any, int]:
        """The value at the current position and its length; the window grows until it contains it whole."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._window, self._at)
            except _NOT_JSON as error:
                if not (_may_be_incomplete(error, self._window) and self._grow()):
                    raise _malformed(
                        f"{what} on line {self._current_line()} is not JSON. Check its commas, quotes and numbers"
                    ) from error
                continue
            if isinstance(value, Number) and end >= len(self._window) - _LONGEST_TOKEN and not self._ended:
                self._grow()
                continue  # the number may go on
            length, self._at = end - self._at, end
            return value, length

    def _grow(self) -> bool:
        if len(self._window) - self._at > MAX_ROW:
            raise_too_long(self._current_line())
        return self._more()

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise _malformed(f"{character!r} is missing on line {self._current_line()}. Add it, or check the end of the file")
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

    def _current_line(self) -> int:
        self._line += self._window.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _more(self) -> bool:
        if self._ended:
            return False
        self._current_line()
        piece = self._text.read(WINDOW)
        self._ended = not piece
        self._window = self._window[self._at :] + piece
        self._at = self._counted = 0
        return not self._ended


def _may_be_incomplete(error: Exception, window: str) -> bool:
    """Whether more text could resolve the error: a string without its end, or an error at the end of the window."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= len(window) - _LONGEST_TOKEN


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse_constant)
_NOT_JSON = (ValueError, RecursionError)


def _malformed(problem: str) -> UnreadableFileError:
    return UnreadableFileError(Failure.MALFORMED, f"{problem}.")
