"""Checks a file on disk against a schema, in SQL, and says what is wrong with which row."""

from dataclasses import dataclass

from lib.shuttle.imports.reports import ErrorReport


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The result of a check.

    Attributes:
        relation: SQL for :class:`~lib.shuttle.engine.Engine` that selects the valid rows, in the order of the file: ``n``,
            the number of the row, and ``c0``, ``c1``, … with the columns in the order of the schema, each a canonical text
            or NULL. Rows with the same key are all in it.
        rows_read: how many rows the file has; blank ones are not counted.
        rows_failed: how many have an error.
        duplicates: how many valid rows have the key of a later valid row.
        report: the errors.
    """

    relation: str
    rows_read: int
    rows_failed: int
    duplicates: int
    report: ErrorReport
