"""The header of a CSV file: the delimiter, and which column of the schema each of its cells names. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from lib.shuttle.entities import Column, Schema


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
    raise NotImplementedError
