"""A reconciliation that needs several invocations: each project gets its turn, and nothing counts twice."""

import copy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.jira.reconciliation.requests import MAX_PARTS, read_request
from tests.support.aws.moto_state import moto_state, put_back
from tests.support.jira.reconciliation import Reconciliation, counts, metrics, of
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines

SOON_OVER = 5.0
"""Seconds: each invocation does one page, or one small project, and hands over."""

_SYNCED: dict[str, Any] = {}
"""The result of the first full sweep, copied: every test here starts from it."""


@pytest.fixture
def synced(ops: Reconciliation, pages_of_ten: None) -> Reconciliation:
    """Three pages of OPS and three issues of WEB, all stored."""
    ops.jira.seed("OPS", 25)
    ops.jira.seed("WEB", 3)
    ops.load(JIRA_PROJECTS="OPS,WEB")
    if not _SYNCED:
        assert ops.run()["refused"] == []
        _SYNCED.update(copy.deepcopy({"aws": moto_state(), "jira": ops.jira.site}))
    put_back(_SYNCED["aws"])
    ops.jira.site = copy.deepcopy(_SYNCED["jira"])
    return ops


def test_a_sweep_continues_to_its_end_and_with_the_next_project(synced: Reconciliation) -> None:
    for number in (2, 13, 24):
        synced.jira.delete(f"OPS-{number}")
    synced.jira.delete("WEB-2")
    results = synced.run_to_the_end(seconds=SOON_OVER)

    turns = [[(e["project"], e["complete"], e["continued"]) for e in result["projects"]] for result in results]
    assert turns == [
        *([[("OPS", False, True), ("WEB", False, True)]] * 4),  # three pages, and a confirmation each from the third on
        [("OPS", True, False), ("WEB", False, True)],
        [("WEB", True, False)],
    ]
    assert counts(results[4], "OPS") == {"fetched": 22, "deleted": 3, "unchanged": 22}
    assert counts(results[5], "WEB") == {"fetched": 2, "deleted": 1, "unchanged": 2}
    assert len(synced.stored("OPS")) == 22
    assert synced.stored("WEB") == ["WEB-1", "WEB-3"]


def test_nothing_is_deleted_before_the_last_page(synced: Reconciliation) -> None:
    synced.jira.delete("OPS-2")
    synced.run(seconds=SOON_OVER)

    assert len(synced.stored("OPS")) == 25


def test_over_all_invocations_each_issue_is_counted_once(synced: Reconciliation, capsys: pytest.CaptureFixture[str]) -> None:
    synced.jira.edit("OPS-7", status="Done")
    synced.jira.edit("OPS-15", status="Done")
    synced.jira.delete("OPS-2")
    capsys.readouterr()
    results = synced.run_to_the_end(seconds=SOON_OVER)

    assert len(results) == 4
    assert metrics(capsys, "OPS") == {
        "ReconciliationFetched": 24,
        "ReconciliationUpdated": 2,
        "ReconciliationDeleted": 1,
        "ReconciliationUnchanged": 22,
        "ReconciliationRun": 1,
    }


def test_each_invocation_leaves_a_record_of_its_own_changes(synced: Reconciliation) -> None:
    synced.jira.edit("OPS-7", status="Done")
    synced.jira.edit("OPS-15", status="Done")
    results = synced.run_to_the_end(seconds=SOON_OVER)

    changed = [[issue["issue_key"] for issue in synced.record(result)["issues"]] for result in results]
    assert changed == [["OPS-7"], ["OPS-15"], [], []]
    assert len({result["record"] for result in results}) == 4


def test_a_dry_run_is_one_in_every_part(synced: Reconciliation) -> None:
    synced.jira.delete("OPS-2")
    before = synced.everything()
    results = synced.run_to_the_end({"full": True, "dry_run": True}, seconds=SOON_OVER)

    assert all(result["dry_run"] for result in results)
    assert counts(results[2])["deleted"] == 1
    assert synced.everything() == before


def test_a_catch_up_hands_over_the_other_projects(synced: Reconciliation) -> None:
    results = synced.run_to_the_end({"mode": "changes"}, seconds=SOON_OVER)

    # OPS has more changes than one page. A catch-up can't be resumed: it reports that, and starts again next time.
    assert "there was no time to process all changes" in results[0]["refused"][0]
    assert (of(results[0], "WEB")["continued"], of(results[1], "WEB")["complete"]) == (True, True)
    assert synced.watermark("OPS") is None
    assert synced.watermark("WEB") is not None


