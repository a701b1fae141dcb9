r"""The rules of a schema as SQL expressions, for :mod:`.checking`. Pure: texts are made here and run elsewhere.

A cell is text or NULL; an empty cell is NULL. A blank one has no value either, except in a STRING that is not required. What is
valid, and the one form that equal values get in the catalogue:

========  ====================================================================  ==================================
type      valid, without the blanks around it                                    form
========  ====================================================================  ==================================
STRING    any text of at most ``max_length`` characters, with its blanks         as it is
INTEGER   up to 18 digits, with or without a sign                                without ``+`` and leading zeros
DECIMAL   up to 38 digits before and after the point (or comma: see              a number as JSON writes it
          ``Column.decimal_comma``), with or without a sign and an exponent
          of up to 3 digits, which does not count
BOOLEAN   true, false, yes, no, 1 or 0 in any case                               ``true`` or ``false``
DATE      ``YYYY-MM-DD``, from the year 0001                                     as it is
DATETIME  a DATE, ``T`` or a blank, ``HH:MM``; optional seconds, optional        as it is
          fraction of a second; optional ``Z`` or ``±HH:MM``
========  ====================================================================  ==================================

Nearly all cells of nearly all files are of a common form, which one expression recognizes fast. Only for the others, blanks are
removed and all forms tried; CASE evaluates a branch for the rows that need it only.
"""

from collections.abc import Iterable

from lib.shuttle.engine import literal
from lib.shuttle.entities import Column, ColumnType, Schema
from lib.shuttle.imports.files import BLANKS

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?"
_ANY_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# From 1901 to 2099, every fourth year is a leap year.
_LEAP_YEAR = "(19(0[48]|[2468][048]|[13579][26])|20([02468][048]|[13579][26]))"
_USUAL_DAY = "(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31"
_USUAL_DATE = f"([12][0-9]{{3}}-({_USUAL_DAY})|{_LEAP_YEAR}-02-29)"
_INTEGER = "[+-]?[0-9]{1,18}"
_DECIMAL = r"[+-]?([0-9]{1,38}(POINT[0-9]{0,38})?|POINT[0-9]{1,38})([eE][+-]?[0-9]{1,3})?"
_USUAL_DECIMAL = r"-?(0|[1-9][0-9]{0,37})(\.[0-9]{1,38})?"
_TRUE = "('true', 'yes', '1')"
_BOOLEAN = "('true', 'false', 'yes', 'no', '1', '0')"
_USUAL = {
    ColumnType.INTEGER: "0|-?[1-9][0-9]{0,17}",
    ColumnType.BOOLEAN: "true|false|TRUE|FALSE|1|0",
    ColumnType.DATE: _USUAL_DATE,
}
_MATCHED_AT_ONCE = 8  # an expression is compiled to a program of bounded size


def is_required(schema: Schema, column: Column) -> bool:
    """Whether each row needs a value of ``column``."""
    return column.required or column.name in schema.key_columns


def is_blank(cell: str) -> str:
    """Whether a cell is empty or consists of blanks."""
    return f"coalesce({_trimmed(cell)} = '', true)"


def is_valid(column: Column, cell: str, *, required: bool) -> str:
    """Whether ``cell`` follows the rules of ``column``; never NULL."""
    if column.type is ColumnType.STRING:
        rules = [f"length({cell}) <= {column.max_length}"] if column.max_length is not None else []
        rules += [_has_value(cell)] if required else []
        return f"coalesce({' AND '.join(rules)}, {_sql(not required)})" if rules else "true"
    return (
        f"CASE WHEN {_is_usual(column, cell)} THEN true WHEN {is_blank(cell)} THEN {_sql(not required)} "
        f"ELSE {_is_of_type(column, _trimmed(cell))} END"
    )


def are_usual(columns: Iterable[tuple[Column, str, bool]]) -> list[str]:
    """Conditions, never NULL, that all hold only if each cell is valid and of a form that is recognized fast.

    A column comes with its cell, and whether it is required. One match of several cells in a row takes less time than one of
    each; no form has the separator in it.
    """
    conditions, typed = [], []
    for column, cell, required in columns:
        if column.type is ColumnType.STRING:
            rules = [f"strlen({cell}) <= {column.max_length}"] if column.max_length is not None else []  # bytes: faster
            rules += [_begins_with_ascii(cell)] if required else []
            conditions += [f"coalesce({' AND '.join(rules)}, {_sql(not required)})"] if rules else []
        else:
            typed.append((cell, f"({_usual_form(column)})" + ("" if required else "?")))
    groups = [typed[start : start + _MATCHED_AT_ONCE] for start in range(0, len(typed), _MATCHED_AT_ONCE)]
    for group in groups:
        cells = ", ';', ".join(cell for cell, _ in group)
        conditions.append(_matches(f"concat({cells})", ";".join(form for _, form in group)))
    return conditions


