"""The normal form of a file that DuckDB can't read by itself: JSON, JSON Lines, and CSV that is irregular.

It is a CSV file that is regular by construction (comma, quotes doubled, ``\\n``, UTF-8, no header), so that the same SQL checks
every file. Its columns are those of :func:`column_names`: c0 to cN in the order of the schema, then ``line`` and ``problems``.
Row n of the file is record n: blank lines are left out, and a JSON object without members is a record.
"""

from dataclasses import dataclass
from pathlib import Path

from lib.shuttle.entities import Schema
from lib.shuttle.imports.files import OnRead
from lib.shuttle.imports.header import Header
from lib.shuttle.imports.spool import Spooled
from lib.shuttle.jobs.job import FileFormat


@dataclass(frozen=True, slots=True)
class NormalForm:
    """A file in normal form, and how many rows it has.

    ``line`` is the number of the line in the upload's text where the row begins. ``problems`` is empty or has one problem per
    line, for what the cells can't show:

    * ``W``: the row has more cells than the header, and not all of the others are blank (WRONG_CELL_COUNT). Its cells may
      belong to other columns.
    * ``E:5``: cell 5, from 1, has a value, and the header does not name it (EXTRA_VALUE).
    * ``T:3``: the JSON value of column c3 can't be of the column's type (WRONG_TYPE); its cell is empty.
    * ``U:name``: the JSON object has a member that is not a column (UNKNOWN_COLUMN); at most 20 per row, 100 characters each.

    A JSON number of a column with a decimal comma is written with a comma, true and false as these words, null as no value.
    """

    path: Path
    rows: int


def column_names(schema: Schema) -> tuple[str, ...]:
    """The columns of the normal form, in order; all are text."""
    return (*(f"c{index}" for index in range(len(schema.columns))), "line", "problems")


def write_normal_form(spooled: Spooled, source: Header | FileFormat, schema: Schema, path: Path, on_read: OnRead) -> NormalForm:
    """Write the rows of ``spooled`` to ``path``. ``source`` is the header of a CSV file, or JSON or JSONL.

    ``on_read`` is called at every read and every 500 rows.

    Raises:
        UnreadableFileError: MALFORMED, ROW_TOO_LONG, or EMPTY_FILE for an empty JSON text.
    """
    raise NotImplementedError
