"""What a reconciliation reports of its projects: refusals, the run record, and the log."""

from typing import Any

import pytest

from lib.jira.reconciliation import report
from lib.jira.reconciliation.reconciler import Reconciler
from lib.platform import errors
from stack.local.standins.faults import Fault
from tests.support.aws.wire import aws_error
from tests.support.jira.reconciliation import EMAIL, SEARCH, TOKEN, Reconciliation, counts, of
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines


def test_each_project_is_reconciled_whatever_happens_to_the_others(
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


def test_a_defect_in_one_project_is_a_refusal_with_a_stack_trace(ops: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    ops.load(JIRA_PROJECTS="OPS,WEB")
    lines = LogLines("reconciliation")
    ops.jira.seed("OPS", 1)
    ops.jira.seed("WEB", 1)
    sweep = Reconciler.sweep

    def break_down(self: Any, start: Any) -> Any:
        if start.key_range.project == "OPS":
            raise KeyError(EMAIL)
        return sweep(self, start)

    monkeypatch.setattr(Reconciler, "sweep", break_down)
    result = ops.run()

    assert "stopped by a defect (KeyError)" in of(result, "OPS")["refused"][0]
    assert of(result, "WEB")["complete"]
    assert "Traceback" in lines.only("project_failed")["exception"]
    assert EMAIL not in lines.text


def test_a_configured_project_with_a_malformed_key_is_refused(ops: Reconciliation) -> None:
    ops.load(JIRA_PROJECTS="ops")

    assert "is not a project key" in ops.run({})["refused"][0]


@pytest.mark.parametrize(("seconds", "logged"), [(0.0, [(1, 10, 10), (2, 12, 12)]), (60.0, [])])
def test_a_long_run_logs_its_progress_now_and_then(
    ops: Reconciliation,
    pages_of_ten: None,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    logged: list[tuple[int, int, int]],
) -> None:
    monkeypatch.setattr(report, "PROGRESS_SECONDS", seconds)
    ops.load(JIRA_PROJECTS="OPS")
    lines = LogLines("reconciliation")
    ops.jira.seed("OPS", 12)

    ops.run()

    found = [line for line in lines.named("reconciliation_progress") if line["project"] == "OPS"]
    assert [(line["pages"], line["position"], line["issues_fetched"]) for line in found] == logged


# What is not configured


@pytest.mark.parametrize(
    ("variable", "name"),
    [("JIRA_BASE_URL", "jiraBaseUrl"), ("JIRA_EMAIL", "jiraEmail"), ("JIRA_API_TOKEN_ARN", "jiraApiToken")],
)
def test_without_jira_configured_every_project_is_refused(ops: Reconciliation, variable: str, name: str) -> None:
    ops.load(**{variable: ""})

    assert ops.run()["refused"] == [f"OPS: Jira is not configured: {name} not set"]


def test_without_a_project_the_run_is_refused(ops: Reconciliation) -> None:
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


def test_the_record_names_each_change_and_the_counts(synced: Reconciliation) -> None:
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.delete("OPS-5")
    result = synced.run()
    record = synced.record(result)

    assert result["record"].startswith("runs/reconciliation/")
    assert (record["run_id"], record["git_sha"], record["timezone"]) == ("run-1", "1efc1f6", "America/Phoenix")
    assert record["issues"] == of(result)["changes"]
    (project,) = record["projects"]
    assert (project["project"], project["updated"], project["deleted"]) == ("OPS", 1, 1)


def test_a_refused_deletion_names_the_first_100_missing_issues(ops: Reconciliation) -> None:
    ops.load(RECONCILE_MAX_DELETES="2")
    ops.jira.seed("OPS", 120)
    ops.run()
    for number in range(1, 111):
        ops.jira.delete(f"OPS-{number}")
    lines = LogLines("reconciliation")
    result = ops.run()

    named = [f"OPS-{number}" for number in range(1, 101)]
    assert "Jira lacks 110 of 120 issues, and a run may delete at most 2 (reconcileMaxDeletes)" in result["refused"][0]
    assert result["refused"][0].endswith(" --full --max-deletes 110")
    assert of(result)["missing"] == named
    assert ops.record(result)["projects"][0]["missing"] == named
    assert " ".join(lines.only("reconciliation_refused")["missing"]).split() == named


def test_one_run_may_delete_more_and_its_record_says_so(synced: Reconciliation) -> None:
    synced.load(RECONCILE_MAX_DELETES="2")
    for number in (1, 2, 3):
        synced.jira.delete(f"OPS-{number}")
    event = {"full": True, "project": "OPS"}
    too_few = synced.run({**event, "max_deletes": 2})
    result = synced.run({**event, "max_deletes": 3})

    assert "may delete at most 2 (the max_deletes of this run)" in too_few["refused"][0]
    assert (result["refused"], of(result)["counts"]["deleted"], result["max_deletes"]) == ([], 3, 3)
    assert synced.record(result)["max_deletes"] == 3
    synced.jira.delete("OPS-4")
    assert "max_deletes" not in synced.record(synced.run()), "the next run has the configured limit"


def test_a_run_record_that_can_not_be_stored_is_a_refusal(synced: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise aws_error("AccessDenied", status=403)

    module = synced.load()
    monkeypatch.setattr(module._runner.reporter._records._get_client(), "put_object", refuse)
    result = synced.run()

    assert result["record"] is None
    assert "what was done is not on record" in result["refused"][0]


def test_each_log_line_has_the_run_id_and_none_the_token(synced: Reconciliation) -> None:
    synced.load()
    lines = LogLines("reconciliation")
    synced.jira.faults.add(Fault(path=SEARCH, error="expired_token", times=9))
    synced.run(run_id="run-7")

    events = {"correlation_queued", "project_reconciled", "reconciliation_refused", "reconciliation_done"}
    assert {line["message"] for line in lines.all()} == events
    assert all((line["run_id"], line["correlation_id"]) == ("run-7", "run-7") for line in lines.all())
    refused = lines.only("reconciliation_refused")
    assert (refused["level"], refused["project"]) == ("ERROR", "OPS")
    assert TOKEN not in lines.text
    assert EMAIL not in lines.text


def test_the_log_line_of_a_project_has_its_counts(synced: Reconciliation) -> None:
    synced.load()
    lines = LogLines("reconciliation")
    synced.jira.edit("OPS-3", status="Done")
    synced.run()

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


def test_a_defect_fails_the_invocation_without_the_text_of_the_error(
    synced: Reconciliation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: Any, **__: Any) -> None:
        raise KeyError(EMAIL)

    module = synced.load()
    monkeypatch.setattr(module._runner.reporter._records, "write", break_down)
    with pytest.raises(errors.SwitchboardError) as failure:
        synced.run()

    assert str(failure.value) == "the event could not be handled: KeyError"
