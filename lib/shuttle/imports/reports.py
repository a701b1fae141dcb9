"""The errors of an import: counted by code for the job's row, and row by row in a CSV report for the shop.

Both are bounded: a summary shows the first rows of each code, a report its first 10,000 lines, so that a file in which
every row is wrong needs no more memory than another.

Neither contains a cell of the upload: a cell may be personal. Only the names of unknown columns of a JSON file come from the
upload, and a spreadsheet must read none of them as a formula. This includes numbers: a column named ``-5`` is written ``'-5``.
"""

import csv
import io
import re
from collections.abc import Iterable
from typing import BinaryIO

from lib.shuttle.imports.row_validation import RowError
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


class ErrorReport:
    """Collects the errors of one import."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first_rows: dict[str, list[int]] = {}
        self._lines: list[tuple[int, str, str, str]] = []
        self.left_out = 0

    def add(self, row_number: int, errors: Iterable[RowError]) -> None:
        """Add the errors of a row; rows are counted from 1 without the header."""
        for error in errors:
            code = error.code.value
            self._counts[code] = self._counts.get(code, 0) + 1
            rows = self._first_rows.setdefault(code, [])
            if len(rows) < FIRST_ROWS and row_number not in rows:
                rows.append(row_number)
            if len(self._lines) < MAX_REPORT_LINES:
                self._lines.append((row_number, error.column, code, error.message))
            else:
                self.left_out += 1

    def __bool__(self) -> bool:
        return bool(self._counts)

    def summary(self) -> tuple[ErrorSummary, ...]:
        """How often each code occurred, the most frequent first."""
        ranked = sorted(self._counts, key=lambda code: (-self._counts[code], code))
        return tuple(
            ErrorSummary(code=code, count=self._counts[code], first_rows=tuple(self._first_rows[code])) for code in ranked
        )

    def as_csv(self) -> BinaryIO:
        """The report: row, column, code, message. Its last line says if lines were left out."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(("row", "column", "code", "message"))
        writer.writerows((row, _as_text(column), code, message) for row, column, code, message in self._lines)
        if self.left_out:
            writer.writerow(("", "", "LEFT_OUT", f"{self.left_out} more errors"))
        # A column of a JSON file may have a name that is not valid Unicode: half of a surrogate pair, which UTF-8 can't encode.
        return io.BytesIO(text.getvalue().encode(errors="replace"))


def _as_text(name: str) -> str:
    """A column name that a spreadsheet reads as text, as a whole and in pieces."""
    return _FORMULA_START.sub("'", name)
