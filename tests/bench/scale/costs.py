"""What the real store writes for a delivery, and what that takes where: its rows, its keys and its sizes, in any layout."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from unittest import mock

from lib.jira import snapshot_codec
from lib.jira.issue_writer import IssueWriter
from lib.jira.webhooks import Delivery
from lib.platform.contract import JIRA_ISSUES, Index, TableLayout
from tests.bench.former_rows import BY_TIME, Item, by_time
from tests.bench.scale.throttling import Cost, Throughput, position
from tests.support.dynamodb.fake_table import item_bytes
from tests.support.jira.builders import Snapshots

LAYOUTS: Mapping[str, tuple[TableLayout, Callable[[Item], Item]]] = {
    "before": (BY_TIME, by_time),
    "after": (JIRA_ISSUES, lambda item: item),
}
"""The layouts that are compared, and how each stores a row of today's store."""

_ENDS_WITH_TIME = frozenset({"version_at", "changed_hour", "updated_at"})

Change = tuple[Item | None, Item]
"""A row before and after a write."""


class Recorder:
    """A DynamoDB client that keeps rows and accepts every put, as of deliveries that arrive in order."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._rows: dict[tuple[str, str], Item] = {}

    def put_item(self, **request: Any) -> dict[str, Any]:
        """Store a row, and keep what it replaces."""
        item = request["Item"]
        key = (item["issue_key"]["S"], item["updated_at"]["S"])
        before = self._rows.get(key)
        self._rows[key] = item
        self.changes.append((before, item))
        return {"Attributes": before} if before else {}


def changes_of(deliveries: Iterable[Delivery]) -> list[Change]:
    """The writes of the last of some deliveries of an issue, made by the real store."""
    recorder = Recorder()
    writer = IssueWriter(recorder, "issues", history=timedelta(days=365), snapshots=Snapshots())
    with mock.patch.object(snapshot_codec, "encode", _encode):
        for delivery in deliveries:
            recorder.changes.clear()
            writer.record(delivery)
    return recorder.changes


_encode = functools.cache(snapshot_codec.encode)  # a few hundred texts serve all issues


def throughputs(layout: str) -> tuple[Throughput, ...]:
    """The table and its indexes, new."""
    table, _ = LAYOUTS[layout]
    return (Throughput(table.name), *(Throughput(index.name) for index in table.indexes))


class Meter:
    """What writes take in one layout. ``salt`` decides which keys share a partition."""

    def __init__(self, layout: str, salt: int = 0) -> None:
        self._layout, self._stored = LAYOUTS[layout]
        self._salt = salt

    def costs(self, change: Change) -> tuple[Cost, ...]:
        """What a write takes of the table, which is number 0, and of each index that it changes."""
        before, after = (self._stored(item) if item else None for item in change)
        assert after is not None
        key = position(after["issue_key"]["S"], None, self._salt)
        return ((0, key, max(_units(before), _units(after))), *self._index_costs(before, after))

    def _index_costs(self, before: Item | None, after: Item) -> Iterator[Cost]:
        for number, index in enumerate(self._layout.indexes, 1):
            left, entered = self._entry(index, before), self._entry(index, after)
            if left and left == entered:
                yield number, entered[1], max(_units(before), _units(after))
                continue
            for entry, item in ((left, before), (entered, after)):
                if entry:
                    yield number, entry[1], _units(item)

    def _entry(self, index: Index, item: Item | None) -> tuple[tuple[str, str], int] | None:
        """The key of a row in an index, and its position; None if the index does not have it."""
        if item is None or index.hash_key not in item or index.range_key not in item:
            return None
        hash_value = item[index.hash_key]["S"]
        range_value = str(next(iter(item[index.range_key].values())))
        where = position(hash_value, None if index.range_key in _ENDS_WITH_TIME else range_value, self._salt)
        return (hash_value, range_value), where


def _units(item: Item | None) -> int:
    return math.ceil(item_bytes(item) / 1024) if item else 0
