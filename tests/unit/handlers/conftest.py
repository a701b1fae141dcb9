"""Loads each function as a new process would: the notification function against a moto server, webhooks and the Jira worker
on services inside of this process.
"""

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import ModuleType

import pytest

from lib.platform import aws, clock
from tests.support.aws.environment import point_at
from tests.support.aws.functions import load
from tests.support.aws.moto_cloud import MotoCloud, fresh_cloud, moto_server
from tests.support.jira.cloud import JiraCloud, jira_cloud_inside
from tests.support.jira.reconciliation import Reconciliation, of, reconciliation
from tests.support.observability.log_lines import LogLines

NOW = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
WEBHOOK_SECRET = "shared with the sender"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def cloud(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> MotoCloud:
    point_at(monkeypatch, moto_url)
    return fresh_cloud(moto_url, WEBHOOK_SECRET)


@pytest.fixture
def load_notification(cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Loads the function; keywords are environment variables that differ. Its clients are patient: nothing hangs here, and moto
    may have to wait for its turn on a busy machine. It is half an hour after the event of ``lease_event``."""
    monkeypatch.setattr(clock, "utc_now", lambda: NOW)
    monkeypatch.setattr(aws, "make_client", functools.partial(aws.make_client, read_timeout_seconds=30.0))
    return lambda **changes: load(monkeypatch, "notification", cloud.variables(**changes))


@pytest.fixture
def notification(load_notification: Callable[..., ModuleType]) -> ModuleType:
    return load_notification()


@pytest.fixture
def lines(notification: ModuleType) -> LogLines:
    return LogLines("notification")


@pytest.fixture
def jira_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[JiraCloud]:
    with jira_cloud_inside(monkeypatch) as cloud:
        yield cloud


@pytest.fixture
def load_webhooks(jira_cloud: JiraCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Loads the function; keywords are environment variables that differ."""
    return lambda **changes: load(monkeypatch, "webhooks", jira_cloud.webhooks_variables(**changes))


@pytest.fixture
def webhooks(load_webhooks: Callable[..., ModuleType]) -> ModuleType:
    return load_webhooks()


@pytest.fixture
def load_jira_worker(jira_cloud: JiraCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Loads the function; keywords are environment variables that differ."""
    return lambda **changes: load(monkeypatch, "jira_worker", jira_cloud.worker_variables(**changes))


@pytest.fixture
def jira_worker(load_jira_worker: Callable[..., ModuleType]) -> ModuleType:
    return load_jira_worker()


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reconciliation]:
    """The reconciliation function for the project OPS, on empty tables and an empty Jira."""
    with reconciliation(monkeypatch) as function:
        yield function


@pytest.fixture
def synced(ops: Reconciliation) -> Reconciliation:
    """Twelve issues that the store has."""
    ops.jira.seed("OPS", 12)
    assert of(ops.run())["complete"]
    return ops


@pytest.fixture
def no_throttle_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries of throttled calls do not wait."""
    monkeypatch.setattr(aws, "THROTTLE_RETRY_DELAY_SECONDS", 0)
