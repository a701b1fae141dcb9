"""The records of a file as SQL, for :mod:`.checking`: how DuckDB reads a CSV file as it is, and one in normal form. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.shuttle.engine import literal
from lib.shuttle.entities import Schema
from lib.shuttle.imports import rules_sql
from lib.shuttle.imports.files import MAX_ROW
from lib.shuttle.imports.header import Header
from lib.shuttle.imports.normal_form import column_names
from lib.shuttle.imports.spool import Spooled

#: How many cells more than the header a row may have, for DuckDB to read it. The sentinel has its token in the last of them.
PADDING = 4
#: The longest line, in bytes, of a file that is read as it is, and of the normal form: a row may have :data:`MAX_ROW`
#: characters of 4 bytes, or quotes, which are doubled.
_MAX_LINE = 1024 * 1024
_MAX_NORMAL_LINE = 5 * MAX_ROW


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a file in SQL.

    Attributes:
        table: what to select from.
        cells: the cell of each column of the schema.
        problem: what is wrong with the row apart from its cells, NULL if nothing; a text as of :mod:`.checking`.
        is_sound: whether ``problem`` is NULL, computed faster.
        is_sentinel: whether the record is the sentinel; None if the file has none.
        is_blank: whether the record is blank; None if the file has none that are.
        line: the number of the record's line as the file has it, NULL if it has none.
        wrong_types: the column that may name columns of a wrong type, as ``T:3:``; None if there is none.
        first_line: the line of the first record, None if ``line`` is the only source.
        lines: how many lines the records have, if that is known; if there are as many records, each has one.
    """

    table: str
    cells: tuple[str, ...]
    problem: str
    is_sound: str
    line: str = "NULL"
    is_sentinel: str | None = None
    is_blank: str | None = None
    wrong_types: str | None = None
    first_line: int | None = None
    lines: int | None = None


def records_as_they_are(spooled: Spooled, header: Header, schema: Schema) -> Records:
    """The records of a CSV file on disk after its header, with the sentinel of :mod:`.checking` behind them."""
    width = len(header.columns)
    names = [f"f{index}" for index in range(width + PADDING)]
    cells = {column.name: name for column, name in zip(header.columns, names, strict=False) if column is not None}
    unnamed = [index for index, column in enumerate(header.columns) if column is None]
    padding = names[width:]
    others = ", ".join([*(names[index] for index in unnamed), *padding])
    extra = [f"CASE WHEN NOT {rules_sql.is_blank(names[index])} THEN 'E:{index + 1}' END" for index in unnamed]
    return Records(
        table=_read_csv(spooled.path, names, header.delimiter, skip=header.first_data_line - 1, max_line=_MAX_LINE),
        cells=tuple(cells.get(column.name, "NULL") for column in schema.columns),
        problem=f"CASE WHEN NOT {_all_blank(padding)} THEN 'W:' ELSE {_joined(extra)} END",
        is_sound=f"CASE WHEN coalesce({others}) IS NULL THEN true ELSE {_all_blank(others.split(', '))} END",
        is_sentinel=f"{names[-1]} IS NOT DISTINCT FROM {literal(spooled.sentinel)}",
        is_blank=_all_blank(names),
        first_line=header.first_data_line,
        lines=spooled.lines - header.first_data_line + 1,
    )


def records_in_normal_form(path: Path, schema: Schema) -> Records:
    """The records of a file that :func:`.normal_form.write_normal_form` wrote."""
    names = column_names(schema)
    cells = names[: len(schema.columns)]
    return Records(
        table=_read_csv(path, names, ",", skip=0, max_line=_MAX_NORMAL_LINE),
        cells=cells,
        problem="CASE WHEN starts_with(problems, 'W') THEN 'W:' ELSE problems END",
        is_sound="problems IS NULL",
        line="line",
        wrong_types="problems",
    )


def _read_csv(path: Path, names: Sequence[str], delimiter: str, *, skip: int, max_line: int) -> str:
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    return (
        f"read_csv({literal(str(path))}, columns = {{{columns}}}, auto_detect = false, header = false, skip = {skip}, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', new_line = '\\n', nullstr = '', compression = 'none', "
        f"null_padding = true, strict_mode = true, parallel = false, max_line_size = {max_line}, buffer_size = {2 * max_line})"
    )


def _all_blank(cells: list[str]) -> str:
    return "(" + " AND ".join(map(rules_sql.is_blank, cells)) + ")"


def _joined(texts: list[str]) -> str:
    return f"nullif(concat_ws(chr(10), {', '.join(texts)}), '')" if texts else "NULL"
