"""``trace`` and ``logs`` print what happened, one line per event, in Phoenix time; ``logs -f`` continues until Ctrl-C."""

import json
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import Result

from tests.support.operations.deployment import Deployment

Run = Callable[..., Result]


def messages(result: Result) -> list[str]:
    """The level, function and event of each line."""
    assert result.exit_code == 0, result.stderr
    assert all(line.split(" ", 1)[0].endswith("-07:00") for line in result.stdout.splitlines())
    return [line.split(" ", 1)[1] for line in result.stdout.splitlines()]


def test_logs_are_in_the_order_of_time_and_filtered(run: Run, deployment: Deployment) -> None:
    deployment.log("health", "health_report", ago=timedelta(minutes=2))
    deployment.log("approvals", "click", session_id="chat-7", ago=timedelta(minutes=3))
    deployment.log("jira_worker", "preview_gone", session_id="chat-7", level="WARNING", ago=timedelta(minutes=1))
    deployment.log("jira_worker", "batch_done", ago=timedelta(minutes=90))

    assert messages(run("logs")) == [
        "INFO approvals: click session_id=chat-7",
        "INFO health: health_report",
        "WARNING jira_worker: preview_gone session_id=chat-7",
    ]
    assert messages(run("logs", "chat-7", "--level", "warning")) == ["WARNING jira_worker: preview_gone session_id=chat-7"]
    assert messages(run("logs", "--function", "health", "--function", "approvals", "--limit", "1")) == [
        "INFO health: health_report"
    ]
    assert len(messages(run("logs", "--since", "2h"))) == 4
    assert messages(run("logs", "--since", "90m", "--function", "health")) == ["INFO health: health_report"]


def test_logs_show_no_address_and_no_metric(run: Run, deployment: Deployment) -> None:
    deployment.log("health", "x", _aws={"CloudWatchMetrics": []})
    deployment.log("health", "user ada@example.com", about={"users": ["ada@example.com"]})

    text, as_json = run("logs"), run("logs", "--json")

    assert len(text.stdout.splitlines()) == len(as_json.stdout.splitlines()) == 1
    assert "ada" not in text.stdout + as_json.stdout
    assert json.loads(as_json.stdout)["function"] == "health"


def test_follow_prints_each_new_line_once(run: Run, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment.log("health", "first")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            raise KeyboardInterrupt
        if len(waits) == 2:
            deployment.log("approvals", "second")

    monkeypatch.setattr(time, "sleep", wait)

    assert messages(run("logs", "-f")) == ["INFO health: first", "INFO approvals: second"]


def test_a_trace_prints_what_is_known(run: Run, deployment: Deployment) -> None:
    deployment.log("approvals", "click", session_id="chat-7", level="ERROR")

    text, as_json = run("trace", "chat-7"), run("trace", "chat-7", "--json")

    assert messages(text) == ["ERROR log of approvals: click session_id=chat-7"]
    assert text.stderr == "1 entry.\n"
    assert json.loads(as_json.stdout)["level"] == "ERROR"


def test_a_trace_of_an_unknown_id_fails(run: Run, deployment: Deployment) -> None:
    result = run("trace", "nobody-knows", "--since", "2d")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Nothing is known about nobody-knows in the last 2 days.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("trace", "a b"), "is not an id: 3 to 256 characters without blanks and quotation marks."),
        (("logs", "--since", "soon"), "'soon' is not a length of time: write 30m, 12h, 7d or 4w."),
        (("prune", "--older-than", "3m"), "'3m' is not a length of time: write 12h, 90d or 4w."),
    ],
)
def test_a_wrong_argument_is_a_usage_error(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert sentence in result.stderr
