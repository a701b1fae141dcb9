"""DynamoDB's condition and update expressions, evaluated on items in memory: what this code writes, and no more.

Conditions: comparisons, BETWEEN, IN, size, attribute_(not_)exists, begins_with, AND, OR, NOT, brackets. Updates: SET, ADD,
DELETE and REMOVE of whole attributes, and if_not_exists.
"""

import copy
import functools
import operator
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

Item = dict[str, dict[str, Any]]
Options = dict[str, Any]
"""A request of DynamoDB, of which the names and values of expressions are read."""

_TOKEN = re.compile(r"\s*(<=|>=|<>|[<>=(),]|[:#]?\w+)")


def holds(expression: str, item: Item, options: Options) -> bool:
    """Whether a condition is true of ``item``."""
    names = options.get("ExpressionAttributeNames", {})
    values = options.get("ExpressionAttributeValues", {})
    return _compile(expression)(item, names, values)


def updated(item: Item, options: Options) -> Item:
    """``item`` after the ``UpdateExpression`` of a request."""
    names = options.get("ExpressionAttributeNames", {})
    values = options.get("ExpressionAttributeValues", {})
    new = copy.deepcopy(item)
    parts = re.split(r"\b(SET|ADD|DELETE|REMOVE) ", options["UpdateExpression"])
    for verb, changes in zip(parts[1::2], parts[2::2], strict=True):
        for change in re.split(r",\s*(?![^(]*\))", changes.strip()):
            placeholder, _, operand = change.strip().partition(" ")
            name = names.get(placeholder, placeholder)
            if verb == "REMOVE":
                new.pop(name, None)
            elif verb == "SET":
                value = _assigned(operand.removeprefix("= "), item, names, values)
                new[name] = copy.deepcopy(value)
            else:
                _change_members(new, name, verb, values[operand])
    return new


def plain(value: dict[str, Any]) -> Any:
    """An attribute's value, so that numbers compare as numbers."""
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content


def _assigned(operand: str, item: Item, names: dict[str, str], values: Item) -> dict[str, Any]:
    if default := re.fullmatch(r"if_not_exists\((#?\w+), ?(:\w+)\)", operand):
        return item.get(names.get(default[1], default[1]), values[default[2]])
    return values[operand]


def _change_members(item: Item, name: str, verb: str, value: dict[str, Any]) -> None:
    """ADD a number or the members of a set; DELETE members, and with the last one the attribute."""
    ((kind, content),) = value.items()
    former = item.get(name, {kind: "0" if kind == "N" else []})[kind]
    if kind == "N":
        item[name] = {"N": str(Decimal(former) + Decimal(content))}
        return
    members = set(former) | set(content) if verb == "ADD" else set(former) - set(content)
    item.pop(name, None)
    if members:
        item[name] = {kind: sorted(members)}


@functools.cache
def _compile(expression: str) -> Callable[[Item, dict[str, str], Item], bool]:
    tokens = _TOKEN.findall(expression)
    assert "".join(tokens) == re.sub(r"\s", "", expression), f"unreadable: {expression}"
    stream = _Stream(iter([*tokens, ""]))
    parsed = _either(stream)
    assert stream.token == "", f"unreadable from {stream.token!r}: {expression}"
    return parsed


class _Stream:
    def __init__(self, tokens: Iterator[str]) -> None:
        self._tokens = tokens
        self.token = next(tokens)

    def take(self, expected: str | None = None) -> str:
        token = self.token
        assert expected is None or token.upper() == expected, f"{token!r} where {expected!r} should be"
        self.token = next(self._tokens, "")
        return token


def _either(stream: _Stream) -> Any:
    parts = [_both(stream)]
    while stream.token.upper() == "OR":
        stream.take()
        parts.append(_both(stream))
    return parts[0] if len(parts) == 1 else lambda *row: any(part(*row) for part in parts)


def _both(stream: _Stream) -> Any:
    parts = [_one(stream)]
    while stream.token.upper() == "AND":
        stream.take()
        parts.append(_one(stream))
    return parts[0] if len(parts) == 1 else lambda *row: all(part(*row) for part in parts)


def _one(stream: _Stream) -> Any:
    if stream.token.upper() == "NOT":
        stream.take()
        negated = _one(stream)
        return lambda *row: not negated(*row)
    if stream.token == "(":
        stream.take("(")
        inner = _either(stream)
        stream.take(")")
        return inner
    name = stream.take()
    if stream.token == "(" and name != "size":
        return _function(name, stream)
    left = _size(stream) if stream.token == "(" else _operand(name)
    sign = stream.take().upper()
    if sign == "IN":
        choices = _list(stream)
        return lambda *row: any(_compare("=", left(*row), choice(*row)) for choice in choices)
    if sign == "BETWEEN":
        low = _operand(stream.take())
        stream.take("AND")
        high = _operand(stream.take())
        return lambda *row: _compare(">=", left(*row), low(*row)) and _compare("<=", left(*row), high(*row))
    right = _operand(stream.take())
    return lambda *row: _compare(sign, left(*row), right(*row))


def _function(name: str, stream: _Stream) -> Any:
    stream.take("(")
    path = _operand(stream.take())
    if name in {"attribute_exists", "attribute_not_exists"}:
        stream.take(")")
        wanted = name == "attribute_exists"
        return lambda *row: (path(*row) is not None) is wanted
    assert name == "begins_with", name
    stream.take(",")
    prefix = _operand(stream.take())
    stream.take(")")

    def begins(*row: Any) -> bool:
        value, start = path(*row), prefix(*row)
        return value is not None and start is not None and str(value["S"]).startswith(start["S"])

    return begins


def _size(stream: _Stream) -> Any:
    stream.take("(")
    path = _operand(stream.take())
    stream.take(")")

    def size(*row: Any) -> dict[str, Any] | None:
        value = path(*row)
        return None if value is None else {"N": str(len(plain(value)))}

    return size


def _list(stream: _Stream) -> list[Any]:
    stream.take("(")
    choices = [_operand(stream.take())]
    while stream.token == ",":
        stream.take()
        choices.append(_operand(stream.take()))
    stream.take(")")
    return choices


def _operand(token: str) -> Callable[[Item, dict[str, str], Item], dict[str, Any] | None]:
    if token.startswith(":"):
        return lambda item, names, values: values[token]
    if token.startswith("#"):
        return lambda item, names, values: item.get(names[token])
    return lambda item, names, values: item.get(token)


def _compare(sign: str, left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return sign == "<>"
    a, b = plain(left), plain(right)
    if isinstance(a, str):
        a, b = a.encode(), b.encode()  # DynamoDB orders text by its UTF-8 bytes
    return bool(_COMPARISONS[sign](a, b))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
