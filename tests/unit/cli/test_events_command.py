"""``events`` lists what arrived, the newest first, with the filters of the console."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import Result

from lib.operations import log_search
from lib.platform import errors
from tests.support.operations.deployment import Deployment

Run = Callable[..., Result]


@pytest.fixture
def deployment(deployment: Deployment) -> Deployment:
    deployment.log("notification", "event_failed", run_id="r1", error="InvalidInputError", error_text="of ada@example.com",
                   ago=timedelta(minutes=1))  # fmt: skip
    deployment.log("webhooks", "webhook_delivery", run_id="r2", source="jira", status="stored", event_type="jira:issue_updated",
                   issue_key="TES-1", ago=timedelta(minutes=30))  # fmt: skip
    deployment.log("approvals", "interaction_ignored", run_id="r3", reason="of another app", ago=timedelta(hours=5))
    return deployment


def ids(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), ["r1", "r2", "r3"]),
        (("--limit", "2"), ["r1", "r2"]),
        (("--flow", "jira"), ["r2"]),
        (("--outcome", "failed"), ["r1"]),
        (("--type", "click"), ["r3"]),
        (("--text", "another APP"), ["r3"]),
        (("--since", "1h"), ["r1", "r2"]),
        (("--until", "10m"), ["r2", "r3"]),
    ],
)
@pytest.mark.usefixtures("deployment")
def test_events_are_filtered(run: Run, options: tuple[str, ...], found: list[str]) -> None:
    assert ids(run("events", "--json", *options)) == found


@pytest.mark.parametrize("command", ["events", "leases list", "leases schemas"])
def test_a_range_that_ends_before_it_begins_is_a_usage_error(run: Run, command: str) -> None:
    result = run(*command.split(), "--since", "1h", "--until", "2h")

    assert (result.exit_code, result.stderr) == (2, "Error: --until is before --since.\n")


@pytest.mark.usefixtures("deployment")
def test_the_table_shows_outcome_and_reason_and_nothing_personal(run: Run) -> None:
    result = run("events", "--limit", "1")

    assert "failed" in result.stdout
    assert "email:" in result.stdout
    assert "ada@" not in result.stdout
    assert result.stderr.strip().endswith("Showing 1 event; use --limit for more.")


@pytest.mark.usefixtures("deployment")
def test_a_wrong_time_is_a_usage_error(run: Run) -> None:
    result = run("events", "--since", "yesterday")

    assert result.exit_code == 2
    assert "'yesterday' is not a time" in result.stderr


@pytest.mark.usefixtures("deployment")
def test_a_log_that_can_not_be_read_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise errors.AccessDeniedError("could not read the log: refused")

    monkeypatch.setattr(log_search, "search", refuse)
    result = run("events")

    assert result.exit_code == 1
    assert "Incomplete: the log of webhooks can't be read: could not read the log: refused" in result.stderr
