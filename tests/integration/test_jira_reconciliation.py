"""Reconciliation over the local cloud, against a Jira site of several pages that lags, throttles, fails and changes."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from lib.jira.reconciliation.checkpoint import DeleteLimit
from stack.local.standins.jira import Jira
from tests.support.cloud import Cloud, running_cloud
from tests.support.cloud_fixtures import cloud_fixture, standin_fixture
from tests.support.web.standins import Served

PROJECT, ISSUES = "SWEEP", 150
"""Two pages, and a twentieth of them is less than the 50 that a run may delete."""
FAULTY, FEW = "FAULT", 101
"""Two pages, quick to sweep again and again. test_reconciliation.py breaks each page of three in more ways."""


jira = standin_fixture(Jira, "module")
cloud = cloud_fixture(running_cloud, "module", jiraBaseUrl="{jira}", jiraProjects=PROJECT)
"""A local cloud of these tests' own: a sweep of hundreds leaves the worker enough to do for a while."""


@pytest.fixture(scope="module")
def site(jira: Served[Jira], cloud: Cloud) -> Served[Jira]:
    """The Jira site, its issues swept in once."""
    control(jira, "POST", "seed", project=PROJECT, count=ISSUES)
    result = reconcile(cloud)
    assert result["counts"] == counts(fetched=ISSUES, created=ISSUES)
    assert result["complete"] is True
    return jira


@pytest.fixture(scope="module")
def faulty(jira: Served[Jira], cloud: Cloud) -> Served[Jira]:
    """The Jira site, its project of a few issues swept in once."""
    control(jira, "POST", "seed", project=FAULTY, count=FEW)
    assert reconcile(cloud, project=FAULTY)["counts"] == counts(fetched=FEW, created=FEW)
    return jira


@pytest.fixture(autouse=True)
def _no_faults_left(jira: Served[Jira]) -> Iterator[None]:
    yield
    jira.app.faults.clear()
    control(jira, "POST", "settings", lag_seconds=0, hidden=[])


def control(jira: Served[Jira], method: str, path: str, /, **body: Any) -> dict[str, Any]:
    answer = requests.request(method, f"{jira.url}/_standin/{path}", json=body, timeout=60)
    answer.raise_for_status()
    return dict(answer.json())


def fault(jira: Served[Jira], **fault: Any) -> None:
    jira.fail("*/search/jql", **fault)


def reconcile(cloud: Cloud, **request: Any) -> dict[str, Any]:
    answer = cloud.invoke("reconciliation", {"project": PROJECT, "full": True, **request})
    assert answer["error"] is None, answer
    (project,) = answer["payload"]["projects"]
    return dict(project)


def counts(**named: int) -> dict[str, int]:
    return {name: named.get(name, 0) for name in ("fetched", "created", "updated", "deleted", "unchanged", "failed")}


def head(cloud: Cloud, key: str) -> dict[str, Any]:
    return cloud.jira_row(key) or {}


def test_a_sweep_stores_changes_and_marks_deletions(cloud: Cloud, site: Served[Jira]) -> None:
    control(site, "PATCH", f"issues/{PROJECT}-10", status="Done")
    control(site, "DELETE", f"issues/{PROJECT}-20")
    moved = control(site, "PATCH", f"issues/{PROJECT}-30", project="AWAY")["key"]
    new = control(site, "POST", "issues", project=PROJECT, summary="Nobody heard of this")["key"]

    dry = reconcile(cloud, dry_run=True)
    assert head(cloud, f"{PROJECT}-20")["deleted"] == {"BOOL": False}, "a dry run writes nothing"
    result = reconcile(cloud)

    expected = counts(fetched=ISSUES - 1, created=1, updated=1, deleted=2, unchanged=ISSUES - 3)
    assert dry["counts"] == expected
    assert result["counts"] == expected
    assert head(cloud, f"{PROJECT}-10")["status"] == {"S": "Done"}
    assert head(cloud, f"{PROJECT}-20")["deleted"] == {"BOOL": True}
    assert head(cloud, f"{PROJECT}-30")["moved_to"] == {"S": moved}
    assert head(cloud, moved)["deleted"] == {"BOOL": False}
    assert head(cloud, new)["deleted"] == {"BOOL": False}


