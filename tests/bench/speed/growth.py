"""What one operation costs as an issue gathers versions, and as a project gathers issues: calls, units and time.

Every size has a table of its own, and in each round every operation runs once on each of them, in an order of its own: what
the machine does meanwhile hits all sizes alike. Calls and units come from the engine and must not grow. Time is reported twice:
the processor time of this process, which is the client's and ours, and the time until the answer, which has the engine's own
in it: DynamoDB Local keeps its rows in SQLite, whose trees get deeper, so its time says nothing about AWS: DynamoDB's own time
does not depend on a table's size.
"""

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.jira import items, webhooks
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import IssueFields, Observation, Stamp
from lib.platform import clock
from tests.bench.speed import metering, samples
from tests.support.dynamodb.tables import create_table

_BATCH = 25


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation costs at one size: medians."""

    operation: str
    size: int
    calls: float
    units: float
    cpu_ms: float
    wall_ms: float


class _NoSnapshots:
    def write(self, name: str, data: bytes) -> None:
        raise AssertionError("no snapshot here is large")


Operation = Callable[["Engine"], object]


class Engine:
    """The stores on one table of the engine, and what their calls consume."""

    def __init__(self, url: str, table: str) -> None:
        from lib.platform.contract import JIRA_ISSUES

        self.client = metering.client_of(url)
        self.table = table
        create_table(self.client, table, JIRA_ISSUES)
        self.meter = metering.Meter()
        self.client.meta.events.register("before-parameter-build.dynamodb", self._ask)
        self.client.meta.events.register("after-call.dynamodb", self._hear)
        self.issues = IssueReader(self.client, table)
        self.correlations = CorrelationStore(self.client, table)
        self.store = IssueWriter(self.client, table, history=timedelta(days=365), snapshots=_NoSnapshots())

    def _ask(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name not in {"CreateTable", "BatchWriteItem"}:
            params["ReturnConsumedCapacity"] = "INDEXES"

    def _hear(self, parsed: dict[str, Any], **_: Any) -> None:
        self.meter.add(parsed)

    def run(self, operation: Operation) -> tuple[float, float, float, float]:
        """What one run takes: calls, units, processor time and time, in milliseconds."""
        self.meter.calls, self.meter.units = 0, 0.0
        cpu, wall = time.process_time(), time.perf_counter()
        operation(self)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return self.meter.calls, self.meter.units, cpu * 1000, wall * 1000

    def load(self, rows: Iterator[dict[str, Any]], done: Callable[[int], None]) -> None:
        """Put many rows."""
        while batch := list(itertools.islice(rows, _BATCH)):
            requests = [{"PutRequest": {"Item": item}} for item in batch]
            while requests:
                answer = self.client.batch_write_item(RequestItems={self.table: requests})
                requests = answer.get("UnprocessedItems", {}).get(self.table, [])
            done(len(batch))


def of_versions(url: str, sizes: tuple[int, ...], rounds: int, done: Callable[[int], None]) -> list[Cost]:
    """One issue that has gathered versions."""
    numbers = itertools.count(10**6)  # later than every version loaded
    operations: dict[str, Operation] = {
        "record a delivery": lambda engine: engine.store.record(_delivery(next(numbers), 7)),
        "current state": lambda engine: engine.issues.latest("OPS-7"),
        "recompute its correlation": lambda engine: engine.correlations.recompute("OPS-7"),
        "its latest version": lambda engine: next(IssueReader(engine.client, engine.table, page_size=1).history("OPS-7")),
    }
    engines = {size: Engine(url, f"versions-{size}") for size in sizes}
    for size, engine in engines.items():
        engine.load((_version("OPS-7", number) for number in range(size)), done)
    return _costs(engines, operations, rounds)


def of_issues(url: str, sizes: tuple[int, ...], rounds: int, done: Callable[[int], None]) -> list[Cost]:
    """One project that has gathered issues."""
    numbers = itertools.count(10**6)
    operations: dict[str, Operation] = {
        "record a delivery": lambda engine: engine.store.record(_delivery(next(numbers), 7)),
        "current state": lambda engine: engine.issues.latest("OPS-7"),
        "100 issues of a project": lambda engine: list(engine.issues.by_project("OPS", after=200, through=300)),
        "the latest in a status": lambda engine: next(_few(engine).by_status("Done")),
        "an assignee's latest": lambda engine: next(_few(engine).by_assignee("person-7")),
    }
    engines = {size: Engine(url, f"issues-{size}") for size in sizes}
    for size, engine in engines.items():
        engine.load((items.head_item(_observation(f"OPS-{number + 1}", number)) for number in range(size)), done)
    return _costs(engines, operations, rounds)


def _costs(engines: dict[int, Engine], operations: dict[str, Operation], rounds: int) -> list[Cost]:
    """The medians, after a round that is not counted."""
    taken: dict[tuple[str, int], list[tuple[float, float, float, float]]] = {}
    for counted in [False, *[True] * rounds]:
        for name, operation in operations.items():
            for size, engine in random.sample(list(engines.items()), len(engines)):
                took = engine.run(operation)
                if counted:
                    taken.setdefault((name, size), []).append(took)
    return [
        Cost(name, size, *(statistics.median(column) for column in zip(*taken[name, size], strict=True)))
        for name in operations
        for size in engines
    ]


def _few(engine: Engine) -> IssueReader:
    return IssueReader(engine.client, engine.table, page_size=10)


def _at(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


def _observation(key: str, number: int) -> Observation:
    fields = IssueFields(summary="Disk full", status="Done", assignee=f"person-{number % 100}", fix_versions=("2026.3",))
    stamp = Stamp(clock.canonical(_at(number)), clock.epoch_ms(_at(number)), f"loaded-{number}")
    return Observation(
        issue_key=key, issue_id=str(number), stamp=stamp, event_type="jira:issue_updated", fields=fields, snapshot="{}"
    )


def _version(key: str, number: int) -> dict[str, Any]:
    return items.version_item(_observation(key, number), _at(number), _at(number) + timedelta(days=365), None)


def _delivery(number: int, issue: int) -> webhooks.Delivery:
    body = samples.webhook_body(issue=issue, updated=_at(number))
    delivery = webhooks.normalise(body.encode(), _at(number))
    assert isinstance(delivery, webhooks.Delivery)
    return delivery