def problem(column: Column, index: int, cell: str, *, required: bool) -> str:
    """What is wrong with ``cell`` of column ``index``: ``M:3`` value missing, ``T:3`` wrong type, ``L:3`` too long, or NULL."""
    is_text = column.type is ColumnType.STRING
    missing = f"{cell} IS NULL" if is_text and not required else is_blank(cell)
    wrong = f"NOT {is_valid(column, cell, required=required)}"
    code = "L" if is_text else "T"
    return f"CASE WHEN {missing} THEN {_code('M', index) if required else 'NULL'} WHEN {wrong} THEN {_code(code, index)} END"


def canonical(column: Column, cell: str, *, is_usual: bool = False) -> str:
    """The form in which the catalogue has ``cell``, which is valid (or even usual); NULL if it has no value."""
    bare = f"nullif({_trimmed(cell)}, '')"
    match column.type:
        case ColumnType.STRING:
            return cell
        case ColumnType.BOOLEAN:
            bare = cell if is_usual else bare
            return f"CASE lower({bare}) IN {_TRUE} WHEN true THEN 'true' WHEN false THEN 'false' END"
        case ColumnType.INTEGER:
            usual, other = cell, f"CAST(TRY_CAST(ltrim({bare}, '+') AS BIGINT) AS VARCHAR)"
        case ColumnType.DECIMAL if column.decimal_comma:
            usual, other = f"replace({cell}, ',', '.')", _json_number(f"replace({bare}, ',', '.')")
        case ColumnType.DECIMAL:
            usual, other = cell, _json_number(bare)
        case ColumnType.DATE | ColumnType.DATETIME:
            usual, other = cell, bare
    return usual if is_usual else f"CASE WHEN {_is_usual(column, cell)} THEN {usual} ELSE {other} END"


def _is_usual(column: Column, cell: str) -> str:
    return _matches(cell, _usual_form(column))


def _usual_form(column: Column) -> str:
    """The common form of a cell that is not a STRING. It is canonical, except for BOOLEAN and the decimal comma."""
    match column.type:
        case ColumnType.DECIMAL:
            return _USUAL_DECIMAL.replace(r"\.", ",") if column.decimal_comma else _USUAL_DECIMAL
        case ColumnType.DATETIME:
            return f"{_USUAL_DATE}[T ]{_TIME}"
    return _USUAL[column.type]


def _is_of_type(column: Column, bare: str) -> str:
    match column.type:
        case ColumnType.INTEGER:
            return _matches(bare, _INTEGER)
        case ColumnType.DECIMAL:
            return _matches(bare, _DECIMAL.replace("POINT", "," if column.decimal_comma else r"\."))
        case ColumnType.BOOLEAN:
            return f"lower({bare}) IN {_BOOLEAN}"
        case ColumnType.DATE:
            return _is_date(bare, _ANY_DATE)
        case ColumnType.DATETIME:
            return _is_date(bare, f"{_ANY_DATE}[T ]{_TIME}")
        case ColumnType.STRING:
            return "true"


def _is_date(bare: str, pattern: str) -> str:
    """Whether a text has a form that begins with a date, and that day exists. DuckDB has a year 0, and Python has not."""
    day = f"left({bare}, 10)"
    return f"({_matches(bare, pattern)} AND {day} >= '0001' AND TRY_CAST({day} AS DATE) IS NOT NULL)"


def _json_number(number: str) -> str:
    for pattern, replacement in ((r"^\+", ""), (r"^(-?)0+([0-9])", r"\1\2"), (r"^(-?)\.", r"\10."), (r"\.([eE]|$)", r"\1")):
        number = f"regexp_replace({number}, {literal(pattern)}, {literal(replacement)})"
    return number


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"


def _has_value(cell: str) -> str:
    """Whether a cell that is not NULL has more than blanks, like nearly all, which begin with a character of ASCII."""
    return f"CASE WHEN {_begins_with_ascii(cell)} THEN true ELSE {_trimmed(cell)} <> '' END"


def _begins_with_ascii(cell: str) -> str:
    return f"{cell} BETWEEN '!' AND '~'"


def _trimmed(cell: str) -> str:
    return f"trim({cell}, {literal(BLANKS)})"


def _code(letter: str, index: int) -> str:
    return literal(f"{letter}:{index}")


def _sql(value: bool) -> str:
    return "true" if value else "false"
