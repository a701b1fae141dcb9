"""docs/runbooks/reconciliation.md: a run is refused, does not run, would delete too much, or is split."""

import json
from typing import Any

import pytest

from stack.local.standins.jira import Jira
from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.cloud import until
from tests.support.operations.breaking import scheduled_off
from tests.support.operations.runbook import Section, runbook

SEARCH = "/rest/api/3/search/jql"


@pytest.fixture(scope="module")
def site(operated: ApprovalsCloud) -> Jira:
    """Jira with 120 issues of the project OPS."""
    operated.jira.app.seed("OPS", 120)
    return operated.jira.app


def runs(operated: ApprovalsCloud, message: str) -> list[dict[str, Any]]:
    return [record for record in operated.cloud.log_records("reconciliation") if record.get("message") == message]


@runbook("reconciliation.md#run-it", "reconciliation.md#a-run-refused-something")
def test_a_run_with_a_refused_token_is_repeated_by_hand(operated: ApprovalsCloud, site: Jira, section: Section) -> None:
    operated.jira.fail(SEARCH, status=401)
    refused = operated.cloud.invoke("reconciliation", {"full": True, "project": "OPS"})["payload"]["refused"]
    assert refused[0].startswith("OPS: the listing is incomplete, nothing was deleted: ")
    assert "Jira answered 401" in refused[0]

    section.raised("OPS-reconciliation-refused")
    done = section.run().succeeded()

    assert "dry run: nothing was written" in done
    answer, _ = json.JSONDecoder().raw_decode(done, done.index('{"run_id"'))
    [turn] = answer["projects"]
    assert (turn["counts"]["fetched"], turn["refused"], answer["record"]) == (120, [], None)


@runbook("reconciliation.md#a-run-refused-something", "reconciliation.md#too-many-to-delete")
def test_a_refused_deletion_is_allowed_for_one_run(operated: ApprovalsCloud, site: Jira, section: Section) -> None:
    operated.cloud.invoke("reconciliation", {"full": True, "project": "OPS"})
    for number in range(21, 81):
        site.delete(f"OPS-{number}")

    refused = operated.cloud.invoke("reconciliation", {"full": True, "project": "OPS"})["payload"]
    assert refused["projects"][0]["missing"][0] == "OPS-21"
    section.raised("OPS-reconciliation-refused")
    assert "live" in section.do("issues get KEY", {"KEY": "OPS-21"}).succeeded()
    done = section.run().succeeded()

    assert done.count("would be") == 1
    section.over("OPS-reconciliation-refused")
    assert "deleted" in section.do("issues history KEY", {"KEY": "OPS-21"}).succeeded()
    assert operated.cloud.invoke("reconciliation", {"full": True, "project": "OPS"})["payload"]["refused"] == []


@runbook("reconciliation.md#split-a-sweep")
def test_a_sweep_in_ranges_reads_every_issue_once(operated: ApprovalsCloud, site: Jira, section: Section) -> None:
    before = len(runs(operated, "reconciliation_done"))

    section.run({"50000": "10", "100000": "100"}).succeeded()

    done = until(lambda: found if len(found := runs(operated, "reconciliation_done")[before:]) == 3 else None, every=0.5)
    assert [record["refused"] for record in done] == [0, 0, 0]


@runbook("reconciliation.md#it-does-not-run")
def test_schedules_that_were_disabled_are_found(operated: ApprovalsCloud, section: Section) -> None:
    with scheduled_off(operated.cloud, "changes"):
        section.raised("OPS-changes-stopped", after=3 * 3600)
        section.raised("OPS-sweep-stopped", after=30 * 3600)
        found = json.loads(section.run().succeeded())
    section.run().succeeded()

    assert {name.rpartition("-")[0]: state for name, state in found} == {"changes": "DISABLED", "sweep": "ENABLED"}
