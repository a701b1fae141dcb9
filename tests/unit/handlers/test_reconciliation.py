"""The reconciliation function: its events, its work and its reports."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.platform import errors
from stack.local.standins.faults import Fault
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import rotate_secret
from tests.support.jira.reconciliation import EMAIL, SEARCH, Reconciliation, counts, metrics, of
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines


def test_the_nightly_sweep_fills_an_empty_table_and_reports_it(ops: Reconciliation) -> None:
    ops.jira.seed("OPS", 3)
    result = ops.run({"mode": "full"})

    assert result.keys() == {"run_id", "mode", "dry_run", "max_deletes", "projects", "refused", "record"}
    assert (result["run_id"], result["mode"], result["dry_run"], result["refused"]) == ("run-1", "full", False, [])
    assert result["projects"] == [
        {
            "project": "OPS",
            "counts": {"fetched": 3, "created": 3, "updated": 0, "deleted": 0, "unchanged": 0, "failed": 0},
            "refused": [],
            "complete": True,
            "continued": False,
            "changes": [{"issue_key": f"OPS-{number}", "action": "created"} for number in (1, 2, 3)],
            "unidentified": 0,
            "missing": [],
        }
    ]
    assert ops.stored() == ["OPS-1", "OPS-2", "OPS-3"]


def test_a_sweep_applies_moves_deletions_and_edits(synced: Reconciliation) -> None:
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.delete("OPS-5")
    synced.jira.edit("OPS-7", project="WEB")
    result = synced.run()

    assert counts(result) == {"fetched": 10, "updated": 1, "deleted": 2, "unchanged": 9}
    assert synced.latest("OPS-5").deleted
    assert synced.latest("OPS-7").moved_to == "WEB-1"
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
def test_a_person_can_request_a_full_sweep(synced: Reconciliation, event: dict[str, Any]) -> None:
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
    synced: Reconciliation, pages_of_ten: None, capsys: pytest.CaptureFixture[str], fault: dict[str, Any]
) -> None:
    synced.jira.create("OPS", "the eleventh that Jira has: it is on the second page")
    synced.run()
    for number in (2, 11):
        synced.jira.delete(f"OPS-{number}")
    synced.jira.faults.add(Fault(path=SEARCH, hang=0.001))  # the first page is answered
    synced.jira.faults.add(Fault(path=SEARCH, **fault))
    capsys.readouterr()
    result = synced.run()

    assert "nothing was deleted" in result["refused"][0]
    assert of(result)["counts"]["deleted"] == 0
    assert len(synced.stored()) == 13
    assert metrics(capsys)["ReconciliationRefused"] == 1


def test_a_refusal_does_not_fail_the_invocation(synced: Reconciliation) -> None:
    """It returns. If it raised, Lambda would sweep twice more with the same token."""
    synced.jira.faults.add(Fault(path="/rest/api/3/project/OPS", error="expired_token", times=9))

    assert "401" in synced.run()["refused"][0]


@pytest.mark.parametrize("event", [{"mode": "full"}, {"mode": "changes"}], ids=["sweep", "changes"])
def test_a_rotated_token_is_used_without_a_new_process(synced: Reconciliation, event: dict[str, Any]) -> None:
    synced.jira.accounts = {EMAIL: "the second token"}
    rotate_secret("jira-api-token", "the second token")

    assert of(synced.run(event))["complete"]


def test_a_row_that_failed_is_in_result_metric_and_record(
    synced: Reconciliation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.edit("OPS-4", status="Done")
    module = synced.load()
    record = module._runner.store.record

    def fail_once(delivery: Any) -> Any:
        if delivery.issue_key == "OPS-3":
            raise errors.ThrottledError("could not store the issue of OPS-3, says ada@sandbox.example")
        return record(delivery)

    monkeypatch.setattr(module._runner.store, "record", fail_once)
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
