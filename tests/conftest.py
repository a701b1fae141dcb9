"""For every test: the DynamoDB of those that run on more than one engine, and the report on grants that ends the session."""

import functools
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stack.local import moto_speed
from tests.support.aws.environment import REGION, set_all
from tests.support.aws.moto_clients import moto_client
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.iam import grant_plugin
from tests.support.project.examples import THOROUGH, examples

HERE = Path(__file__).parent
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")  # no test fetches a Python for bytecode


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until the end of the collection: what that makes stays
    # Registered, not imported into this file: pytest asks a conftest's hooks about the tests below it only, and not about
    # fixtures of the whole session.
    config.pluginmanager.register(grant_plugin, "grants")
    moto_speed.speed_up()
    from hypothesis import settings

    # How long an example takes says how busy the machine is. For properties that ask for no number of examples of their own.
    settings.register_profile("switchboard", max_examples=examples(60, thorough=1_000), deadline=None)
    settings.load_profile("switchboard")


# Folders whose tests take long come first, those with the longest groups before others: workers that run in parallel then end
# at about the same time.
SLOW_FOLDERS = ("browser", "faults", "integration", "dynamodb_local", "property", "infra")
# Fixtures of a session that take seconds to start. Tests that share one run in the same worker.
SHARED_FIXTURES = ("approvals", "cloud", "demo", "every_channel", "house", "operated", "seeded")
ID_CHARACTERS = 100
_LAST = pytest.StashKey[dict[str, pytest.Item]]()
"""The last test of each group. A group runs in the order of the collection, in one worker."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {folder: number for number, folder in enumerate(SLOW_FOLDERS)}
    items.sort(key=lambda item: order.get(_folder(item), len(order)))
    for item in items:
        if THOROUGH:
            item.add_marker(pytest.mark.timeout(3600), append=False)
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_finish(session: pytest.Session) -> None:
    session.stash[_LAST] = {_asked_for(item): item for item in session.items}
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # with the default, collections take a tenth of the CPU of the tests
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """End a shared fixture after the last test of its group: a cloud that nobody uses costs memory and CPU."""
    yield
    group = _asked_for(item)
    if group in SHARED_FIXTURES and item is item.session.stash[_LAST][group]:
        for name in (group, *_definition(group, item).argnames):
            if name != "request":
                _definition(name, item).finish(item._request)  # type: ignore[attr-defined]


def _asked_for(item: pytest.Item) -> str:
    """The group of a test."""
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else ""


def _definition(fixture: str, item: pytest.Item) -> pytest.FixtureDef[Any]:
    """A fixture as a test would get it."""
    found = item.session._fixturemanager.getfixturedefs(fixture, item)
    assert found, fixture
    return found[-1]


def _folder(item: pytest.Item) -> str:
    return _within_tests(item.path).partition("/")[0]


@functools.cache  # there are thirty tests to a file
def _within_tests(path: Path) -> str:
    return path.relative_to(HERE).as_posix()


def _group(item: pytest.Item) -> str:
    """What runs in one worker under ``--dist loadgroup``: the tests that share a cloud or an engine, else those of a file."""
    if _folder(item) == "dynamodb_local":
        return "engine"
    names = getattr(item, "fixturenames", ())
    for name in SHARED_FIXTURES:
        if name in names and _definition(name, item).scope == "session":
            return name
    return _within_tests(item.path)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Cut a long text in an id short: each worker sends every id to the process that started it."""
    return f"{val[:ID_CHARACTERS]!a}..." if isinstance(val, str | bytes) and len(val) > ID_CHARACTERS else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """In CI, warn if the tests that need a real DynamoDB engine were skipped."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and any("no real DynamoDB engine" in str(report.longrepr) for report in skipped):
        terminalreporter.section("NO REAL DYNAMODB ENGINE")
        terminalreporter.line(
            "CI is set and there is no Java: the tests that need atomic writes of DynamoDB did not run.", red=True
        )


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A DynamoDB client of ``lib.platform.aws``, without tables: moto's. tests/dynamodb_local has a real engine's."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    set_all(monkeypatch, {"AWS_DEFAULT_REGION": REGION, **credentials})
    with moto_client("dynamodb") as client:
        yield client


@pytest.fixture
def jira_issues() -> Any:
    """An empty JiraIssues fake table that exposes its rows and counts the cost of calls."""
    return FakeTable()
