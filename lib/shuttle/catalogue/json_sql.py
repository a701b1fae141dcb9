"""Rows as JSON, in SQL: integers, decimals and booleans as such, other values as text, no value as null.

A cell that an import with another schema made may not fit the type that its column has now. It is written as a text: the
result is valid JSON whatever the cells contain.
"""

import json
from collections.abc import Iterable

from lib.shuttle.engine import literal
from lib.shuttle.entities import ColumnType

NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
"""A number of JSON, as a regular expression."""
_ESCAPED = r'[\x00-\x1f"\\]'
_RARE = r"[\x00-\x08\x0b-\x1f]"
"""Characters that are escaped in a text of JSON, and those of them that are rare."""


def json_object(members: Iterable[tuple[str, ColumnType, str]], *, short_row: int = 0) -> str:
    """An SQL expression for a JSON object. A member is a name, its type, and the expression of its text.

    Texts of up to ``short_row`` bytes per row are written with half the CPU, but with six times their size in memory for 2,048
    rows at a time: too much during a sort.
    """
    members, parts = list(members), list[str]()
    for name, column_type, text in members:
        before = "," if parts else "{"
        value = _value(column_type, text, short_row // len(members))
        parts += [literal(f"{before}{json.dumps(name, ensure_ascii=False)}:"), value]
    return f"concat({', '.join(parts)}, '}}')"


def _value(column_type: ColumnType, text: str, short: int) -> str:
    as_text = f"coalesce({_text(text, short)}, 'null')"
    if column_type in (ColumnType.INTEGER, ColumnType.DECIMAL):
        return f"CASE WHEN regexp_full_match({text}, {literal(NUMBER)}) THEN {text} ELSE {as_text} END"
    if column_type is ColumnType.BOOLEAN:
        return f"CASE WHEN {text} IN ('true', 'false') THEN {text} ELSE {as_text} END"
    return as_text


def _text(text: str, short: int) -> str:
    """A text of JSON. DuckDB's function is the fastest, but reserves six times the length of a cell: only for short ones."""
    escaped = f"replace({text}, '\\', '\\\\')"
    for character, escape in (("'\"'", "'\\\"'"), ("chr(10)", "'\\n'"), ("chr(9)", "'\\t'")):
        escaped = f"replace({escaped}, {character}, {escape})"
    return (
        f"CASE WHEN strlen({text}) <= {short} THEN to_json({text})::VARCHAR "
        f"WHEN NOT regexp_matches({text}, {literal(_ESCAPED)}) THEN '\"' || {text} || '\"' "
        f"WHEN NOT regexp_matches({text}, {literal(_RARE)}) THEN '\"' || {escaped} || '\"' ELSE to_json({text})::VARCHAR END"
    )
