"""The DynamoDB of tests that run on more than one: here in this process, in tests/dynamodb_local on a real engine."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.aws_environment import REGION, set_all
from tests.support.fake_table import FakeTable
from tests.support.moto_clients import moto_client


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A DynamoDB client of ``lib.aws``, without tables: moto's."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    set_all(monkeypatch, {"AWS_DEFAULT_REGION": REGION, **credentials})
    with moto_client("dynamodb") as client:
        yield client


@pytest.fixture
def jira_issues() -> Any:
    """An empty JiraIssues table that tells its rows and counts what calls cost: the fake."""
    return FakeTable()
