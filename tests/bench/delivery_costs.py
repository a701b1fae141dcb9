"""What a delivery takes of JiraIssues: write units, bytes and processor time, now and in earlier releases.

    python -m tests.bench.delivery_costs FOLDER

FOLDER has webhook bodies of Jira, a file each. Each is recorded twice on DynamoDB Local, the second time as a later update of
the issue, and the second is measured: an update in the same hour, or in the next. *Plain* and *by time* store rows as releases
before docs/adr/0033 and docs/adr/0034 did. A body whose issue the worker fetches from Jira is left out. Nothing of a body is
printed.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from lib.jira import items, snapshot_codec
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import split_key
from lib.jira.webhooks import Delivery, normalise
from lib.platform import clock
from lib.platform.contract import JIRA_ISSUES
from tests.bench.former_rows import BY_TIME, Item, by_time, plain
from tests.bench.speed.metering import client_of
from tests.support.dynamodb import engine
from tests.support.dynamodb.fake_table import item_bytes
from tests.support.dynamodb.tables import a_table
from tests.support.jira.builders import Snapshots

_ROUNDS = 40

_CASES: tuple[tuple[str, Any, Callable[[Item], Item], int], ...] = (
    ("plain", BY_TIME, plain, 1),
    ("by time", BY_TIME, by_time, 1),
    ("now, in the same hour", JIRA_ISSUES, lambda item: item, 1),
    ("now, in the next hour", JIRA_ISSUES, lambda item: item, 3600),
)


@dataclass(slots=True)
class Metered:
    """A client that passes puts on to the engine, changed by ``change``, and adds up what they consume."""

    client: Any
    change: Callable[[Item], Item]
    table_units: float = 0.0
    index_units: float = 0.0
    version_bytes: int = 0

    def put_item(self, **request: Any) -> Any:
        item = self.change(request["Item"])
        answer = self.client.put_item(**request | {"Item": item, "ReturnConsumedCapacity": "INDEXES"})
        consumed = answer["ConsumedCapacity"]
        self.table_units += consumed["Table"]["CapacityUnits"]
        self.index_units += consumed["CapacityUnits"] - consumed["Table"]["CapacityUnits"]
        if item["updated_at"]["S"] < items.FIRST_LETTER:
            self.version_bytes += item_bytes(item)
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


def _deliveries(folder: Path) -> Iterator[tuple[int, Delivery]]:
    """The size of each body that has a whole issue, as Jira sends it (without the indentation of a file), and its delivery."""
    for number, file in enumerate(sorted(folder.glob("*.json")), 1):
        body = json.dumps(json.loads(file.read_bytes()), separators=(",", ":"), ensure_ascii=False).encode()
        read = normalise(body, clock.utc_now())
        if isinstance(read, Delivery):
            # A file may have the issue of another one, at an earlier time.
            yield len(body), replace(read, issue_key=f"{split_key(read.issue_key)[0]}-{number}", moved_from=None)


def _later(delivery: Delivery, number: int) -> Delivery:
    at = clock.parse(delivery.stamp.version_at) + timedelta(seconds=number)
    stamp = replace(delivery.stamp, version_at=clock.canonical(at), idempotency_key=f"{number:064x}")
    return replace(delivery, stamp=stamp)


def _writer(client: Any, table: str) -> IssueWriter:
    return IssueWriter(client, table, history=timedelta(days=365), snapshots=Snapshots())


def _cpu_ms(client: Any, table: str, deliveries: list[Delivery], first: int) -> float:
    """The processor time of this process for one delivery: the median of the rounds."""
    writer, rounds = _writer(client, table), []
    for number in range(first, first + _ROUNDS):
        later = [_later(delivery, number) for delivery in deliveries]
        began = time.process_time()
        for delivery in later:
            writer.record(delivery)
        rounds.append((time.process_time() - began) * 1000 / len(later))
    return statistics.median(rounds)


class _PlainWrites:
    """A client for the time of plain rows: it has the snapshots ready, and nothing is compressed meanwhile."""

    def __init__(self, client: Any, snapshots: dict[str, str]) -> None:
        self._client = client
        self._snapshots = snapshots

    def put_item(self, **request: Any) -> Any:
        item = request["Item"]
        if item.pop("snapshot", None):
            item["raw"] = {"S": self._snapshots[item["issue_key"]["S"]]}
        return self._client.put_item(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _read_units(client: Any, table: str, deliveries: list[Delivery]) -> float:
    """What one read of the history of each issue takes, for a delivery."""
    units = 0.0

    class Reading:
        def query(self, **request: Any) -> Any:
            nonlocal units
            answer = client.query(**request | {"ReturnConsumedCapacity": "INDEXES"})
            units += answer["ConsumedCapacity"]["CapacityUnits"]
            return answer

    reader = IssueReader(Reading(), table)
    for key in {delivery.issue_key for delivery in deliveries}:
        list(reader.history(key))
    return units / len(deliveries)


def main(folder: Path) -> None:
    """Print the table for the bodies in ``folder``."""
    sizes, deliveries = zip(*_deliveries(folder), strict=True)
    rows = []
    with engine.running() as url:
        client = client_of(url)
        for name, layout, change, seconds in _CASES:
            with a_table(client, layout) as table:
                metered = Metered(client, change)
                for delivery in deliveries:
                    _writer(metered, table).record(_later(delivery, 0))
                metered.table_units = metered.index_units = metered.version_bytes = 0
                for delivery in deliveries:
                    _writer(metered, table).record(_later(delivery, seconds))
                reads = _read_units(client, table, list(deliveries))
                rows.append((name, metered.table_units, metered.index_units, metered.version_bytes, reads))
        with a_table(client, JIRA_ISSUES) as table:
            plain_writes = _PlainWrites(client, {delivery.issue_key: delivery.snapshot for delivery in deliveries})
            # In turns, so that what else the machine does hits both.
            times: dict[str, list[float]] = {"plain": [], "now, in the same hour": []}
            for turn in range(4):
                with mock.patch.object(snapshot_codec, "encode", return_value=b"x"):
                    times["plain"].append(_cpu_ms(plain_writes, table, list(deliveries), 10 + turn * 1000))
                times["now, in the same hour"].append(_cpu_ms(client, table, list(deliveries), 510 + turn * 1000))
    count = len(deliveries)
    print(f"{count} deliveries, {sum(sizes) / count:,.0f} bytes each\n")
    print("|  | table write units | index write units | together | bytes of the version | read units of the history | CPU ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, table_units, index_units, size, reads in rows:
        cells = (f"{table_units / count:.1f}", f"{index_units / count:.1f}", f"{(table_units + index_units) / count:.1f}")
        cpu = f"{min(times[name]):.2f}" if name in times else "–"
        print(f"| {name} | {' | '.join(cells)} | {size / count:,.0f} | {reads:.1f} | {cpu} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