@pytest.mark.parametrize("error", ["rate_limited", "half_page"])
def test_a_passing_error_half_way_is_waited_out(cloud: Cloud, faulty: Served[Jira], error: str) -> None:
    fault(faulty, error=error, times=2)
    result = reconcile(cloud, project=FAULTY)
    assert result["complete"] is True
    assert result["refused"] == []
    assert result["counts"]["deleted"] == 0


@pytest.mark.parametrize(
    "trouble",
    [
        {"error": "rate_limited"},
        {"error": "expired_token"},
        {"reset": True},
        {"status": 200, "body": '{"issues": [null], "isLast": true}'},
    ],
    ids=str,
)
def test_a_lasting_error_marks_nothing_as_deleted_and_says_so(
    cloud: Cloud, faulty: Served[Jira], trouble: dict[str, Any]
) -> None:
    victim = f"{FAULTY}-40"
    fault(faulty, times=60, **trouble)
    result = reconcile(cloud, project=FAULTY)
    assert result["complete"] is False
    assert result["counts"]["deleted"] == 0
    assert any("nothing was deleted" in reason for reason in result["refused"]), result
    assert head(cloud, victim)["deleted"] == {"BOOL": False}


def test_issues_that_the_search_does_not_show_yet_are_not_taken_for_gone(cloud: Cloud, faulty: Served[Jira]) -> None:
    control(faulty, "POST", "settings", lag_seconds=3600)
    control(faulty, "PATCH", f"issues/{FAULTY}-50", summary="Changed a moment ago")
    result = reconcile(cloud, project=FAULTY)
    assert result["counts"]["deleted"] == 0
    assert head(cloud, f"{FAULTY}-50")["deleted"] == {"BOOL": False}


def test_a_project_that_the_account_may_not_see_any_more_loses_nothing(cloud: Cloud, faulty: Served[Jira]) -> None:
    control(faulty, "POST", "settings", hidden=[FAULTY])
    result = reconcile(cloud, project=FAULTY)
    assert result["counts"]["deleted"] == 0
    assert result["refused"]
    assert head(cloud, f"{FAULTY}-60")["deleted"] == {"BOOL": False}


def test_more_deletions_than_the_limit_are_refused_whole(cloud: Cloud, site: Served[Jira]) -> None:
    gone = [f"{PROJECT}-{number}" for number in range(80, 140)]
    assert len(gone) > DeleteLimit().allowed(ISSUES)
    for key in gone:
        control(site, "DELETE", f"issues/{key}")

    refused = reconcile(cloud)

    assert refused["counts"]["deleted"] == 0
    assert any("reconcileMaxDeletes" in reason for reason in refused["refused"]), refused
    assert head(cloud, gone[0])["deleted"] == {"BOOL": False}


def test_a_catch_up_stores_recent_changes(cloud: Cloud, site: Served[Jira]) -> None:
    control(site, "PATCH", f"issues/{PROJECT}-70", status="In Progress")
    answer = cloud.invoke("reconciliation", {})
    (project,) = answer["payload"]["projects"]
    assert answer["payload"]["mode"] == "changes"
    assert project["counts"]["deleted"] == 0
    assert head(cloud, f"{PROJECT}-70")["status"] == {"S": "In Progress"}


@pytest.mark.parametrize(
    "event", [{"projekt": "X"}, {"project": 1}, {"full": "yes"}, {"project": "no key"}, [], "text"], ids=repr
)
def test_an_invalid_request_event_is_a_clear_error(cloud: Cloud, event: object) -> None:
    answer = cloud.invoke("reconciliation", event)
    assert answer["payload"]["errorType"] == "InvalidInputError"
