"""The notification function in a process of its own, as far as one process can: loaded anew against a moto server."""

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from tests.support.aws_environment import point_at
from tests.support.functions import load
from tests.support.log_lines import LogLines
from tests.support.moto_cloud import MotoCloud, fresh_cloud, moto_server

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
    """Loads the function; keywords are environment variables that differ."""
    return lambda **changes: load(monkeypatch, "notification", cloud.variables(**changes))


@pytest.fixture
def notification(load_notification: Callable[..., ModuleType]) -> ModuleType:
    return load_notification()


@pytest.fixture
def lines(notification: ModuleType) -> LogLines:
    return LogLines("notification")
