"""What Shuttle's tests share: a table of each test's own, a client that records, a clock that stands, builders."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.platform.contract import SHUTTLE
from lib.shuttle.entities import BillingState, Shop
from lib.shuttle.jobs.job import FileFormat, JobKind, JobMode
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.limits import JobOrder
from lib.shuttle.jobs.plans import Plan, PlanLimits
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository
from tests.support.dynamodb import tables

NOON = datetime(2026, 1, 22, 12, 0, 0, tzinfo=UTC)
DOMAIN = "teapots.example.com"
OTHER = "kettles.example.com"


@dataclass
class StandingClock:
    """A clock that moves only when told to."""

    moment: datetime = NOON

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


@dataclass
class RecordingClient:
    """Passes every call on to ``client`` and keeps it."""

    client: Any
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self.calls.append((name, request))
            return getattr(self.client, name)(**request)

        return call

    def forget(self) -> None:
        self.calls.clear()


@dataclass
class ShuttleTable:
    """An empty Shuttle table and the ways to it."""

    client: RecordingClient
    name: str
    clock: StandingClock

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

    def active_jobs(self, domain: str = DOMAIN) -> set[str]:
        return set(self.get_raw(f"SHOP#{domain}", "SLOTS").get("ActiveJobs", {}).get("SS", []))


@pytest.fixture
def shuttle_table(dynamodb: Any) -> Iterator[ShuttleTable]:
    """An empty Shuttle table, as the stack makes it."""
    with a_table(dynamodb) as made:
        yield made


@contextmanager
def a_table(client: Any) -> Iterator[ShuttleTable]:
    """An empty table, gone afterwards: moto copies every table it has on each transaction."""
    with tables.a_table(client, SHUTTLE) as name:
        yield ShuttleTable(RecordingClient(client), name, StandingClock())


def a_shop(domain: str = DOMAIN, **changes: Any) -> Shop:
    """A paying shop of the LARGE plan, but for ``changes``."""
    values: dict[str, Any] = {
        "shop_domain": domain,
        "plan": Plan.LARGE,
        "billing_state": BillingState.ACTIVE,
        "installed_at": NOON,
    }
    return Shop(**values | changes)


def limits(concurrent_jobs: int = 100, daily_imports: int = 1000, monthly_imports: int = 1000, **rest: int) -> PlanLimits:
    """Limits that are out of the way, but for those named."""
    return PlanLimits(
        concurrent_jobs=concurrent_jobs,
        daily_imports=daily_imports,
        monthly_imports=monthly_imports,
        max_file_bytes=rest.get("max_file_bytes", 10**9),
        max_rows=rest.get("max_rows", 10**7),
    )


def an_order(**changes: Any) -> JobOrder:
    """An order for a CSV import under a token of its own, but for ``changes``."""
    values: dict[str, Any] = {
        "client_token": uuid.uuid4().hex,
        "kind": JobKind.IMPORT,
        "mode": JobMode.NEW_ONLY,
        "file_format": FileFormat.CSV,
    }
    return JobOrder(**values | changes)
