"""The reconciliation function: what it is asked, what it does, and what it says came of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.platform import clock, errors
from stack.local.standins.faults import Fault
from tests.support.aws.lambda_context import LambdaContext
from tests.support.jira.reconciliation import EMAIL, TOKEN, Reconciliation, counts, of, reconciliation
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines

SEARCH = "/rest/api/3/search/jql"


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reconciliation]:
    with reconciliation(monkeypatch) as function:
        yield function


@pytest.fixture
def in_step(ops: Reconciliation) -> Reconciliation:
    """Twelve issues that the store has."""
    ops.jira.seed("OPS", 12)
    assert of(ops.run())["complete"]
    return ops


def metrics(capsys: pytest.CaptureFixture[str], project: str = "OPS") -> dict[str, float]:
    """The metrics of a project since last asked, added up; those that are zero left out."""
    total: dict[str, float] = {}
    for metric in metrics_in(capsys.readouterr().out):
        if metric.dimensions.get("project") == project and metric.value:
            total[metric.name] = total.get(metric.name, 0) + metric.value
    return total


def test_the_nightly_sweep_fills_an_empty_table_and_tells_of_it(ops: Reconciliation) -> None:
    ops.jira.seed("OPS", 3)
    result = ops.run({"mode": "full"})

    assert result.keys() == {"run_id", "mode", "dry_run", "projects", "refused", "record"}
    assert (result["run_id"], result["mode"], result["dry_run"], result["refused"]) == ("run-1", "full", False, [])
    assert result["projects"] == [
        {
            "project": "OPS",
            "counts": {"fetched": 3, "created": 3, "updated": 0, "deleted": 0, "unchanged": 0, "failed": 0},
            "refused": [],
            "complete": True,
            "continued": False,
            "changes": [{"issue_key": f"OPS-{number}", "action": "created"} for number in (1, 2, 3)],
        }
    ]
    assert ops.stored() == ["OPS-1", "OPS-2", "OPS-3"]


def test_moved_deleted_and_edited_issues_are_caught_up_with(in_step: Reconciliation) -> None:
    in_step.jira.edit("OPS-3", status="Done")
    in_step.jira.delete("OPS-5")
    in_step.jira.edit("OPS-7", project="WEB")
    result = in_step.run()

    assert counts(result) == {"fetched": 10, "updated": 1, "deleted": 2, "unchanged": 9}
    assert in_step.reader.latest("OPS-5").deleted
    assert in_step.reader.latest("OPS-7").moved_to == "WEB-1"
    assert in_step.stored("WEB") == ["WEB-1"]


def test_search_lag_deletes_nothing(in_step: Reconciliation) -> None:
    in_step.jira.site.lag = timedelta(hours=1)
    in_step.jira.create("OPS", "too fresh for search")
    in_step.jira.edit("OPS-3", status="Done")

    assert counts(in_step.run()) == {"fetched": 12, "unchanged": 12}


# What it is asked


@pytest.mark.parametrize("event", [{}, {"mode": "changes"}, {"full": False}, {"project": "OPS"}])
def test_by_default_it_looks_at_the_changes_of_every_configured_project(in_step: Reconciliation, event: dict[str, Any]) -> None:
    in_step.jira.edit("OPS-3", status="Done")
    in_step.jira.delete("OPS-5")
    result = in_step.run(event)

    assert (result["mode"], counts(result)["updated"]) == ("changes", 1)
    assert "OPS-5" in in_step.stored(), "a look at changes deletes nothing"


@pytest.mark.parametrize("event", [{"mode": "full"}, {"full": True}, {"full": True, "project": "OPS"}])
def test_a_person_can_ask_for_a_full_sweep(in_step: Reconciliation, event: dict[str, Any]) -> None:
    in_step.jira.delete("OPS-5")

    assert counts(in_step.run(event))["deleted"] == 1


def test_a_project_that_is_not_configured_is_swept_if_a_person_names_it(in_step: Reconciliation) -> None:
    in_step.jira.seed("WEB", 2)

    assert counts(in_step.run({"project": "WEB", "full": True}), "WEB") == {"fetched": 2, "created": 2}


def test_a_key_range_is_swept_alone(in_step: Reconciliation) -> None:
    for number in (2, 6, 11):
        in_step.jira.delete(f"OPS-{number}")
    result = in_step.run({"key_range": {"project": "OPS", "after": 4, "through": 8}})

    assert counts(result) == {"fetched": 3, "deleted": 1, "unchanged": 3}
    assert {"OPS-2", "OPS-11"} <= set(in_step.stored())


def test_an_event_that_can_not_be_read_fails_with_one_line_and_asks_jira_nothing(ops: Reconciliation) -> None:
    module = ops.load()
    lines = LogLines("reconciliation")
    with pytest.raises(errors.InvalidInputError, match="mode is one of changes, full"):
        module.lambda_handler({"mode": "all"}, LambdaContext())

    assert "mode is one of" in lines.only("event_failed")["error_text"]
    assert ops.jira.requests == []


# What it may not write


def test_a_dry_run_counts_and_writes_nothing_at_all(in_step: Reconciliation, capsys: pytest.CaptureFixture[str]) -> None:
    in_step.jira.edit("OPS-3", status="Done")
    in_step.jira.delete("OPS-5")
    before = in_step.everything()
    capsys.readouterr()
    for event in ({"full": True, "dry_run": True}, {"dry_run": True}):
        assert in_step.run(event)["dry_run"]

    assert in_step.everything() == before
    assert metrics(capsys) == {}


def test_a_dry_run_names_what_it_would_do(in_step: Reconciliation) -> None:
    in_step.jira.edit("OPS-3", status="Done")
    in_step.jira.delete("OPS-5")
    result = in_step.run({"full": True, "dry_run": True})

    assert of(result)["changes"] == [
        {"issue_key": "OPS-3", "action": "updated"},
        {"issue_key": "OPS-5", "action": "deleted"},
    ]
    assert result["record"] is None


def test_more_deletions_than_allowed_are_refused_and_said(in_step: Reconciliation, capsys: pytest.CaptureFixture[str]) -> None:
    in_step.load(RECONCILE_MAX_DELETES="2")
    for number in (1, 2, 3):
        in_step.jira.delete(f"OPS-{number}")
    capsys.readouterr()
    result = in_step.run()

    assert "3 of 12 issues are missing" in result["refused"][0]
    assert of(result)["refused"] == result["refused"]
    assert not of(result)["complete"]
    assert len(in_step.stored()) == 12
    assert metrics(capsys) == {
        "ReconciliationFetched": 9,
        "ReconciliationUnchanged": 9,
        "ReconciliationRefused": 1,
        "ReconciliationRun": 1,
    }


@pytest.mark.parametrize(
    ("event", "modes"),
    [({}, ["changes"]), ({"full": True}, ["full"]), ({"key_range": {"project": "OPS", "after": 3}}, [])],
    ids=["changes", "sweep", "a range"],
)
def test_a_run_that_ended_is_counted_by_its_mode_and_a_range_is_no_run(
    in_step: Reconciliation, capsys: pytest.CaptureFixture[str], event: dict[str, Any], modes: list[str]
) -> None:
    capsys.readouterr()
    in_step.run(event)

    runs = [metric.dimensions for metric in metrics_in(capsys.readouterr().out) if metric.name == "ReconciliationRun"]
    assert [(run["project"], run["mode"]) for run in runs] == [("OPS", mode) for mode in modes]


FAULTS: list[dict[str, Any]] = [
    {"error": "expired_token", "times": 9},
    {"error": "rate_limited", "times": 9},
    {"error": "half_page", "times": 9},
    {"status": 500, "times": 9},
]


@pytest.mark.parametrize("fault", FAULTS, ids=["401", "429", "half a page", "500"])
def test_a_fault_half_way_deletes_nothing_and_says_so(
    ops: Reconciliation, capsys: pytest.CaptureFixture[str], fault: dict[str, Any]
) -> None:
    ops.jira.seed("OPS", 120)
    ops.run()
    for number in (20, 110):
        ops.jira.delete(f"OPS-{number}")
    ops.jira.faults.add(Fault(path=SEARCH, hang=0.001))  # the first page is answered
    ops.jira.faults.add(Fault(path=SEARCH, **fault))
    capsys.readouterr()
    result = ops.run()

    assert "nothing was deleted" in result["refused"][0]
    assert of(result)["counts"]["deleted"] == 0
    assert len(ops.stored()) == 120
    assert metrics(capsys)["ReconciliationRefused"] == 1


def test_no_retry_of_lambda_is_asked_for_what_would_be_refused_again(in_step: Reconciliation) -> None:
    """It returns: to raise would have Lambda sweep twice more with the same token."""
    in_step.jira.faults.add(Fault(path="/rest/api/3/project/OPS", error="expired_token", times=9))

    assert "401" in in_step.run()["refused"][0]


def test_a_row_that_failed_is_in_result_metric_and_record(
    in_step: Reconciliation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_step.jira.edit("OPS-3", status="Done")
    in_step.jira.edit("OPS-4", status="Done")
    module = in_step.load()
    record = module._store.record

    def fail_once(delivery: Any) -> Any:
        if delivery.issue_key == "OPS-3":
            raise errors.ThrottledError("could not store the issue of OPS-3, says ada@sandbox.example")
        return record(delivery)

    monkeypatch.setattr(module._store, "record", fail_once)
    capsys.readouterr()
    result = in_step.run()

    assert counts(result) == {"fetched": 12, "updated": 1, "unchanged": 10, "failed": 1}
    assert not of(result)["complete"]
    assert metrics(capsys)["ReconciliationFailed"] == 1
    failed = next(issue for issue in in_step.record(result)["issues"] if issue["action"] == "failed")
    assert failed["issue_key"] == "OPS-3"
    assert "could not store" in failed["reason"]
    assert "ada@" not in str(in_step.record(result)) + str(result)


# An issue that can't be read: no store holds what Jira tells of it, today or tomorrow


@pytest.fixture
def one_unreadable(in_step: Reconciliation) -> Reconciliation:
    in_step.jira.edit("OPS-3", updated=datetime.max.replace(tzinfo=UTC))  # not a time in every zone
    in_step.jira.edit("OPS-4", status="Done")
    return in_step


def test_an_issue_that_can_not_be_read_is_told_and_does_not_hold_the_watermark_for_ever(
    one_unreadable: Reconciliation, capsys: pytest.CaptureFixture[str]
) -> None:
    result = one_unreadable.run({})

    assert counts(result)["failed"] == 1
    assert metrics(capsys)["ReconciliationFailed"] == 1
    assert one_unreadable.watermark() is not None


def test_an_issue_that_can_not_be_read_keeps_no_other_from_being_correlated(one_unreadable: Reconciliation) -> None:
    one_unreadable.recomputes()
    one_unreadable.jira.edit("OPS-4", status="To Do")
    result = one_unreadable.run()

    assert counts(result)["failed"] == 1
    assert of(result)["complete"]
    # None of them has been correlated yet: the sweep makes good what a lost message has cost.
    assert {"OPS-1", "OPS-2", "OPS-4"} <= set(one_unreadable.recomputes())


# Watermarks


def test_the_watermark_goes_on_after_a_look_at_all_changes(in_step: Reconciliation) -> None:
    before = clock.canonical(clock.utc_now())
    in_step.run({})
    first = in_step.watermark()
    in_step.run({})

    assert first is not None
    assert before <= first < (in_step.watermark() or "")


def test_the_next_look_begins_where_the_last_one_ended(in_step: Reconciliation) -> None:
    in_step.run({})
    in_step.jira.requests.clear()
    in_step.run({})

    (search,) = [request for request in in_step.jira.requests if request["path"] == SEARCH]
    assert '\\"-6m\\"' in search["body"], "five minutes of overlap, and the minute since"


def test_a_look_that_failed_leaves_the_watermark_where_it_was(in_step: Reconciliation) -> None:
    in_step.run({})
    before = in_step.watermark()
    in_step.jira.faults.add(Fault(path=SEARCH, status=500, times=9))
    assert in_step.run({})["refused"]

    assert in_step.watermark() == before


@pytest.mark.parametrize("requests_before", [0, 1, 2])
def test_an_expired_token_keeps_the_watermark_for_the_next_good_run(in_step: Reconciliation, requests_before: int) -> None:
    """Before the run, in its listing, and after it: Jira answers as if nothing had changed."""
    in_step.run({})
    before = in_step.watermark()
    in_step.jira.edit("OPS-3", status="Done")
    in_step.jira.site.restricted = {f"OPS-{number}" for number in range(1, 13)}
    in_step.jira.faults.add(Fault(path="*", error="anonymous", skip=requests_before, times=99))
    result = in_step.run({})
    assert "did not accept the credentials" in result["refused"][0]
    assert in_step.watermark() == before

    in_step.jira.faults.clear()
    assert counts(in_step.run({})).get("updated", 0) + counts(result).get("updated", 0) == 1
    assert in_step.reader.latest("OPS-3").fields.status == "Done"


def test_a_full_sweep_and_a_dry_run_leave_the_watermark_alone(in_step: Reconciliation) -> None:
    in_step.run({"mode": "full"})
    in_step.run({"dry_run": True})

    assert in_step.watermark() is None


@pytest.mark.parametrize("method", ["read", "advance"])
def test_a_watermark_that_can_not_be_had_is_refused(
    in_step: Reconciliation, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def refuse(*_: Any) -> None:
        raise errors.ThrottledError("could not reach the watermark")

    monkeypatch.setattr(in_step.load()._watermarks, method, refuse)
    result = in_step.run({})

    assert "could not reach the watermark" in result["refused"][0]
    assert not of(result)["complete"]


# Several projects


def test_each_project_has_its_turn_whatever_becomes_of_the_others(
    ops: Reconciliation, capsys: pytest.CaptureFixture[str]
) -> None:
    ops.load(JIRA_PROJECTS="OPS,GONE,WEB")
    ops.jira.seed("OPS", 2)
    ops.jira.seed("WEB", 3)
    result = ops.run()

    assert [entry["project"] for entry in result["projects"]] == ["OPS", "GONE", "WEB"]
    assert (counts(result, "OPS")["created"], counts(result, "WEB")["created"]) == (2, 3)
    assert "GONE" in result["refused"][0]
    assert not of(result, "GONE")["complete"]
    output = metrics_in(capsys.readouterr().out)
    assert [m.dimensions["project"] for m in output if m.name == "ReconciliationRefused"] == ["GONE"]


def test_a_defect_in_one_project_is_its_refusal_and_a_trace_in_the_log(
    ops: Reconciliation, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ops.load(JIRA_PROJECTS="OPS,WEB")
    lines = LogLines("reconciliation")
    ops.jira.seed("OPS", 1)
    ops.jira.seed("WEB", 1)
    sweep = module.Reconciler.sweep

    def break_down(self: Any, start: Any) -> Any:
        if start.key_range.project == "OPS":
            raise KeyError(EMAIL)
        return sweep(self, start)

    monkeypatch.setattr(module.Reconciler, "sweep", break_down)
    result = ops.run()

    assert "stopped by a defect (KeyError)" in of(result, "OPS")["refused"][0]
    assert of(result, "WEB")["complete"]
    assert "Traceback" in lines.only("project_failed")["exception"]
    assert EMAIL not in lines.text


def test_a_configured_project_that_is_no_key_is_refused(ops: Reconciliation) -> None:
    ops.load(JIRA_PROJECTS="ops")

    assert "is not a project key" in ops.run({})["refused"][0]


# What is not configured


@pytest.mark.parametrize(
    ("variable", "name"),
    [("JIRA_BASE_URL", "jiraBaseUrl"), ("JIRA_EMAIL", "jiraEmail"), ("JIRA_API_TOKEN_ARN", "jiraApiToken")],
)
def test_a_jira_that_is_not_configured_is_a_refusal_and_no_crash(ops: Reconciliation, variable: str, name: str) -> None:
    ops.load(**{variable: ""})

    assert ops.run()["refused"] == [f"OPS: Jira is not configured: {name} not set"]


def test_without_a_project_nothing_is_done_and_that_is_said(ops: Reconciliation) -> None:
    ops.load(JIRA_PROJECTS="")
    result = ops.run()

    assert (result["projects"], result["refused"]) == ([], ["no project is configured: set jiraProjects, or name one"])
    assert ops.record(result)["refused"] == result["refused"]


def test_a_wrong_limit_is_a_refusal(ops: Reconciliation) -> None:
    ops.load(RECONCILE_MAX_DELETES="many")

    assert "reconcileMaxDeletes is a number or a percentage" in ops.run()["refused"][0]


def test_a_secret_that_can_not_be_read_is_a_refusal(ops: Reconciliation) -> None:
    ops.load(JIRA_API_TOKEN_ARN="arn:aws:secretsmanager:us-west-2:123456789012:secret:gone-AbCdEf")

    assert "could not read the secret" in ops.run()["refused"][0]


# What is on record


def test_the_record_names_each_change_and_the_counts(in_step: Reconciliation) -> None:
    in_step.jira.edit("OPS-3", status="Done")
    in_step.jira.delete("OPS-5")
    result = in_step.run()
    record = in_step.record(result)

    assert result["record"].startswith("runs/reconciliation/")
    assert (record["run_id"], record["git_sha"], record["timezone"]) == ("run-1", "1efc1f6", "America/Phoenix")
    assert record["issues"] == of(result)["changes"]
    (project,) = record["projects"]
    assert (project["project"], project["updated"], project["deleted"]) == ("OPS", 1, 1)


def test_a_record_that_can_not_be_stored_is_said(in_step: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "PutObject")

    module = in_step.load()
    monkeypatch.setattr(module._s3(), "put_object", refuse)
    result = in_step.run()

    assert result["record"] is None
    assert "what was done is not on record" in result["refused"][0]


def test_each_line_carries_the_run_and_none_the_token(in_step: Reconciliation) -> None:
    in_step.load()
    lines = LogLines("reconciliation")
    in_step.jira.faults.add(Fault(path=SEARCH, error="expired_token", times=9))
    in_step.run(run_id="run-7")

    told = {"correlation_queued", "project_reconciled", "reconciliation_refused", "reconciliation_done"}
    assert {line["message"] for line in lines.all()} == told
    assert all((line["run_id"], line["correlation_id"]) == ("run-7", "run-7") for line in lines.all())
    refused = lines.only("reconciliation_refused")
    assert (refused["level"], refused["project"]) == ("ERROR", "OPS")
    assert TOKEN not in lines.text
    assert EMAIL not in lines.text


def test_the_line_of_a_project_names_its_counts(in_step: Reconciliation) -> None:
    in_step.load()
    lines = LogLines("reconciliation")
    in_step.jira.edit("OPS-3", status="Done")
    in_step.run()

    line = lines.only("project_reconciled")
    assert {name: line[name] for name in line if name.startswith("issues_")} == {
        "issues_fetched": 12,
        "issues_created": 0,
        "issues_updated": 1,
        "issues_deleted": 0,
        "issues_unchanged": 11,
        "issues_failed": 0,
    }
    assert [name for name in line if name.endswith("_")] == []


def test_what_the_function_does_when_it_is_broken_itself_is_to_fail_without_a_text(
    in_step: Reconciliation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise KeyError(EMAIL)

    module = in_step.load()
    monkeypatch.setattr(module._records(), "write", break_down)
    with pytest.raises(errors.SwitchboardError) as failure:
        in_step.run()

    assert str(failure.value) == "the reconciliation could not be done: KeyError"
