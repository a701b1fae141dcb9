"""One DynamoDB table in memory, behind the few client methods that the Jira domain uses.

It evaluates the very condition expressions it is given, checks what DynamoDB checks of keys, counts calls and capacity
units, and can fail before or after a write takes effect. It is a hundred times faster than moto, which thousands of
generated histories need; tests/dynamodb_local/test_fake_table.py holds it to a real engine's behaviour. Not thread-safe.
"""

import copy
import functools
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, dict[str, Any]]

INDEXES = {
    "ProjectIndex": ("project_key", "issue_number"),
    "StatusIndex": ("status", "version_at"),
    "AssigneeIndex": ("assignee", "version_at"),
    "FixVersionIndex": ("fix_version", "version_at"),
}


class FakeTable:
    """JiraIssues: keyed by ``issue_key`` and ``updated_at``, with its four indexes."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.calls: list[tuple[str, float]] = []
        #: Told the operation before and after each write; raises to fail there.
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None

    def put_item(self, *, TableName: str, Item: Item, **options: Any) -> dict[str, Any]:  # noqa: N803
        _check_keys(Item)
        return self._write(_primary_key(Item), copy.deepcopy(Item), "put_item", options)

    def delete_item(self, *, TableName: str, Key: Item, **options: Any) -> dict[str, Any]:  # noqa: N803
        return self._write(_primary_key(Key), None, "delete_item", options)

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((name, requests),) = RequestItems.items()
        assert 0 < len(requests) <= 25
        keys = [
            _primary_key(request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"])
            for request in requests
        ]
        assert len(set(keys)) == len(keys), "DynamoDB refuses duplicate keys"
        for request in requests:
            if "PutRequest" in request:
                self.put_item(TableName=name, Item=request["PutRequest"]["Item"])
            else:
                self.delete_item(TableName=name, Key=request["DeleteRequest"]["Key"])
        return {"UnprocessedItems": {}}

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool = False) -> dict[str, Any]:  # noqa: N803
        item = self.items.get(_primary_key(Key))
        self._count("get_item", _read_units([item] if item else [], ConsistentRead))
        return {"Item": copy.deepcopy(item)} if item else {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((name, request),) = RequestItems.items()
        assert 0 < len(request["Keys"]) <= 100
        assert len({str(key) for key in request["Keys"]}) == len(request["Keys"]), "DynamoDB refuses duplicate keys"
        found = [self.items[key] for key in map(_primary_key, request["Keys"]) if key in self.items]
        self._count("batch_get_item", sum(_read_units([item], request["ConsistentRead"]) for item in found))
        return {"Responses": {name: copy.deepcopy(found)}, "UnprocessedKeys": {}}

    def query(self, *, TableName: str, Limit: int, KeyConditionExpression: str, **options: Any) -> dict[str, Any]:  # noqa: N803
        index = options.get("IndexName")
        assert not (index and options.get("ConsistentRead")), "DynamoDB refuses consistent reads of a global index"
        hash_key, range_key = INDEXES[index] if index else ("issue_key", "updated_at")
        rows = [item for item in self.items.values() if hash_key in item and range_key in item]
        rows = [item for item in rows if _holds(KeyConditionExpression, item, options)]
        rows.sort(
            key=lambda item: (_plain(item[range_key]), _primary_key(item)),
            reverse=not options.get("ScanIndexForward", True),
        )
        start = options.get("ExclusiveStartKey")
        if start:
            rows = rows[1 + [_primary_key(item) for item in rows].index(_primary_key(start)) :]
        page = rows[:Limit]
        self._count("query", _read_units(page, options.get("ConsistentRead", False)))
        answer: dict[str, Any] = {"Items": copy.deepcopy(page), "Count": len(page)}
        if len(page) == Limit:  # though nothing may follow: DynamoDB does not look
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in {"issue_key", "updated_at", hash_key, range_key}}
        return answer

    def scan(self, *, TableName: str, Limit: int = 1000, **options: Any) -> dict[str, Any]:  # noqa: N803
        start = options.get("ExclusiveStartKey")
        keys = sorted(key for key in self.items if start is None or key > _primary_key(start))
        names = options.get("ProjectionExpression", "").replace(" ", "").split(",")
        rows = [self.items[key] for key in keys[:Limit]]
        self._count("scan", _read_units(rows, options.get("ConsistentRead", False)))
        kept = (
            [item for item in rows if _holds(options["FilterExpression"], item, options)]
            if "FilterExpression" in options
            else rows
        )
        page = [{name: value for name, value in item.items() if names == [""] or name in names} for item in kept]
        last = {"LastEvaluatedKey": {name: rows[-1][name] for name in ("issue_key", "updated_at")}} if len(keys) > Limit else {}
        return {"Items": copy.deepcopy(page), **last}

    def indexed(self, index: str) -> list[Item]:
        """The rows that an index shows."""
        hash_key, range_key = INDEXES[index]
        return [item for item in self.items.values() if hash_key in item and range_key in item]

    def _write(self, key: tuple[str, str], new: Item | None, operation: str, options: dict[str, Any]) -> dict[str, Any]:
        self.before_write()
        old = self.items.get(key)
        self._count(operation, max(_write_units(old), _write_units(new)))
        condition = options.get("ConditionExpression")
        if condition and not _holds(condition, old or {}, options):
            response: dict[str, Any] = {"Error": {"Code": "ConditionalCheckFailedException", "Message": "refused"}}
            if options.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old:
                response["Item"] = copy.deepcopy(old)
            raise ClientError(response, operation)
        if new is None:
            self.items.pop(key, None)
        else:
            self.items[key] = new
        self.after_write()
        return {"Attributes": copy.deepcopy(old)} if options.get("ReturnValues") == "ALL_OLD" and old else {}

    def _count(self, operation: str, units: float) -> None:
        self.calls.append((operation, units))


def item_bytes(item: Item) -> int:
    """An item's size as DynamoDB bills it: names and values in UTF-8."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return math.ceil(len(content.strip("-0.")) / 2) + 1
    if kind == "L":
        return 3 + sum(1 + _value_bytes(element) for element in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(element) for name, element in content.items())
    return 1


