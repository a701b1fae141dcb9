"""Watches the grants through a session of pytest, and ends it with the report. tests/conftest.py registers these hooks.

Each process keeps its own book. Under pytest-xdist the workers leave theirs in a folder of the session, and the controller
merges them.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.iam import grant_report
from tests.support.iam.grants import BY_HAND, WATCH

MARKER = "rights_by_hand"
FOLDER = "PYTEST_GRANTS_FOLDER"
_REPORT = pytest.StashKey[grant_report.Report]()
_DESELECTED = pytest.StashKey[int]()
_cloud_fixtures: set[str] = set()
"""The fixtures that have started a local cloud. Only tests that use one are worth a look."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}: the test itself calls AWS with a role's rights, and expects refusals.")
    config.stash[_DESELECTED] = 0
    if not _is_worker(config):
        folder = config.rootpath / "build" / "iam" / str(os.getpid())
        shutil.rmtree(folder, ignore_errors=True)
        os.environ[FOLDER] = str(folder)  # the workers inherit it


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    if items:
        items[0].config.stash[_DESELECTED] += len(items)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    before = WATCH.clouds
    result = yield
    if WATCH.clouds - before:
        _cloud_fixtures.add(fixturedef.argname)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    by_hand = item.get_closest_marker(MARKER) is not None
    if by_hand:
        os.environ[BY_HAND] = "1"
    try:
        result = yield
        if _cloud_fixtures.intersection(getattr(item, "fixturenames", ())):
            WATCH.look(item.nodeid, by_hand=by_hand)
    finally:
        os.environ.pop(BY_HAND, None)
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    folder = Path(os.environ[FOLDER])
    name = getattr(config, "workerinput", {})["workerid"] if _is_worker(config) else "main"
    _leave_book(folder, name, config.stash[_DESELECTED])
    if _is_worker(config):
        return
    books = grant_report.read(folder)
    shutil.rmtree(folder, ignore_errors=True)
    whole = _asks_for_everything(config) and not any(book["deselected"] for book in books) and _came_to_an_end(session)
    report = grant_report.merge(books, whole=whole)
    config.stash[_REPORT] = report
    if report.grants:
        grant_report.write(report, config.rootpath / "build")
    if report.problems() and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    report = config.stash.get(_REPORT, None)
    if report is None or not (report.grants or report.problems()):
        return
    terminalreporter.section("grants (build/iam-report.md)")
    for line in report.summary():
        terminalreporter.line(line)
    if report.problems():
        terminalreporter.line("The session failed: grants must be exact.", red=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _leave_book(folder: Path, name: str, deselected: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"deselected": deselected, **WATCH.as_json()}))


def _asks_for_everything(config: pytest.Config) -> bool:
    """Whether the command line leaves no test out."""
    asked = {(config.invocation_params.dir / argument).resolve() for argument in config.args}
    everything = config.rootpath in asked or asked >= {config.rootpath / folder for folder in config.getini("testpaths")}
    narrowed = ("keyword", "markexpr", "ignore", "ignore_glob", "deselect", "lf", "collectonly", "stepwise")
    return everything and not any(config.getoption(name, None) for name in narrowed)


def _came_to_an_end(session: pytest.Session) -> bool:
    """Whether no test was left out because an earlier one failed or somebody stopped the run."""
    return not (session.shouldstop or session.shouldfail) and session.exitstatus in {
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    }
