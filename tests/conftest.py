"""For every test: the DynamoDB of those that run on more than one engine, and the report on grants that ends the session."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.aws.environment import REGION, set_all
from tests.support.aws.moto_clients import moto_client
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.iam import grant_plugin
from tests.support.project.examples import THOROUGH, examples


def pytest_configure(config: pytest.Config) -> None:
    # Registered, not imported into this file: pytest asks a conftest's hooks about the tests below it only, and not about
    # fixtures of the whole session.
    config.pluginmanager.register(grant_plugin, "grants")
    from hypothesis import settings

    # How long an example takes says how busy the machine is. For properties that ask for no number of examples of their own.
    settings.register_profile("switchboard", max_examples=examples(settings.default.max_examples), deadline=None)
    settings.load_profile("switchboard")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if THOROUGH:
        for item in items:
            item.add_marker(pytest.mark.timeout(3600))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly, where it matters, that what rests on a real engine was not shown."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and any("no real DynamoDB engine" in str(report.longrepr) for report in skipped):
        terminalreporter.section("NO REAL DYNAMODB ENGINE")
        terminalreporter.line("CI is set and there is no Java: nothing that rests on DynamoDB's atomicity was shown.", red=True)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A DynamoDB client of ``lib.platform.aws``, without tables: moto's. tests/dynamodb_local has a real engine's."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    set_all(monkeypatch, {"AWS_DEFAULT_REGION": REGION, **credentials})
    with moto_client("dynamodb") as client:
        yield client


@pytest.fixture
def jira_issues() -> Any:
    """An empty JiraIssues table that tells its rows and counts what calls cost: the fake."""
    return FakeTable()
