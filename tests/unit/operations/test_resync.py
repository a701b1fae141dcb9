"""The progress of a reconciliation, read from its log lines: which state it is in, and how far."""

from datetime import timedelta
from typing import Any

import pytest

from lib.operations.resync import ResyncProgress, make_event, read_progress, report_project_runs
from lib.platform import clock, errors
from tests.support.operations.deployment import Deployment

RUN = "run-1"


def log(deployment: Deployment, message: str, *, part: int = 1, **fields: Any) -> None:
    about: dict[str, Any] = {"project": "OPS", "mode": "full", "part": part, "run_id": f"run-{part}", "correlation_id": RUN}
    deployment.log("reconciliation", message, **about | fields)


def progress(deployment: Deployment) -> ResyncProgress:
    return read_progress(deployment, "OPS", RUN, clock.utc_now() - timedelta(hours=1))


def test_a_run_is_followed_over_its_parts(deployment: Deployment) -> None:
    assert progress(deployment).state == "waiting"
    log(deployment, "reconciliation_progress", ago=timedelta(seconds=60), pages=2, position=200, issues_fetched=200)
    found = progress(deployment)
    assert found.latest is not None
    assert (found.state, found.latest.pages, found.latest.position) == ("running", 2, 200)
    log(deployment, "project_reconciled", ago=timedelta(seconds=50), continued=True, issues_fetched=300)
    log(deployment, "reconciliation_done", ago=timedelta(seconds=49))
    assert progress(deployment).state == "running"
    log(deployment, "reconciliation_progress", part=2, ago=timedelta(seconds=40), issues_fetched=400)
    found = progress(deployment)
    assert found.latest is not None
    assert (found.state, found.latest.number, found.latest.counts["fetched"]) == ("running", 2, 400)
    log(deployment, "project_reconciled", part=2, ago=timedelta(seconds=30), complete=True, issues_fetched=500)
    log(deployment, "reconciliation_done", part=2, ago=timedelta(seconds=29))
    assert progress(deployment).state == "done"


def test_a_refusal_and_a_defect_are_states_of_their_own(deployment: Deployment) -> None:
    missing = ["OPS-1 OPS-2", "OPS-3"]
    log(deployment, "reconciliation_refused", reason="too many are missing", missing=missing, ago=timedelta(seconds=20))
    log(deployment, "project_reconciled", ago=timedelta(seconds=10))
    log(deployment, "reconciliation_done")
    found = progress(deployment)
    assert (found.state, found.refused) == ("refused", ("too many are missing",))
    assert found.missing == ("OPS-1", "OPS-2", "OPS-3")

    log(deployment, "event_failed")
    assert progress(deployment).state == "failed"


def test_lines_of_other_runs_do_not_count(deployment: Deployment) -> None:
    log(deployment, "project_reconciled", correlation_id="run-11", run_id="run-11", changes=["updated run-1"])

    assert progress(deployment).state == "waiting"


def test_the_last_complete_sweep_has_counted_the_issues(deployment: Deployment) -> None:
    deployment.environments["JIRA_PROJECTS"] = "OPS"
    log(deployment, "project_reconciled", ago=timedelta(minutes=9), complete=True, issues_fetched=10)
    log(deployment, "project_reconciled", ago=timedelta(minutes=8), complete=True, mode="changes", issues_fetched=1)
    log(deployment, "project_reconciled", ago=timedelta(minutes=7), complete=False, issues_fetched=5)

    report = report_project_runs(deployment, "OPS", clock.utc_now() - timedelta(hours=1))

    assert [run.counts["fetched"] for run in report.runs] == [5, 1, 10]
    assert report.last_sweep is not None
    assert report.last_sweep.counts["fetched"] == 10
    assert (report.is_configured, report.watermark, report.problem) == (True, None, "")


def test_the_runs_of_a_project_say_what_they_refused(deployment: Deployment) -> None:
    log(deployment, "reconciliation_refused", reason="too many are missing", ago=timedelta(seconds=21))
    log(deployment, "project_reconciled", ago=timedelta(seconds=20))
    log(deployment, "project_reconciled", part=2, complete=True, ago=timedelta(seconds=10))
    log(deployment, "reconciliation_refused", part=2, project="WEB", reason="of another project")

    report = report_project_runs(deployment, "OPS", clock.utc_now() - timedelta(hours=1))

    assert [run.refused for run in report.runs] == [(), ("too many are missing",)]


@pytest.mark.parametrize(
    "wrong", [{"project": "x-1"}, {"project": "OPS", "max_deletes": 5}, {"project": "OPS", "full": True, "max_deletes": 5000}]
)
def test_what_the_function_would_refuse_is_refused_before(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError):
        make_event(**{"project": None, "full": False, "dry_run": False, **wrong})
