"""The errors of an import: counted by code for the job's row, and row by row in a CSV report for the shop.

Both are bounded: a summary shows the first rows of each code, and a report its first 10,000 lines. So a file with an error in
every row needs no more memory than another.

Neither contains a cell of the upload: a cell may be personal. Only the names of unknown columns of a JSON file come from the
upload, and a spreadsheet must read none of them as a formula. This includes numbers: a column named ``-5`` is written ``'-5``.
"""

import csv
import enum
import io
import re
from dataclasses import dataclass
from typing import BinaryIO

from lib.shuttle.jobs.job import ErrorSummary

FIRST_ROWS = 5
MAX_REPORT_LINES = 10_000
CONTENT_TYPE = "text/csv; charset=utf-8"

# What a spreadsheet reads as the start of a formula (https://owasp.org/www-community/attacks/CSV_Injection): the signs and
# their full-width forms, after blanks, quotes and invisible characters, which spreadsheets trim; a tab, CR or LF by itself.
# Also after a separator: a spreadsheet that splits at another one begins a cell in the middle of a name.
_FORMULA_START = re.compile(
    r"""(?:^|(?<=[,;|\t\r\n]))(?=[\s"'`\x00-\x1f\u00ad\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠]|[\t\r\n])"""
)


class RowErrorCode(enum.StrEnum):
    """The kinds of errors in a row."""

    EXTRA_VALUE = "EXTRA_VALUE"
    MISSING_VALUE = "MISSING_VALUE"
    TOO_LONG = "TOO_LONG"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"
    WRONG_CELL_COUNT = "WRONG_CELL_COUNT"
    WRONG_TYPE = "WRONG_TYPE"


@dataclass(frozen=True, slots=True)
class RowError:
    """An error in a row of a file.

    ``row`` is counted from 1, without the header and blank lines; ``line``, where it begins in the file, is None if the format
    has no lines. ``column`` is empty if the error is not in a column of its own. The message names the rule and never quotes a
    cell: a cell may be an e-mail address.
    """

    row: int
    line: int | None
    column: str
    code: RowErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """The errors of one import: how often each code occurs, the most frequent first, and the first errors in full."""

    summary: tuple[ErrorSummary, ...] = ()
    errors: tuple[RowError, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.summary)

    @property
    def left_out(self) -> int:
        """How many errors are counted only."""
        return sum(summary.count for summary in self.summary) - len(self.errors)

    def as_csv(self) -> BinaryIO:
        """The report: row, line, column, code, message. Its last line says if lines were left out."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(("row", "line", "column", "code", "message"))
        writer.writerows((error.row, error.line, _as_text(error.column), error.code, error.message) for error in self.errors)
        if self.left_out:
            writer.writerow(("", "", "", "LEFT_OUT", f"{self.left_out} more errors"))
        # A column of a JSON file may have a name that is not valid Unicode: half of a surrogate pair, which UTF-8 can't encode.
        return io.BytesIO(text.getvalue().encode(errors="replace"))


def _as_text(name: str) -> str:
    """A column name that a spreadsheet reads as text, as a whole and in pieces."""
    return _FORMULA_START.sub("'", name)
