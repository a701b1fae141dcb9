"""The reconciliation function: its events, its work and its reports."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.platform import clock, errors
from stack.local.standins.faults import Fault
from tests.support.aws.lambda_context import LambdaContext
from tests.support.jira.reconciliation import EMAIL, TOKEN, Reconciliation, counts, of
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines

SEARCH = "/rest/api/3/search/jql"


@pytest.fixture
def synced(ops: Reconciliation) -> Reconciliation:
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


def test_the_nightly_sweep_fills_an_empty_table_and_reports_it(ops: Reconciliation) -> None:
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


def test_a_sweep_applies_moves_deletions_and_edits(synced: Reconciliation) -> None:
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.delete("OPS-5")
    synced.jira.edit("OPS-7", project="WEB")
    result = synced.run()

    assert counts(result) == {"fetched": 10, "updated": 1, "deleted": 2, "unchanged": 9}
    assert synced.reader.latest("OPS-5").deleted
    assert synced.reader.latest("OPS-7").moved_to == "WEB-1"
    assert synced.stored("WEB") == ["WEB-1"]


def test_search_lag_deletes_nothing(synced: Reconciliation) -> None:
    synced.jira.site.lag = timedelta(hours=1)
    synced.jira.create("OPS", "too fresh for search")
    synced.jira.edit("OPS-3", status="Done")

    assert counts(synced.run()) == {"fetched": 12, "unchanged": 12}


# What it is asked


@pytest.mark.parametrize("event", [{}, {"mode": "changes"}, {"full": False}, {"project": "OPS"}])
def test_by_default_the_changes_of_every_configured_project_are_processed(
    synced: Reconciliation, event: dict[str, Any]
) -> None:
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.delete("OPS-5")
    result = synced.run(event)

    assert (result["mode"], counts(result)["updated"]) == ("changes", 1)
    assert "OPS-5" in synced.stored(), "a catch-up deletes nothing"


@pytest.mark.parametrize("event", [{"mode": "full"}, {"full": True}, {"full": True, "project": "OPS"}])
def test_a_person_can_ask_for_a_full_sweep(synced: Reconciliation, event: dict[str, Any]) -> None:
    synced.jira.delete("OPS-5")

    assert counts(synced.run(event))["deleted"] == 1


def test_a_person_can_sweep_a_project_that_is_not_configured(synced: Reconciliation) -> None:
    synced.jira.seed("WEB", 2)

    assert counts(synced.run({"project": "WEB", "full": True}), "WEB") == {"fetched": 2, "created": 2}


def test_only_the_given_key_range_is_swept(synced: Reconciliation) -> None:
    for number in (2, 6, 11):
        synced.jira.delete(f"OPS-{number}")
    result = synced.run({"key_range": {"project": "OPS", "after": 4, "through": 8}})

    assert counts(result) == {"fetched": 3, "deleted": 1, "unchanged": 3}
    assert {"OPS-2", "OPS-11"} <= set(synced.stored())


def test_an_unreadable_event_fails_with_one_log_line(ops: Reconciliation) -> None:
    module = ops.load()
    lines = LogLines("reconciliation")
    with pytest.raises(errors.InvalidInputError, match="mode is one of changes, full"):
        module.lambda_handler({"mode": "all"}, LambdaContext())

    assert "mode is one of" in lines.only("event_failed")["error_text"]
    assert ops.jira.requests == []


# What it may not write


def test_a_dry_run_counts_and_writes_nothing_at_all(synced: Reconciliation, capsys: pytest.CaptureFixture[str]) -> None:
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.delete("OPS-5")
    before = synced.everything()
    capsys.readouterr()
    for event in ({"full": True, "dry_run": True}, {"dry_run": True}):
        assert synced.run(event)["dry_run"]

    assert synced.everything() == before
    assert metrics(capsys) == {}


def test_a_dry_run_names_what_it_would_do(synced: Reconciliation) -> None:
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.delete("OPS-5")
    result = synced.run({"full": True, "dry_run": True})

    assert of(result)["changes"] == [
        {"issue_key": "OPS-3", "action": "updated"},
        {"issue_key": "OPS-5", "action": "deleted"},
    ]
    assert result["record"] is None


def test_more_deletions_than_allowed_are_refused(synced: Reconciliation, capsys: pytest.CaptureFixture[str]) -> None:
    synced.load(RECONCILE_MAX_DELETES="2")
    for number in (1, 2, 3):
        synced.jira.delete(f"OPS-{number}")
    capsys.readouterr()
    result = synced.run()

    assert "Jira lacks 3 of 12 issues" in result["refused"][0]
    assert of(result)["refused"] == result["refused"]
    assert not of(result)["complete"]
    assert len(synced.stored()) == 12
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
def test_a_whole_run_is_counted_by_mode_and_a_range_is_not(
    synced: Reconciliation, capsys: pytest.CaptureFixture[str], event: dict[str, Any], modes: list[str]
) -> None:
    capsys.readouterr()
    synced.run(event)

    runs = [metric.dimensions for metric in metrics_in(capsys.readouterr().out) if metric.name == "ReconciliationRun"]
    assert [(run["project"], run["mode"]) for run in runs] == [("OPS", mode) for mode in modes]


FAULTS: list[dict[str, Any]] = [
    {"error": "expired_token", "times": 9},
    {"error": "rate_limited", "times": 9},
    {"error": "half_page", "times": 9},
    {"status": 500, "times": 9},
]


@pytest.mark.parametrize("fault", FAULTS, ids=["401", "429", "half a page", "500"])
def test_a_fault_half_way_deletes_nothing_and_is_reported(
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


def test_a_refusal_does_not_fail_the_invocation(synced: Reconciliation) -> None:
    """It returns. If it raised, Lambda would sweep twice more with the same token."""
    synced.jira.faults.add(Fault(path="/rest/api/3/project/OPS", error="expired_token", times=9))

    assert "401" in synced.run()["refused"][0]


def test_a_row_that_failed_is_in_result_metric_and_record(
    synced: Reconciliation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.edit("OPS-4", status="Done")
    module = synced.load()
    record = module._store.record

    def fail_once(delivery: Any) -> Any:
        if delivery.issue_key == "OPS-3":
            raise errors.ThrottledError("could not store the issue of OPS-3, says ada@sandbox.example")
        return record(delivery)

    monkeypatch.setattr(module._store, "record", fail_once)
    capsys.readouterr()
    result = synced.run()

    assert counts(result) == {"fetched": 12, "updated": 1, "unchanged": 10, "failed": 1}
    assert not of(result)["complete"]
    assert metrics(capsys)["ReconciliationFailed"] == 1
    failed = next(issue for issue in synced.record(result)["issues"] if issue["action"] == "failed")
    assert failed["issue_key"] == "OPS-3"
    assert "could not store" in failed["reason"]
    assert "ada@" not in str(synced.record(result)) + str(result)


# An issue that the store can't hold as Jira sends it


@pytest.fixture
def one_unreadable(synced: Reconciliation) -> Reconciliation:
    synced.jira.edit("OPS-3", updated=datetime.max.replace(tzinfo=UTC))  # not a time in every zone
    synced.jira.edit("OPS-4", status="Done")
    return synced


def test_an_unreadable_issue_is_reported_and_the_watermark_advances(
    one_unreadable: Reconciliation, capsys: pytest.CaptureFixture[str]
) -> None:
    result = one_unreadable.run({})

    assert counts(result)["failed"] == 1
    assert metrics(capsys)["ReconciliationFailed"] == 1
    assert one_unreadable.watermark() is not None


def test_an_unreadable_issue_does_not_keep_others_from_correlation(one_unreadable: Reconciliation) -> None:
    one_unreadable.recomputes()
    one_unreadable.jira.edit("OPS-4", status="To Do")
    result = one_unreadable.run()

    assert counts(result)["failed"] == 1
    assert of(result)["complete"]
    # None of them has been correlated yet: the sweep makes good what a lost message has cost.
    assert {"OPS-1", "OPS-2", "OPS-4"} <= set(one_unreadable.recomputes())


# Watermarks


def test_the_watermark_advances_after_a_complete_catch_up(synced: Reconciliation) -> None:
    before = clock.canonical(clock.utc_now())
    synced.run({})
    first = synced.watermark()
    synced.run({})

    assert first is not None
    assert before <= first < (synced.watermark() or "")


def test_the_next_catch_up_begins_where_the_last_one_ended(synced: Reconciliation) -> None:
    synced.run({})
    synced.jira.requests.clear()
    synced.run({})

    (search,) = [request for request in synced.jira.requests if request["path"] == SEARCH]
    assert '\\"-6m\\"' in search["body"], "five minutes of overlap, and the minute since"


def test_a_failed_catch_up_leaves_the_watermark(synced: Reconciliation) -> None:
    synced.run({})
    before = synced.watermark()
    synced.jira.faults.add(Fault(path=SEARCH, status=500, times=9))
    assert synced.run({})["refused"]

    assert synced.watermark() == before


@pytest.mark.parametrize("requests_before", [0, 1, 2])
def test_an_expired_token_keeps_the_watermark_for_the_next_good_run(synced: Reconciliation, requests_before: int) -> None:
    """Before the run, in its listing, and after it: Jira answers as if nothing had changed."""
    synced.run({})
    before = synced.watermark()
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.site.restricted = {f"OPS-{number}" for number in range(1, 13)}
    synced.jira.faults.add(Fault(path="*", error="anonymous", skip=requests_before, times=99))
    result = synced.run({})
    assert "did not accept the credentials" in result["refused"][0]
    assert synced.watermark() == before

    synced.jira.faults.clear()
    assert counts(synced.run({})).get("updated", 0) + counts(result).get("updated", 0) == 1
    assert synced.reader.latest("OPS-3").fields.status == "Done"


def test_a_full_sweep_and_a_dry_run_leave_the_watermark(synced: Reconciliation) -> None:
    synced.run({"mode": "full"})
    synced.run({"dry_run": True})

    assert synced.watermark() is None


@pytest.mark.parametrize("method", ["read", "advance"])
def test_a_watermark_that_can_not_be_read_or_written_is_a_refusal(
    synced: Reconciliation, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def refuse(*_: Any) -> None:
        raise errors.ThrottledError("could not reach the watermark")

    monkeypatch.setattr(synced.load()._watermarks, method, refuse)
    result = synced.run({})

    assert "could not reach the watermark" in result["refused"][0]
    assert not of(result)["complete"]


# Several projects


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


def test_a_configured_project_with_a_malformed_key_is_refused(ops: Reconciliation) -> None:
    ops.load(JIRA_PROJECTS="ops")

    assert "is not a project key" in ops.run({})["refused"][0]


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


def test_a_run_record_that_can_not_be_stored_is_a_refusal(synced: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "PutObject")

    module = synced.load()
    monkeypatch.setattr(module._s3(), "put_object", refuse)
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
    monkeypatch.setattr(module._records(), "write", break_down)
    with pytest.raises(errors.SwitchboardError) as failure:
        synced.run()

    assert str(failure.value) == "the reconciliation could not be done: KeyError"