def _write_units(item: Item | None) -> int:
    return max(1, math.ceil(item_bytes(item) / 1024)) if item else 1


def _read_units(items: list[Item], consistent: bool) -> float:
    units = max(1, math.ceil(sum(map(item_bytes, items)) / 4096))
    return units if consistent else units / 2


def _primary_key(item: Item) -> tuple[str, str]:
    return item["issue_key"]["S"], item["updated_at"]["S"]


def _check_keys(item: Item) -> None:
    for name, limit in {"issue_key": 2048, "updated_at": 1024}.items():
        assert 0 < len(item[name]["S"].encode()) <= limit, name
    for hash_key, range_key in INDEXES.values():
        for name, limit in ((hash_key, 2048), (range_key, 1024)):
            if name in item and "S" in item[name]:
                assert 0 < len(item[name]["S"].encode()) <= limit, f"an index refuses this {name}"
    assert item_bytes(item) <= 400 * 1024


def _plain(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content


# --- condition expressions: comparisons, BETWEEN, attribute_(not_)exists, begins_with, AND, OR, NOT, brackets ---

_TOKEN = re.compile(r"\s*(<=|>=|<>|[<>=(),]|[:#]?\w+)")


def _holds(expression: str, item: Item, options: dict[str, Any]) -> bool:
    names = options.get("ExpressionAttributeNames", {})
    values = options.get("ExpressionAttributeValues", {})
    return _compile(expression)(item, names, values)


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
    if stream.token == "(":
        return _function(name, stream)
    left = _operand(name)
    operator = stream.take().upper()
    if operator == "BETWEEN":
        low = _operand(stream.take())
        stream.take("AND")
        high = _operand(stream.take())
        return lambda *row: _compare(">=", left(*row), low(*row)) and _compare("<=", left(*row), high(*row))
    right = _operand(stream.take())
    return lambda *row: _compare(operator, left(*row), right(*row))


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
    return lambda *row: path(*row) is not None and path(*row)["S"].startswith(prefix(*row)["S"])


def _operand(token: str) -> Callable[[Item, dict[str, str], Item], dict[str, Any] | None]:
    if token.startswith(":"):
        return lambda item, names, values: values[token]
    if token.startswith("#"):
        return lambda item, names, values: item.get(names[token])
    return lambda item, names, values: item.get(token)


def _compare(operator: str, left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return operator == "<>"
    a, b = _plain(left), _plain(right)
    if isinstance(a, str):
        a, b = a.encode(), b.encode()  # DynamoDB orders text by its UTF-8 bytes
    return bool({"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator])
