"""What Shuttle's tests share: a table on moto or on a real engine, a client that records, a clock that stands, builders.

With ``DYNAMODB_ENDPOINT`` set (``http://127.0.0.1:8000`` of a DynamoDB Local), every test that asks for ``shuttle_table``
runs there; otherwise in moto, in the process. Each test has a table of its own.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws
from moto.core import patch_client

from lib import aws
from lib.shuttle import table
from lib.shuttle.entities import BillingState, Shop
from lib.shuttle.job import FileFormat, JobKind, JobMode
from lib.shuttle.jobs import Jobs
from lib.shuttle.limits import JobOrder
from lib.shuttle.plans import Plan, PlanLimits
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository

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
def shuttle_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShuttleTable]:
    """An empty Shuttle table, as the stack makes it."""
    with engine(monkeypatch) as client, a_table(client) as made:
        yield made


class engine:  # noqa: N801 - read as a word in a with statement
    """A DynamoDB client on the engine that the environment names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        self._endpoint = os.environ.get("DYNAMODB_ENDPOINT")
        if self._endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", self._endpoint)
        self._moto = None if self._endpoint else mock_aws()

    def __enter__(self) -> Any:
        if self._moto is not None:
            self._moto.start()
        client = aws.make_client("dynamodb", read_timeout_seconds=10)
        if self._moto is not None:
            patch_client(client)  # moto reaches clients of sessions by itself only if it was imported before them
        return client

    def __exit__(self, *_: object) -> None:
        if self._moto is not None:
            self._moto.stop()


@contextmanager
def a_table(client: Any) -> Iterator[ShuttleTable]:
    """An empty table, gone afterwards: moto copies every table it has on each transaction."""
    made = new_table(client)
    try:
        yield made
    finally:
        client.delete_table(TableName=made.name)


def new_table(client: Any) -> ShuttleTable:
    """Make an empty table with the keys and projections of :mod:`lib.shuttle.table`."""
    name = f"shuttle-{uuid.uuid4().hex[:12]}"
    hashes_and_ranges = {"PK", "SK"} | {attribute for pair in table.INDEX_KEYS.values() for attribute in pair}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in sorted(hashes_and_ranges)],
        KeySchema=_key_schema("PK", "SK"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": _key_schema(*pair),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(table.PROJECTIONS[index])},
            }
            for index, pair in table.INDEX_KEYS.items()
        ],
    )
    return ShuttleTable(RecordingClient(client), name, StandingClock())


def _key_schema(hash_name: str, range_name: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_name, "KeyType": "HASH"},
        {"AttributeName": range_name, "KeyType": "RANGE"},
    ]


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
