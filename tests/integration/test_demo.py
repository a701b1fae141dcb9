"""The demo where something fails, or somebody stops it: it says so, and the story goes on as far as it can."""

import io
import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from stack.local.cloud import LocalCloud
from stack.local.demo import approvals, jira, leases
from stack.local.demo.stage import Stage, percentile, plot
from stack.local.serving import Server
from stack.local.standins.jira import Jira
from stack.local.standins.slack import Slack
from tests.support.cloud import ROOT, children_of, is_alive

NO_CLOUD = cast("LocalCloud", SimpleNamespace())


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stage(shown: io.StringIO) -> Stage:
    return Stage(Console(file=shown, width=160))


def test_a_part_that_breaks_off_fails_its_claim_and_the_next_begins_all_the_same(stage: Stage, shown: io.StringIO) -> None:
    def breaks(_: LocalCloud, __: Stage) -> None:
        raise StopIteration

    stage.play(NO_CLOUD, "Leases", breaks)
    stage.play(NO_CLOUD, "Jira", lambda _, stage: stage.check(True, "the second was told"))

    assert "✗ Leases: told to the end" in shown.getvalue()
    assert "✓ the second was told" in shown.getvalue()
    assert stage.close() == 1


def test_no_latency_at_all_fails_the_claim_on_latency_and_not_the_demo(
    stage: Stage, shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "until", lambda *_: [{"message": "lease_event"}])

    leases._show_measures(NO_CLOUD, stage, 1)

    assert "✗ the p99 of the enrichment query is under 200 ms" in shown.getvalue()
    assert "no e-mail address in 1 log lines" in shown.getvalue(), "the part goes on to its end"
    assert not percentile([], 0.5) < 200
    assert plot([]) == []


def test_a_preview_that_slack_does_not_have_stands_as_it_was_given() -> None:
    slack = Server(Slack())
    cloud = SimpleNamespace(
        standins={"slackApiUrl": slack.url, "jiraBaseUrl": ""}, ready=SimpleNamespace(http_url="http://127.0.0.1:1")
    )
    try:
        nothing = {"ts": "", "channel": "", "blocks": []}
        assert approvals._Desk(cast("LocalCloud", cloud)).now(nothing) == nothing
    finally:
        slack.close()


def test_the_demo_reads_jira_by_the_account_of_the_stack_file() -> None:
    site = Server(Jira({"switchboard@example.com": "local-jira-api-token"}))
    try:
        reader = jira._JiraSite(site.url)
        assert reader.state(reader.create("Deploy by hand")) == "To Do"
    finally:
        site.close()


def test_ctrl_c_stops_the_demo_and_it_does_not_say_that_it_was_starting() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "stack.local", "demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("put-events" in line or "Leases, in LeaseTable" in line for line in process.stdout)
        functions = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()

    assert error == "The demo was stopped.\n"
    assert "claims held" not in out
    assert process.returncode != 0
    assert functions
    assert not any(is_alive(pid) for pid in functions)
