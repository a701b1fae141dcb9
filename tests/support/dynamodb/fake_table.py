"""One DynamoDB table in memory, behind the few client methods that this code uses.

It evaluates the very expressions it is given, checks what DynamoDB checks of keys, counts calls and capacity units, and can
fail before or after a write takes effect. It is a hundred times faster than moto, which thousands of generated histories
need; tests/dynamodb_local/test_fake_table.py compares it with a real engine. Writes are atomic: threads can share a table.
"""

import copy
import math
import operator
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from lib.platform.contract import JIRA_ISSUES, TableLayout
from tests.support.aws.wire import aws_error
from tests.support.dynamodb.expressions import Item, holds, plain, updated

_ONE_WRITE_AT_A_TIME = threading.Lock()


def before_next_write(table: Any, act: Callable[[], object]) -> None:
    """Call ``act`` before the next write of a FakeTable or EngineTable, and not before those that follow or that it makes."""

    def act_once() -> None:
        table.before_write = lambda: None
        act()

    table.before_write = act_once


class FakeTable:
    """A DynamoDB client with one table. It ignores the table name of calls.

    Attributes:
        items: every row, by its key.
        calls: each call and the capacity units that it took.
        before_write, after_write: called before and after each write; raise to fail there.
    """

    def __init__(self, layout: TableLayout = JIRA_ISSUES) -> None:
        self._layout = layout
        self._includes = {index.name: index.includes for index in layout.indexes}
        self.items: dict[tuple[str, str], Item] = {}
        self.calls: list[tuple[str, float]] = []
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None

    def put_item(self, *, TableName: str, Item: Item, **options: Any) -> dict[str, Any]:  # noqa: N803
        return self._write(self._key(Item), lambda _: copy.deepcopy(Item), "put_item", options)

    def delete_item(self, *, TableName: str, Key: Item, **options: Any) -> dict[str, Any]:  # noqa: N803
        return self._write(self._key(Key), lambda _: None, "delete_item", options)

    def update_item(self, *, TableName: str, Key: Item, **options: Any) -> dict[str, Any]:  # noqa: N803
        return self._write(self._key(Key), lambda old: updated(old or Key, options), "update_item", options)

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803
        writes = [next(iter(operation.items())) for operation in TransactItems]
        keys = [self._key(write.get("Key") or write["Item"]) for _, write in writes]
        assert 0 < len(keys) <= 100
        assert len(set(keys)) == len(keys), "DynamoDB refuses two operations on one row"
        self.before_write()
        with _ONE_WRITE_AT_A_TIME:
            self._transact(list(zip(keys, writes, strict=True)))
        self.after_write()
        return {}

    def _transact(self, writes: list[tuple[tuple[str, str], tuple[str, dict[str, Any]]]]) -> None:
        reasons = [self._reason(self.items.get(key), write) for key, (_, write) in writes]
        if any(reason["Code"] != "None" for reason in reasons):
            raise aws_error("TransactionCanceledException", CancellationReasons=reasons)
        for key, (kind, write) in writes:
            old = self.items.get(key)
            match kind:
                case "Put":
                    self._store(key, copy.deepcopy(write["Item"]))
                case "Update":
                    self._store(key, updated(old or write["Key"], write))
                case "Delete":
                    self._store(key, None)
            self._count("transact_write_items", 2 * max(_write_units(old), _write_units(self.items.get(key))))

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((name, requests),) = RequestItems.items()
        assert 0 < len(requests) <= 25
        keys = [
            self._key(request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"])
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
        item = self.items.get(self._key(Key))
        self._count("get_item", _read_units([item] if item else [], ConsistentRead))
        return {"Item": copy.deepcopy(item)} if item else {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((name, request),) = RequestItems.items()
        assert 0 < len(request["Keys"]) <= 100
        assert len({str(key) for key in request["Keys"]}) == len(request["Keys"]), "DynamoDB refuses duplicate keys"
        found = [self.items[key] for key in map(self._key, request["Keys"]) if key in self.items]
        self._count("batch_get_item", sum(_read_units([item], request["ConsistentRead"]) for item in found))
        return {"Responses": {name: copy.deepcopy(found)}, "UnprocessedKeys": {}}

    def query(self, *, TableName: str, KeyConditionExpression: str, Limit: int = 1000, **options: Any) -> dict[str, Any]:  # noqa: N803
        index = options.get("IndexName")
        assert not (index and options.get("ConsistentRead")), "DynamoDB refuses consistent reads of a global index"
        hash_key, range_key = self._layout.key_of(index)
        rows = [item for item in list(self.items.values()) if hash_key in item and range_key in item]
        rows = [item for item in rows if holds(KeyConditionExpression, item, options)]
        backwards = not options.get("ScanIndexForward", True)

        def position(item: Item) -> tuple[Any, ...]:
            return plain(item[range_key]), self._key(item)

        rows.sort(key=position, reverse=backwards)
        if start := options.get("ExclusiveStartKey"):
            behind = operator.lt if backwards else operator.gt
            rows = [item for item in rows if behind(position(item), position(start))]
        page = rows[:Limit]
        self._count("query", _read_units(page, options.get("ConsistentRead", False)))
        kept = [self._projected(item, index) for item in page if _is_kept(item, options)]
        answer: dict[str, Any] = {"Items": copy.deepcopy(kept), "Count": len(kept)}
        if len(page) == Limit:  # though nothing may follow: DynamoDB does not look
            own = {self._layout.hash_key, self._layout.range_key, hash_key, range_key}
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in own}
        return answer

    def scan(self, *, TableName: str, Limit: int = 1000, **options: Any) -> dict[str, Any]:  # noqa: N803
        start = options.get("ExclusiveStartKey")
        keys = sorted(key for key in self.items if start is None or key > self._key(start))
        names = options.get("ProjectionExpression", "").replace(" ", "").split(",")
        rows = [self.items[key] for key in keys[:Limit]]
        self._count("scan", _read_units(rows, options.get("ConsistentRead", False)))
        kept = [item for item in rows if _is_kept(item, options)]
        page = [{name: value for name, value in item.items() if names == [""] or name in names} for item in kept]
        own = (self._layout.hash_key, self._layout.range_key)
        last = {"LastEvaluatedKey": {name: rows[-1][name] for name in own}} if len(keys) > Limit else {}
        return {"Items": copy.deepcopy(page), **last}

    def rows(self) -> list[Item]:
        """Every row."""
        return copy.deepcopy(list(self.items.values()))

    def indexed(self, index: str) -> list[Item]:
        """The rows that an index shows."""
        hash_key, range_key = self._layout.key_of(index)
        return [item for item in self.items.values() if hash_key in item and range_key in item]

    def _write(
        self, key: tuple[str, str], change: Callable[[Item | None], Item | None], operation: str, options: dict[str, Any]
    ) -> dict[str, Any]:
        self.before_write()
        with _ONE_WRITE_AT_A_TIME:
            old = self.items.get(key)
            reason = self._reason(old, options)
            refused = reason.pop("Code") != "None"
            new = old if refused else change(old)
            self._count(operation, max(_write_units(old), _write_units(new)))
            if refused:
                response: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": "refused"}, **reason}
                raise ClientError(response, operation)
            self._store(key, new)
        self.after_write()
        returned = {"ALL_OLD": old, "ALL_NEW": new}.get(options.get("ReturnValues", ""))
        return {"Attributes": copy.deepcopy(returned)} if returned else {}

    def _reason(self, item: Item | None, write: dict[str, Any]) -> dict[str, Any]:
        """Why a write is refused, as a transaction's cancellation reason; its code is ``None`` if it is not."""
        condition = write.get("ConditionExpression")
        if not condition or holds(condition, item or {}, write):
            return {"Code": "None"}
        is_returned = item is not None and write.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        return {"Code": "ConditionalCheckFailed"} | ({"Item": copy.deepcopy(item)} if is_returned else {})

    def _store(self, key: tuple[str, str], new: Item | None) -> None:
        if new is None:
            self.items.pop(key, None)
            return
        self._check_keys(new)
        self.items[key] = new

    def _projected(self, item: Item, index: str | None) -> Item:
        """The attributes of a row that an index includes."""
        includes = self._includes[index] if index else ()
        if not includes:
            return item
        names = {*includes, self._layout.hash_key, self._layout.range_key, *self._layout.key_of(index)}
        return {name: value for name, value in item.items() if name in names}

    def _key(self, item: Item) -> tuple[str, str]:
        return item[self._layout.hash_key]["S"], item[self._layout.range_key]["S"]

    def _check_keys(self, item: Item) -> None:
        for index in (None, *self._includes):
            for name, limit in zip(self._layout.key_of(index), (2048, 1024), strict=True):
                if name in item and "S" in item[name]:
                    assert 0 < len(item[name]["S"].encode()) <= limit, f"{index or 'the table'} refuses this {name}"
        assert item_bytes(item) <= 400 * 1024

    def _count(self, operation: str, units: float) -> None:
        self.calls.append((operation, units))


def _is_kept(item: Item, options: dict[str, Any]) -> bool:
    return "FilterExpression" not in options or holds(options["FilterExpression"], item, options)


def item_bytes(item: Item) -> int:
    """An item's size as DynamoDB bills it: names and values in UTF-8."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content)
    if kind == "N":
        return math.ceil(len(content.strip("-0.")) / 2) + 1
    if kind == "L":
        return 3 + sum(1 + _value_bytes(element) for element in content)
    if kind == "SS":
        return sum(len(member.encode()) for member in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(element) for name, element in content.items())
    return 1


def _write_units(item: Item | None) -> int:
    return max(1, math.ceil(item_bytes(item) / 1024)) if item else 1


def _read_units(items: list[Item], consistent: bool) -> float:
    units = max(1, math.ceil(sum(map(item_bytes, items)) / 4096))
    return units if consistent else units / 2
