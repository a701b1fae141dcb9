"""What one operation costs as an issue gathers versions, and as a project gathers issues: calls, units and time.

Calls and units are told by the engine and must not grow. Time is told twice: the processor time of this process, which is
the client's and ours, and the time until the answer, which has the engine's own in it: DynamoDB Local keeps its rows in
SQLite, whose trees get deeper, and is no measure of AWS; DynamoDB's own time does not depend on a table's size.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lib import clock
from lib.jira import deliveries, rows
from lib.jira.issues import IssueFields, Observation, Stamp
from lib.jira.reading import IssueStore
from lib.jira.recompute import CorrelationStore
from lib.jira.store import JiraStore
from tests.bench.speed import metering, samples
from tests.support.tables import create_table

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


class Engine:
    """The stores on one table of the engine, and what their calls consume."""

    def __init__(self, url: str, table: str) -> None:
        from stack.tables import JIRA_ISSUES

        self.client = metering.client_of(url)
        self.table = table
        create_table(self.client, table, JIRA_ISSUES)
        self.meter = metering.Meter()
        self.client.meta.events.register("before-parameter-build.dynamodb", self._ask)
        self.client.meta.events.register("after-call.dynamodb", self._hear)
        self.issues = IssueStore(self.client, table)
        self.correlations = CorrelationStore(self.client, table)
        self.store = JiraStore(self.client, table, history=timedelta(days=365), snapshots=_NoSnapshots())

    def _ask(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name not in {"CreateTable", "BatchWriteItem"}:
            params["ReturnConsumedCapacity"] = "INDEXES"

    def _hear(self, parsed: dict[str, Any], **_: Any) -> None:
        self.meter.add(parsed)

    def cost(self, operation: str, size: int, run: Callable[[], object], repeat: int) -> Cost:
        """The cost of ``run``, by the median of ``repeat`` runs after one that is not counted."""
        run()
        taken = []
        for _ in range(repeat):
            self.meter.calls, self.meter.units = 0, 0.0
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            taken.append((self.meter.calls, self.meter.units, cpu * 1000, wall * 1000))
        return Cost(operation, size, *(statistics.median(column) for column in zip(*taken, strict=True)))

    def load(self, items: Iterator[dict[str, Any]], done: Callable[[int], None]) -> None:
        """Put many rows."""
        while batch := list(itertools.islice(items, _BATCH)):
            requests = [{"PutRequest": {"Item": item}} for item in batch]
            while requests:
                answer = self.client.batch_write_item(RequestItems={self.table: requests})
                requests = answer.get("UnprocessedItems", {}).get(self.table, [])
            done(len(batch))


def of_versions(engine: Engine, sizes: tuple[int, ...], repeat: int, done: Callable[[int], None]) -> Iterator[Cost]:
    """One issue that gathers versions."""
    numbers = itertools.count(10**6)  # later than every version loaded
    loaded = 0
    for size in sizes:
        engine.load((_version("OPS-7", number) for number in range(loaded, size)), done)
        loaded = size
        yield engine.cost("record a delivery", size, lambda: engine.store.record(_delivery(next(numbers), 7)), repeat)
        yield engine.cost("current state", size, lambda: engine.issues.latest("OPS-7"), repeat)
        yield engine.cost("recompute its correlation", size, lambda: engine.correlations.recompute("OPS-7"), repeat)
        yield engine.cost(
            "its latest version",
            size,
            lambda: next(IssueStore(engine.client, engine.table, page_size=1).history("OPS-7")),
            repeat,
        )


def of_issues(engine: Engine, sizes: tuple[int, ...], repeat: int, done: Callable[[int], None]) -> Iterator[Cost]:
    """One project that gathers issues."""
    numbers = itertools.count(10**6)
    loaded = 0
    for size in sizes:
        engine.load((rows.head_item(_observation(f"OPS-{number + 1}", number)) for number in range(loaded, size)), done)
        loaded = size
        yield engine.cost("record a delivery", size, lambda: engine.store.record(_delivery(next(numbers), 7)), repeat)
        yield engine.cost("current state", size, lambda: engine.issues.latest("OPS-7"), repeat)
        yield engine.cost(
            "100 issues of a project", size, lambda: list(engine.issues.by_project("OPS", after=200, through=300)), repeat
        )
        yield engine.cost("the latest in a status", size, lambda: next(_few(engine).by_status("Done")), repeat)
        yield engine.cost("an assignee's latest", size, lambda: next(_few(engine).by_assignee("person-7")), repeat)


def _few(engine: Engine) -> IssueStore:
    return IssueStore(engine.client, engine.table, page_size=10)


def _at(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


def _observation(key: str, number: int) -> Observation:
    fields = IssueFields(summary="Disk full", status="Done", assignee=f"person-{number % 1000}", fix_versions=("2026.3",))
    stamp = Stamp(clock.canonical(_at(number)), clock.epoch_ms(_at(number)), f"loaded-{number}")
    return Observation(
        issue_key=key, issue_id=str(number), stamp=stamp, event_type="jira:issue_updated", fields=fields, snapshot="{}"
    )


def _version(key: str, number: int) -> dict[str, Any]:
    return rows.version_item(_observation(key, number), _at(number), _at(number) + timedelta(days=365), None)


def _delivery(number: int, issue: int) -> deliveries.Delivery:
    body = samples.webhook_body(issue=issue, updated=_at(number))
    told = deliveries.normalise(body.encode(), f"delivery-{number}", _at(number))
    assert isinstance(told, deliveries.Delivery)
    return told
