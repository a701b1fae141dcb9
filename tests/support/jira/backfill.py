"""A backfill without AWS: a legacy table, the two tables of Switchboard, a queue, and workers that can be killed anywhere."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from lib.jira.backfill.worker import RESERVE_SECONDS, Tools, work
from lib.operations.backfill import Backfill, Checkpoint
from lib.operations.cloud_backfill import CloudBackfill, Status
from lib.platform import errors
from lib.platform.contract import JIRA_OPERATIONS
from lib.platform.dynamodb import Item
from lib.platform.queues import Queue
from lib.platform.sqs_batch import Record
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import TABLE, make_reader, make_store

if TYPE_CHECKING:
    from lib.platform.log import Logger

OPERATIONS, SOURCE = "operations", "arn:aws:dynamodb:us-west-2:123456789012:table/legacy"
_CALLS = {
    *("put_item", "update_item", "delete_item", "get_item", "query", "scan"),
    *("batch_get_item", "batch_write_item"),
}
REDELIVERY = timedelta(minutes=16)


def text(**values: str) -> dict[str, Any]:
    return {name: {"S": value} for name, value in values.items()}


def legacy(number: int = 1, updated: str = "2025-01-01T10:00:00Z", **more: Any) -> dict[str, Any]:
    return {**text(issue_key=f"OPS-{number}", updated_at=updated, status="Done", summary="s"), **more}


class Legacy:
    """A table that is scanned in segments, and fails on request."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.fail_at: int | None = None
        self.scans: list[tuple[int, Item | None]] = []

    def scan(self, *, Segment: int, TotalSegments: int, Limit: int, ExclusiveStartKey: Item | None = None, **_: Any) -> Item:  # noqa: N803
        self.scans.append((Segment, ExclusiveStartKey))
        if self.fail_at is not None and len(self.scans) > self.fail_at:
            raise errors.ThrottledError("could not scan")
        mine = [item for at, item in enumerate(self.items) if at % TotalSegments == Segment]
        keys: list[Item] = [{"issue_key": item["issue_key"], "updated_at": item["updated_at"]} for item in mine]
        start = 1 + keys.index(ExclusiveStartKey) if ExclusiveStartKey else 0
        page = mine[start : start + Limit]
        more = start + Limit < len(mine)
        return {"Items": page, **({"LastEvaluatedKey": keys[start + Limit - 1]} if more else {})}


@dataclass(frozen=True)
class Recorder:
    """A logger that keeps the lines of all levels."""

    lines: list[dict[str, Any]]

    def info(self, message: str, /, *_: object, **fields: Any) -> None:
        self.lines.append({"message": message, **fields})

    error = defect = info


@dataclass
class World:
    """The backfill of ``rows``, in ``segments``, with pages of at most five rows.

    Attributes:
        lines: what was logged.
        messages: those that are not deleted, by id.
        receives: how often each was delivered.
        dead: the ids of messages that were received too often.
        on_call: is called before each call of DynamoDB or SQS; raises Killed to end the process there.
    """

    rows: Sequence[Item]
    segments: int = 1
    messages: dict[str, str] = field(default_factory=dict)
    receives: dict[str, int] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    on_call: Callable[[str], None] = lambda _: None
    lines: list[dict[str, Any]] = field(default_factory=list)
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.issues, self.operations, self.source = FakeTable(), FakeTable(JIRA_OPERATIONS), Legacy(self.rows)
        self._ids = (f"m-{number}" for number in itertools.count(1))
        self.cloud = CloudBackfill(self, OPERATIONS, SOURCE, Queue(self, "queue"), now=lambda: self.now)

    def __getattr__(self, name: str) -> Any:
        """A client of DynamoDB: each table's own."""
        if name not in _CALLS:
            raise AttributeError(name)

        def call(**request: Any) -> Any:
            table = request.get("TableName") or next(iter(request["RequestItems"]))
            self.on_call(name)
            served: Any = {SOURCE: self.source, OPERATIONS: self.operations, TABLE: self.issues}[table]
            return getattr(served, name)(**request)

        return call

    def send_message(self, *, MessageBody: str, **_: Any) -> None:  # noqa: N803
        self.on_call("send_message")
        self.messages[next(self._ids)] = MessageBody

    def _monotonic(self) -> float:
        return self.now.timestamp()

    def start(self, writes_per_second: int | None = None, **options: Any) -> Status:
        """Start it, with a bound that makes small pages."""
        return self.cloud.start(self.segments, writes_per_second or max(1, self.segments // 2), **options)

    def deliver(self, identifier: str, *, pages: int = 1_000) -> bool:
        """Deliver a message, with time for so many pages; whether it is deleted. What ``on_call`` raises ends the process."""
        self.receives[identifier] = self.receives.get(identifier, 0) + 1
        if self.receives[identifier] > 100:
            raise AssertionError("a message is delivered without end")
        record = Record(identifier, self.messages[identifier], "backfill-work", "r", self.receives[identifier])
        before = len(self.source.scans)

        def seconds_left() -> float:
            return 900.0 if len(self.source.scans) - before < pages else RESERVE_SECONDS

        tools = Tools(
            client=self,
            source=SOURCE,
            operations_table_name=OPERATIONS,
            writer=make_store(self, now=lambda: self.now),
            reader=make_reader(self),
            queue=Queue(self, "queue"),
            logger=cast("Logger", Recorder(self.lines)),
            now=lambda: self.now,
            monotonic=self._monotonic,
            sleep=lambda _: None,
        )
        deleted = work(record, tools, seconds_left)
        if deleted:
            self.messages.pop(identifier, None)
        return deleted

    def drain(self) -> Status:
        """Deliver what is not deleted, every 16 minutes, until there is nothing; the status then."""
        while self.messages:
            self.now += REDELIVERY
            for identifier in list(self.messages):
                if identifier in self.messages:
                    self.deliver(identifier, pages=3)
        return self.cloud.status()

    def stored(self) -> dict[tuple[str, str], Item]:
        """The rows of JiraIssues, without the time of the run."""
        return without_times(self.issues)


def by_command(rows: Sequence[Item]) -> dict[tuple[str, str], Item]:
    """The rows of JiraIssues after one run of the command."""
    table = FakeTable()
    Backfill(Legacy(rows), Checkpoint(None, "legacy", 1), make_store(table), sleep=lambda _: None).run()
    return without_times(table)


def without_times(table: FakeTable) -> dict[tuple[str, str], Item]:
    """The rows of a table, without the attributes that hold the time of the run."""
    return {
        key: {name: value for name, value in item.items() if name not in ("received_at", "expires_at")}
        for key, item in table.items.items()
    }
