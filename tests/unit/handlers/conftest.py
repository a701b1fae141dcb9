"""Loads each function as a new process would: its services are answered inside of this process."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import ModuleType

import pytest

from lib.platform import aws, clock
from tests.support.aws.environment import point_at
from tests.support.aws.functions import load
from tests.support.aws.moto_cloud import MotoCloud, answer_directly, empty_cloud
from tests.support.jira.cloud import JiraCloud, jira_cloud_inside
from tests.support.jira.reconciliation import Reconciliation, of, reconciliation
from tests.support.observability.log_lines import LogLines

NOW = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
MOTO_URL = "http://moto.test"
WEBHOOK_SECRET = "shared with the sender"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> MotoCloud:
    point_at(monkeypatch, MOTO_URL)
    answer_directly(monkeypatch, MOTO_URL)
    return empty_cloud(MOTO_URL, WEBHOOK_SECRET)


@pytest.fixture
def load_notification(cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Loads the function; keywords are environment variables that differ. It is half an hour after the event of
    ``lease_event``."""
    monkeypatch.setattr(clock, "utc_now", lambda: NOW)
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
def pages_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches in Jira ask for ten issues a page instead of 100: a listing of several pages needs few rows."""
    monkeypatch.setattr("lib.jira.client.MAX_PAGE", 10)


@pytest.fixture
def no_throttle_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries of throttled calls do not wait."""
    monkeypatch.setattr(aws, "THROTTLE_RETRY_DELAY_SECONDS", 0)
