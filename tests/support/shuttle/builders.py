"""What Shuttle's tests share: an empty table for each test, a client that records, a clock, builders."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.platform.contract import SHUTTLE
from lib.platform.dynamodb import Table
from lib.shuttle.entities import BillingState, Shop
from lib.shuttle.jobs.job import FileFormat, JobKind, JobMode
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.limits import JobOrder
from lib.shuttle.jobs.plans import Plan, PlanLimits
from lib.shuttle.keys import Key
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository
from tests.support.dynamodb.fake_table import FakeTable

NOON = datetime(2026, 1, 22, 12, 0, 0, tzinfo=UTC)
DOMAIN = "teapots.example.com"
OTHER = "kettles.example.com"


@dataclass
class FixedClock:
    """A clock that moves only by ``advance``."""

    moment: datetime = NOON

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


@dataclass
class RecordingClient:
    """Passes every call on to ``client`` and records it."""

    client: Any
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # so that it can be copied

        def call(**request: Any) -> Any:
            self.calls.append((name, request))
            return getattr(self.client, name)(**request)

        return call

    def forget(self) -> None:
        self.calls.clear()


@dataclass
class ShuttleTable:
    """A Shuttle table, with what reads and writes it."""

    client: RecordingClient
    name: str
    clock: FixedClock

    @property
    def repository(self) -> Repository:
        return Repository(self.client, self.name, self.clock)

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.client, self.name, self.clock, sleep=lambda seconds: None)

    @property
    def registry(self) -> Registry:
        return Registry(self.client, self.name, self.clock)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        return self.client.calls

    def put_raw(self, item: dict[str, Any]) -> None:
        self.client.client.put_item(TableName=self.name, Item=item)

    def get_raw(self, pk: str, sk: str) -> dict[str, Any]:
        answer = self.client.client.get_item(TableName=self.name, Key={"PK": {"S": pk}, "SK": {"S": sk}})
        return answer.get("Item", {})

    def corrupt(self, row: Key, **attributes: str) -> None:
        """Give a row attributes that only a later release can read."""
        self.put_raw(self.get_raw(row.pk, row.sk) | {name: {"S": value} for name, value in attributes.items()})

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the table."""
        return [dict(row) for row in Table(self.client.client, self.name).scan("read all rows", ConsistentRead=True)]

    def active_jobs(self, domain: str = DOMAIN) -> set[str]:
        return set(self.get_raw(f"SHOP#{domain}", "SLOTS").get("ActiveJobs", {}).get("SS", []))


@pytest.fixture
def shuttle_table() -> ShuttleTable:
    """An empty Shuttle table in memory."""
    return a_table()


def a_table() -> ShuttleTable:
    """An empty Shuttle table in memory."""
    return ShuttleTable(RecordingClient(FakeTable(SHUTTLE)), SHUTTLE.name, FixedClock())


def a_shop(domain: str = DOMAIN, **changes: Any) -> Shop:
    """A paying shop of the LARGE plan, with ``changes``."""
    values: dict[str, Any] = {
        "shop_domain": domain,
        "plan": Plan.LARGE,
        "billing_state": BillingState.ACTIVE,
        "installed_at": NOON,
    }
    return Shop(**values | changes)


def limits(concurrent_jobs: int = 100, daily_imports: int = 1000, monthly_imports: int = 1000, **rest: int) -> PlanLimits:
    """Limits that no test reaches, except those given."""
    return PlanLimits(
        concurrent_jobs=concurrent_jobs,
        daily_imports=daily_imports,
        monthly_imports=monthly_imports,
        max_file_bytes=rest.get("max_file_bytes", 10**9),
        max_rows=rest.get("max_rows", 10**7),
    )


def an_order(**changes: Any) -> JobOrder:
    """An order for a CSV import with its own token, with ``changes``."""
    values: dict[str, Any] = {
        "client_token": uuid.uuid4().hex,
        "kind": JobKind.IMPORT,
        "mode": JobMode.NEW_ONLY,
        "file_format": FileFormat.CSV,
    }
    return JobOrder(**values | changes)
