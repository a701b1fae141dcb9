"""One real engine for all tests here: that of ``DYNAMODB_ENDPOINT``, or a DynamoDB Local that is started for them.

Without either the tests are skipped and say why; where ``CI`` is set they fail instead, unless there is no Java.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.platform import aws
from lib.platform.contract import JIRA_ISSUES, SHUTTLE
from tests.support.approvals.stores import stores
from tests.support.aws.environment import REGION
from tests.support.dynamodb import engine as dynamodb_local
from tests.support.dynamodb.engine_table import EngineTable
from tests.support.dynamodb.tables import a_table
from tests.support.shuttle.builders import FixedClock, RecordingClient, ShuttleTable

__all__ = ["shuttle_table", "stores"]


HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests here if they can't run and need not: with a mark, which pytest reports in one line per file."""
    missing = None if os.environ.get("DYNAMODB_ENDPOINT") else dynamodb_local.why_not()
    if missing is None or (os.environ.get("CI") and shutil.which("java")):
        return
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason=f"no real DynamoDB engine: {missing}"))


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A DynamoDB client of ``lib.platform.aws`` on the engine. Tables made by it are the test's to delete."""
    endpoint = os.environ.get("DYNAMODB_ENDPOINT")
    if endpoint:
        yield client_of(endpoint)
        return
    missing = dynamodb_local.why_not()
    assert missing is None, f"no real DynamoDB engine: {missing}"
    with dynamodb_local.running() as url:
        yield client_of(url)


def client_of(endpoint: str) -> Any:
    """A client that waits: the engine runs on this machine, and takes 50 connections at a time."""
    given = {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", REGION),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        return aws.make_client("dynamodb", read_timeout_seconds=30, connect_timeout_seconds=30)


@pytest.fixture
def dynamodb(engine: Any) -> Any:
    """In the place of moto's client (tests/conftest.py)."""
    return engine


@pytest.fixture
def jira_issues(engine: Any) -> Iterator[EngineTable]:
    """In the place of the fake (tests/conftest.py)."""
    with a_table(engine, JIRA_ISSUES) as name:
        yield EngineTable(engine, name)


@pytest.fixture
def shuttle_table(engine: Any) -> Iterator[ShuttleTable]:
    """In the place of the fake (tests/support/shuttle/builders.py)."""
    with a_table(engine, SHUTTLE) as name:
        yield ShuttleTable(RecordingClient(engine), name, FixedClock())
