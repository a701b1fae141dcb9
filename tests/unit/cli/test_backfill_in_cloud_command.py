"""``backfill --in-cloud``: what is shown, what Ctrl-C does, and the exit codes."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from handlers.cli import backfill_in_cloud
from handlers.cli.backfill_in_cloud import Progress, Rate
from lib.operations.cloud_backfill import STALLED_AFTER, Status
from tests.support.jira.backfill import World, legacy, text

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("deployed")

ROWS = [*(legacy(number) for number in range(1, 9)), text(issue_key="OPS-9", updated_at="never")]


@pytest.fixture
def rows() -> list[Any]:
    return ROWS


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, rows: list[Any]) -> World:
    """A backfill for the command; each poll lets its workers process two pages."""
    made = World(rows, segments=2)
    monkeypatch.setattr(backfill_in_cloud, "connect", lambda deployment: (made.cloud, len(rows)))
    monkeypatch.setattr(backfill_in_cloud, "LOOK_SECONDS", 0.0)
    look = made.cloud.status

    def work_and_look() -> Status:
        for identifier in list(made.messages)[:1]:
            made.deliver(identifier, pages=2)
        return look()

    monkeypatch.setattr(made.cloud, "status", work_and_look)
    return made


def in_cloud(run: Run, action: str, *options: str) -> Result:
    return run("backfill", "--in-cloud", action, *options)


def test_it_is_started_followed_and_shown(run: Run, world: World) -> None:
    result = in_cloud(run, "start", "--segments", "2")

    assert result.exit_code == 0, result.output
    assert "Storing: 0 of 9 rows, 0 skipped" in result.stderr
    rows = [line.split("│")[1:3] for line in result.stdout.splitlines() if line.startswith("│")]
    counts = {name.strip(): int(number) for name, number in rows}
    assert counts == {"read": 9, "stored": 8, "superseded": 0, "duplicate": 0, "skipped": 1, "compared": 8}
    assert "Skipped OPS-9 never: the row has no time with an offset" in result.stdout
    assert "Issues missing or older than their row: 0." in result.stdout


@pytest.mark.parametrize("rows", [ROWS[-1:]])
def test_a_table_without_an_issue_fails(run: Run, world: World) -> None:
    result = in_cloud(run, "start")

    assert (result.exit_code, "No row is an issue. Is it the right table?\n" in result.stderr) == (1, True)


def test_as_json_it_prints_one_object_per_poll_and_the_result(run: Run, world: World) -> None:
    result = in_cloud(run, "start", "--json")

    first, *_, last = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["state"], first["phase"], first["rows"]) == ("running", "store", 9)
    assert (last["state"], last["scanned"], last["behind"], len(last["skipped_rows"])) == ("done", 9, 0, 1)


def test_stop_and_resume(run: Run, world: World) -> None:
    world.cloud.start(2, 100)

    stopped = in_cloud(run, "stop")
    resumed = in_cloud(run, "resume", "--writes-per-second", "50")

    assert (stopped.exit_code, "stopped" in stopped.stdout) == (1, True)
    assert "To continue it: python -m handlers.cli backfill --in-cloud resume." in stopped.stderr
    assert resumed.exit_code == 0
    assert world.cloud.status().run.writes_per_second == 50


def test_verify_compares_only(run: Run, world: World) -> None:
    result = in_cloud(run, "verify", "--json")

    last = json.loads(result.stdout.splitlines()[-1])
    assert (result.exit_code, last["scanned"], last["compared"], last["behind"]) == (1, 0, 8, 8)


def test_ctrl_c_leaves_it_running_and_names_the_commands(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    look = world.cloud.status

    def interrupt() -> Status:
        os.kill(os.getpid(), signal.SIGINT)
        return look()

    monkeypatch.setattr(world.cloud, "status", interrupt)
    result = in_cloud(run, "start")

    assert result.exit_code == 1
    assert "The backfill continues. To follow it: python -m handlers.cli backfill --in-cloud follow." in result.stderr
    assert "To stop it: python -m handlers.cli backfill --in-cloud stop." in result.stderr
    assert look().run.running


def test_a_failed_segment_is_shown_with_its_error(run: Run, world: World) -> None:
    world.cloud.start(2, 100)
    world.messages.clear()
    world.now += STALLED_AFTER

    result = in_cloud(run, "follow")

    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "resume" in result.stderr


def test_the_rate_and_the_time_left_are_of_the_last_minute() -> None:
    now = iter([0.0, 10.0, 100.0, 130.0])
    rate = Rate(lambda: next(now))

    assert [rate.add(rows) for rows in (0, 500, 1_400, 2_000)] == [None, 50.0, None, 20.0]


def test_a_line_shows_rows_rate_and_time_left() -> None:
    world = World(ROWS)
    world.start()
    now = iter([0.0, 2.0])
    shown = Progress(9, lambda: next(now))
    shown.report(world.cloud.status())
    world.deliver("m-1", pages=1)

    line, value = shown.report(world.cloud.status())

    assert line == "Storing: 5 of 9 rows, 2 rows/s, 2 s left, 0 skipped"
    assert (value["rows_per_second"], value["seconds_left"]) == (2.5, 2)


def test_a_deployment_without_a_legacy_table_says_what_to_set(run: Run) -> None:
    result = in_cloud(run, "start")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: the deployment has no function backfill: set backfillSourceTableArn and deploy, or use --from-table\n"
    )
