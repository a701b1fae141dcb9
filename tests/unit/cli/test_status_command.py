"""``status`` prints one screen, and its exit code says whether a person is needed."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from handlers.cli import deployment
from lib.operations.findings import Finding, Status, Verdict
from lib.operations.status import StatusReader
from tests.support.approvals.builders import NOON

Run = Callable[..., Result]

FINE = Finding(part="alarms", verdict=Verdict.OK, text="none is on")
LETTERS = Finding(
    part="dead letters",
    verdict=Verdict.ATTENTION,
    text="notification-failures: 2, the oldest 3 hours old: UnavailableError: not sent on sns (3 attempts)",
    command="redrive --function notification --dry-run",
    values={"queue": "notification-failures-0a1b2c3", "oldest": NOON},
)
MORE = Finding(part="dead letters", verdict=Verdict.UNKNOWN, text="can't be read: no connection")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the reader finds."""
    findings: list[Finding] = []
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(deployment, "find", lambda *_: object())
    monkeypatch.setattr(StatusReader, "read", lambda _: Status(NOON, tuple(findings)))
    return findings


def test_if_nothing_needs_a_person_the_exit_code_is_0(run: Run, found: list[Finding]) -> None:
    found.append(FINE)

    result = run("status")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("Nothing needs a person.\n")


def test_what_needs_a_person_is_shown_with_the_first_command(run: Run, found: list[Finding]) -> None:
    found += [FINE, LETTERS, MORE]

    result = run("status")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) == 80
    assert lines[0].startswith("Status at 22 Jan 2026 ")
    assert lines[-2:] == ["2 lines to look at.", "  python -m handlers.cli redrive --function notification --dry-run"]
    assert result.stdout.count("dead letters") == 1


def test_json_is_one_object_with_names_and_times(run: Run, found: list[Finding]) -> None:
    found += [FINE, LETTERS]

    result = run("status", "--json")

    printed = json.loads(result.stdout)
    assert result.exit_code == 1
    assert printed["needs_person"] is True
    assert printed["findings"][1]["status"] == "attention"
    assert printed["findings"][1]["queue"] == "notification-failures-0a1b2c3"
    assert printed["findings"][1]["oldest"].endswith("-07:00")


def test_watch_repeats_until_ctrl_c(run: Run, found: list[Finding], monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        found.append(LETTERS)
        if len(waits) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", wait)
    found.append(FINE)

    result = run("status", "--watch")

    assert result.stdout.count("Status at ") == 2
    assert "Nothing needs a person." in result.stdout
    assert "1 line to look at." in result.stdout
    assert waits == [30, 30]
    assert run("status", "--watch", "1").exit_code == 2
