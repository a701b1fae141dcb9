"""The demo when something fails or somebody stops it: it reports this, and continues as far as it can."""

import io
import signal
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console
from rich.text import Text

from stack.local.cloud import LocalCloud
from stack.local.demo import approvals, jira, leases
from stack.local.demo.stage import NEXT_STEPS, Stage, percentile, plot
from stack.local.standins.jira import Jira
from stack.local.standins.slack import Slack
from tests.support.cloud import children_of, is_alive, launch
from tests.support.web.standins import served

NO_CLOUD = cast("LocalCloud", SimpleNamespace())


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stage(shown: io.StringIO) -> Stage:
    return Stage(Console(file=shown, width=160))


def test_a_flow_that_raises_fails_a_check_and_the_next_flow_begins(stage: Stage, shown: io.StringIO) -> None:
    def breaks(_: LocalCloud, __: Stage) -> None:
        raise StopIteration

    stage.play(NO_CLOUD, "Leases", breaks)
    stage.play(NO_CLOUD, "Jira", lambda _, stage: stage.check(True, "the second flow was played"))

    assert "✗ Leases: the flow was played to its end" in shown.getvalue()
    assert "✓ the second flow was played" in shown.getvalue()
    assert stage.close() == 1
    assert "1 of 2 checks failed" in shown.getvalue()
    assert NEXT_STEPS not in shown.getvalue()


def test_the_last_lines_say_what_to_try_next(stage: Stage, shown: io.StringIO) -> None:
    stage.check(True, "a check with [brackets]")

    assert stage.close() == 0
    assert "✓ a check with [brackets]" in shown.getvalue()
    assert shown.getvalue().endswith(f"{NEXT_STEPS}\n")


@pytest.mark.parametrize("full", [False, True])
def test_details_are_shown_in_the_full_demo_only(shown: io.StringIO, full: bool) -> None:
    Stage(Console(file=shown, width=80), full=full).detail(Text("a detail"))

    assert ("a detail" in shown.getvalue()) == full


def test_progress_prints_one_line_or_none_where_there_is_no_terminal(stage: Stage, shown: io.StringIO) -> None:
    with stage.busy("Starting …"):
        assert list(stage.steps([1, 2], "deliver")) == [1, 2]

    assert shown.getvalue() == "  Starting …\n"


def test_without_a_latency_its_check_fails_and_the_demo_goes_on(stage: Stage, shown: io.StringIO) -> None:
    leases._show_latency(stage, [{"message": "lease_event"}])

    assert "✗ EnrichmentQueryLatencyMs of 0 queries" in shown.getvalue()
    assert stage.close() == 1
    assert not percentile([], 0.5) < 200
    assert plot([]) == []


def test_a_preview_that_slack_does_not_have_is_kept_as_it_was_given() -> None:
    with served(Slack()) as slack:
        cloud = SimpleNamespace(
            standins={"slackApiUrl": slack.url, "jiraBaseUrl": ""}, ready=SimpleNamespace(http_url="http://127.0.0.1:1")
        )
        nothing = {"ts": "", "channel": "", "blocks": []}
        assert approvals.Approvals(cast("LocalCloud", cloud)).now(nothing) == nothing


def test_the_demo_reads_jira_by_the_account_of_the_stack_file() -> None:
    with served(Jira({"switchboard@example.com": "local-jira-api-token"})) as site:
        reader = jira._JiraSite(site.url)
        assert reader.state(reader.create("Deploy by hand")) == "To Do"


def test_ctrl_c_stops_the_demo_and_every_function_process() -> None:
    process = launch("demo")
    try:
        assert process.stdout is not None
        assert any("Lease events on the event bus" in line for line in process.stdout)
        functions = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()

    assert error == "The demo was stopped.\n"
    assert "checks passed" not in out
    assert process.returncode != 0
    assert functions
    assert not any(is_alive(pid) for pid in functions)
