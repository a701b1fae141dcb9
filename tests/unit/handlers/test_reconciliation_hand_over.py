"""The hand-over of a reconciliation: reported first, claimed by (run, part), and called once however often Lambda delivers."""

import functools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lib.jira.reconciliation.continuations import LEASE
from lib.jira.reconciliation.report import Reporter
from lib.platform import aws, clock, errors
from lib.platform.claims import Claims
from tests.support.aws.moto_inside import OPERATIONS
from tests.support.jira.reconciliation import Reconciliation, of, reconciliation
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines

PROJECTS = ("OPS", "WEB", "APP", "LAB")
THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
LOST = ReadTimeoutError(endpoint_url="https://lambda")

deliver = functools.partial(Reconciliation.run, seconds=5.0)
"""One delivery of an event. Each invocation does one project and hands the others over."""


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reconciliation]:
    """The function of a stack with four projects of one issue each."""
    with reconciliation(monkeypatch) as function:
        for project in PROJECTS:
            function.jira.seed(project, 1)
        function.load(JIRA_PROJECTS=",".join(PROJECTS))
        yield function


@pytest.mark.parametrize("event", [{"mode": "full"}, {"mode": "changes"}, {"full": True, "dry_run": True}], ids=str)
def test_an_event_delivered_three_times_continues_once_at_each_depth(function: Reconciliation, event: dict[str, Any]) -> None:
    depths, events = 0, [event]
    while events:
        depths += 1
        for number, each in enumerate(events):
            for _ in range(3):
                deliver(function, each, run_id=f"run-{depths}-{number}")
        events, function.lambda_.events = function.lambda_.events, []
        assert len(events) <= 1
    assert depths == len(PROJECTS)


def test_a_part_that_is_invoked_twice_continues_once(function: Reconciliation) -> None:
    deliver(function)
    [part] = function.lambda_.events
    results = [deliver(function, part, run_id=run_id) for run_id in ("run-2", "run-3")]

    assert len(function.lambda_.events) == 2, "the first part's call, and one more"
    assert [of(result, "APP")["continued"] for result in results] == [True, True]


def test_a_second_delivery_logs_that_the_continuation_exists(function: Reconciliation) -> None:
    lines = LogLines("reconciliation")
    deliver(function)
    deliver(function)

    line = lines.only("continuation_exists")
    assert (line["level"], line["part"], line["claim"]) == ("WARNING", 2, "done")


def test_the_claim_is_a_row_of_its_partition_that_expires(function: Reconciliation) -> None:
    deliver(function, run_id="run-7")

    claim = function.claim("run-7", 2)
    assert claim is not None
    assert claim["status"] == {"S": "done"}
    assert int(claim["expires_at"]["N"]) > clock.epoch_s(clock.utc_now())


def test_the_report_is_complete_before_the_next_part_is_called(
    function: Reconciliation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    lines = LogLines("reconciliation")

    def look(**_: Any) -> None:
        claim = function.claim("run-1", 2)
        seen["claim"] = claim and claim["status"]["S"]
        seen["records"] = len([name for name in function.objects() if name.startswith("runs/")])
        seen["lines"] = len(lines.named("reconciliation_done"))
        seen["metrics"] = {metric.name for metric in metrics_in(capsys.readouterr().out)}

    monkeypatch.setattr(function.lambda_, "invoke", look)
    deliver(function)

    assert (seen["claim"], seen["records"], seen["lines"]) == ("pending", 1, 1)
    assert "ReconciliationFetched" in seen["metrics"]


# What can fail


@pytest.fixture
def killed(function: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> Reconciliation:
    """An invocation that ended between its claim and its call of the next part."""

    def end(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "report", end)
        with pytest.raises(SystemExit):
            deliver(function)
    claim = function.claim("run-1", 2)
    assert claim is not None
    assert claim["status"] == {"S": "pending"}
    return function


def test_after_a_crash_the_claim_holds_for_its_lease(killed: Reconciliation) -> None:
    """The next run, or the nightly sweep, does the rest."""
    deliver(killed)

    assert killed.lambda_.events == []


def test_a_delivery_after_the_lease_continues(killed: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert killed.module is not None
    client = aws.make_client("dynamodb")
    later = Claims(client, OPERATIONS, lease=LEASE, now=lambda: clock.utc_now() + LEASE + timedelta(seconds=1))
    monkeypatch.setattr(killed.module._runner.continuations, "_claims", later)
    deliver(killed)

    assert len(killed.lambda_.events) == 1


def test_a_failed_report_lets_the_next_delivery_continue(function: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "report", lambda *_: 1 / 0)
        with pytest.raises(errors.SwitchboardError):
            deliver(function)
    assert function.lambda_.events == []

    deliver(function)
    assert len(function.lambda_.events) == 1


def test_a_call_that_fails_is_reported_and_releases_the_claim(
    function: Reconciliation, capsys: pytest.CaptureFixture[str]
) -> None:
    function.lambda_.error = THROTTLED
    result = deliver(function)

    assert [entry["continued"] for entry in result["projects"]] == [False] * 4
    assert function.record(result)["refused"] == result["refused"]
    assert all("the rest was not done" in reason for reason in result["refused"])
    metrics = [(m.name, m.value) for m in metrics_in(capsys.readouterr().out) if m.dimensions.get("project") == "OPS"]
    assert [value for name, value in metrics if name == "ReconciliationFetched" and value] == [1]

    function.lambda_.error = None
    deliver(function)
    assert len(function.lambda_.events) == 1


def test_a_call_that_may_have_arrived_keeps_the_claim(function: Reconciliation) -> None:
    function.lambda_.error = LOST
    result = deliver(function)
    assert all("the rest may not be done" in reason for reason in result["refused"])

    function.lambda_.error = None
    deliver(function)
    assert function.lambda_.events == []


def test_without_a_claim_nothing_is_called(function: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise errors.ThrottledError("could not claim")

    monkeypatch.setattr(Claims, "claim", fail)
    result = deliver(function)

    assert function.lambda_.events == []
    assert ["the rest was not done: could not claim" in reason for reason in result["refused"]] == [True] * 3


def test_a_claim_that_can_not_be_completed_is_logged(function: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise errors.ThrottledError("could not settle")

    lines = LogLines("reconciliation")
    monkeypatch.setattr(Claims, "complete", fail)
    result = deliver(function)

    assert (result["refused"], len(function.lambda_.events)) == ([], 1)
    assert lines.only("continuation_claim_not_updated")["error_text"] == "could not settle"