def test_the_log_lines_of_all_parts_have_the_first_run_id(synced: Reconciliation) -> None:
    synced.load(JIRA_PROJECTS="OPS,WEB")
    lines = LogLines("reconciliation")
    synced.run_to_the_end(seconds=SOON_OVER)

    done = lines.named("reconciliation_done")
    assert [(line["run_id"], line["correlation_id"], line["part"]) for line in done] == [
        (f"run-{part}", "run-1", part) for part in (1, 2, 3, 4)
    ]


REFUSALS: list[tuple[ClientError, str]] = [
    (ClientError({"Error": {"Code": "AccessDeniedException"}}, "Invoke"), "AccessDeniedException"),
    (ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke"), "TooManyRequestsException"),
]


@pytest.mark.parametrize(("error", "code"), REFUSALS, ids=["denied", "throttled"])
def test_a_failed_continuation_is_a_refusal_of_each_project_left(
    synced: Reconciliation, capsys: pytest.CaptureFixture[str], error: ClientError, code: str
) -> None:
    synced.lambda_.error = error
    capsys.readouterr()
    result = synced.run(seconds=SOON_OVER)

    assert [(e["project"], e["complete"], e["continued"]) for e in result["projects"]] == [
        ("OPS", False, False),
        ("WEB", False, False),
    ]
    assert all("the rest was not done" in reason and code in reason for reason in result["refused"])
    refused = [m for m in metrics_in(capsys.readouterr().out) if m.name == "ReconciliationRefused"]
    assert [(m.dimensions["project"], m.value) for m in refused] == [("OPS", 1), ("WEB", 1)]


def test_a_checkpoint_too_large_for_a_call_is_refused(synced: Reconciliation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.jira.reconciliation.requests.MAX_EVENT_BYTES", 100)
    result = synced.run(seconds=SOON_OVER)

    assert "too many for a call" in result["refused"][0]
    assert synced.lambda_.events == []


def test_a_run_that_never_ends_is_stopped(synced: Reconciliation) -> None:
    synced.run(seconds=SOON_OVER)
    event = synced.lambda_.events.pop()
    event["checkpoint"]["part"] = MAX_PARTS
    result = synced.run(event, seconds=SOON_OVER)

    assert f"did not end after {MAX_PARTS} invocations" in result["refused"][0]
    assert synced.lambda_.events == []


def test_missing_issues_are_handed_over(synced: Reconciliation) -> None:
    synced.jira.delete("OPS-2")
    synced.run(seconds=SOON_OVER)
    request = read_request(synced.lambda_.events[0])

    assert (request.projects, request.run_id, request.part) == (("OPS", "WEB"), "run-1", 2)
    assert request.sweep is not None
    assert (request.sweep.position, [candidate.issue_key for candidate in request.sweep.candidates]) == (11, ["OPS-2"])


def test_a_whole_sweep_queues_what_changed_or_was_never_correlated(synced: Reconciliation) -> None:
    synced.recomputes()
    synced.correlate("WEB-3")
    synced.jira.delete("WEB-2")
    synced.jira.edit("WEB-1", status="Done")

    synced.run({"project": "WEB", "full": True})

    assert sorted(synced.recomputes()) == ["WEB-1", "WEB-2"], "WEB-3 is current"


def test_a_whole_sweep_repairs_a_lost_recompute(synced: Reconciliation) -> None:
    synced.recomputes()  # lost: nobody works through them

    synced.run({"project": "WEB", "full": True})

    assert sorted(synced.recomputes()) == ["WEB-1", "WEB-2", "WEB-3"]


def test_a_catch_up_queues_what_changed_and_a_dry_run_nothing(synced: Reconciliation) -> None:
    synced.run({})
    synced.recomputes()
    synced.jira.edit("WEB-1", status="Done")

    synced.run({"project": "WEB", "dry_run": True})
    assert synced.recomputes() == []
    synced.run({"project": "WEB"})
    assert synced.recomputes() == ["WEB-1"]
