"""The JQL that the Jira stand-in understands: clauses joined by AND, and one ORDER BY. It refuses the rest."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_TOKEN = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(<=|>=|!=|[<>=(),])|([^\s"'<>=!(),]+))""")
_RELATIVE = re.compile(r"-(\d+)(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FIELDS = {"issuekey": "key", "issue": "key", "label": "labels"}
_OPERATORS = {
    "project": {"=", "in"},
    "key": {"=", "in", "<", "<=", ">", ">="},
    "id": {"=", "in"},
    "labels": {"=", "in"},
    "updated": {"<", "<=", ">", ">="},
    "created": {"<", "<=", ">", ">="},
}


class JqlError(Exception):
    """The query can't be read."""


@dataclass(frozen=True, slots=True)
class Clause:
    """``field operator values``; one value for all operators but ``in``."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A query: all clauses hold; sorted by ``order`` (key, updated or created)."""

    clauses: tuple[Clause, ...]
    order: str = "key"
    descending: bool = False


def parse(text: str) -> Query:
    """Read JQL.

    Raises:
        JqlError: not JQL, or not in this subset.
    """
    tokens = _tokens(text)
    split = next((at for at in range(len(tokens) - 1) if [t.lower() for t in tokens[at : at + 2]] == ["order", "by"]), None)
    order, descending = _order(tokens[split + 2 :]) if split is not None else ("key", False)
    rest = tokens if split is None else tokens[:split]
    clauses: list[Clause] = []
    while rest:
        if clauses:
            if rest[0].lower() != "and":
                raise JqlError(f"Error in the JQL Query: Expecting either 'AND' but got '{rest[0]}'.")
            rest = rest[1:]
        clause, rest = _clause(rest)
        clauses.append(clause)
    return Query(tuple(clauses), order, descending)


def instant(value: str, now: datetime) -> datetime:
    """The instant of a date value: relative (``-25m``), or absolute in UTC, the time zone of the stand-in's users.

    Raises:
        JqlError: another format.
    """
    relative = _RELATIVE.fullmatch(value)
    if relative:
        return now - timedelta(**{_UNITS[relative[2]]: int(relative[1])})
    for form in ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d"):
        try:
            return datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise JqlError(f"Date value '{value}' is invalid. Valid formats include: 'yyyy-MM-dd HH:mm', or a period e.g. '-5d'.")


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise JqlError(f"Error in the JQL Query at character {at}.")
        tokens.append(next(part for part in found.groups() if part is not None))
        at = found.end()
    return tokens


def _order(tokens: list[str]) -> tuple[str, bool]:
    field = _FIELDS.get(tokens[0].lower(), tokens[0].lower()) if tokens else ""
    direction = [token.lower() for token in tokens[1:]]
    if field not in {"key", "updated", "created"} or direction not in ([], ["asc"], ["desc"]):
        raise JqlError("The stand-in orders by key, updated or created.")
    return field, direction == ["desc"]


def _clause(tokens: list[str]) -> tuple[Clause, list[str]]:
    if len(tokens) < 3:
        raise JqlError("Error in the JQL Query: a clause ends early.")
    field = _FIELDS.get(tokens[0].lower(), tokens[0].lower())
    operator = tokens[1].lower()
    if operator not in _OPERATORS.get(field, set()):
        raise JqlError(f"The stand-in does not support '{tokens[0]} {tokens[1]}'.")
    if operator != "in":
        return Clause(field, operator, (tokens[2],)), tokens[3:]
    if tokens[2] != "(" or ")" not in tokens:
        raise JqlError("Error in the JQL Query: 'in' needs a list in brackets.")
    end = tokens.index(")")
    values = tuple(filter(lambda value: value != ",", tokens[3:end]))
    return Clause(field, operator, values), tokens[end + 1 :]
