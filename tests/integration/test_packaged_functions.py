"""Every function from its built archive, alone under an isolated interpreter as on Lambda: each starts cold and does its work.

The local cloud runs with ``--packaged``, with every channel and every outside service, so that what a function imports only
when it needs it is imported too. tests/integration/test_package_alone.py shows that nothing else is within their reach.
"""

import json
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

from lib.platform.contract import ENTRY_POINTS
from stack.local.standins.govuk_notify import GovukNotify
from stack.local.standins.teams import WEBHOOK_PATH, Teams
from tests.integration.conftest import GOVUK_NOTIFY_KEY
from tests.support.approvals.cloud import ApprovalsCloud, header_of, running_approvals
from tests.support.aws.packaged import lambdas_python, the_archives
from tests.support.cloud import Cloud, Inbox, children_of, until
from tests.support.cloud_fixtures import standin_fixture
from tests.support.shuttle.api import ShuttleApi
from tests.support.web.standins import Served

SECRET = "what the senders sign with"


notify = standin_fixture(lambda: GovukNotify(GOVUK_NOTIFY_KEY), "module")
teams = standin_fixture(Teams, "module")


@pytest.fixture(scope="module")
def approvals(notify: Served[GovukNotify], teams: Served[Teams]) -> Iterator[ApprovalsCloud]:
    the_archives()
    with running_approvals(
        f"--packaged={lambdas_python()}",
        notifyChannels="sns,slack,teams,govuk_notify",
        slackChannel="leases",
        teamsWebhookUrl=teams.url + WEBHOOK_PATH,
        govukNotifyApiKey=GOVUK_NOTIFY_KEY,
        govukNotifyTemplateId="f33517ff-2a88-4f6e-b855-c550268ce08a",
        govukNotifyUrl=notify.url,
        eventWebhookSecret=SECRET,
        jiraWebhookSecret=SECRET,
        commitWebhookSecret=SECRET,
        jiraProjects="PROJ",
    ) as started:
        yield started


@pytest.fixture(scope="module")
def cloud(approvals: ApprovalsCloud) -> Cloud:
    return approvals.cloud


def test_every_entry_point_runs_isolated_from_its_archive(cloud: Cloud) -> None:
    for name in cloud.outputs["functions"]:
        cloud.invoke(name, {})
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0") for pid in children_of(cloud.process.pid)]
    expected = {f"handlers.{name}.lambda_handler": archive for name, archive in the_archives().items() if name in ENTRY_POINTS}

    assert cloud.outputs["functions"].keys() == set(ENTRY_POINTS)
    assert {handler: tuple(command) for *command, handler, _ in commands} == {
        handler: archive.command for handler, archive in expected.items()
    }
    assert len(commands) == len(ENTRY_POINTS)
    for archive in expected.values():
        assert "-I" in archive.command
        assert str(archive.folder) in archive.command


def test_notification_sends_an_enriched_event_to_every_channel(
    approvals: ApprovalsCloud, notify: Served[GovukNotify], teams: Served[Teams]
) -> None:
    cloud, lease = approvals.cloud, {"userEmail": "ada@sandbox.example", "uuid": str(uuid.uuid4())}
    inbox = Inbox(cloud, cloud.outputs["notification_topic_arn"])
    cloud.put_lease(lease | {"status": "Active", "maxSpend": 500})

    event_id = cloud.put_event("LeaseApproved", {"leaseId": lease})

    message = inbox.wait_for_event(event_id)
    assert message["enriched"] is True
    until(lambda: event_id in json.dumps(approvals.posts()))
    until(lambda: event_id in json.dumps(teams.app.messages))
    until(lambda: requests.get(f"{notify.url}/_standin/notifications", timeout=10).json()["notifications"])


def test_notification_answers_over_http(cloud: Cloud) -> None:
    sent = {"id": str(uuid.uuid4()), "detail-type": "LeaseExpired", "source": "elsewhere", "detail": {"accountId": "1"}}

    answer = cloud.post_signed("/events", sent, SECRET)

    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")


def test_webhooks_stores_a_delivery_and_the_worker_correlates_it(cloud: Cloud) -> None:
    fields = {"summary": "One", "updated": "2026-03-01T12:00:00.000+0000", "project": {"key": "OPS"}}
    issue = {"id": "10001", "key": "OPS-1", "fields": fields}

    delivery = {"timestamp": 1772366400000, "webhookEvent": "jira:issue_updated", "issue": issue}
    answer = cloud.post_signed("/webhooks/jira", delivery, SECRET)

    assert (answer.status_code, answer.json()["status"]) == (202, "stored")
    until(lambda: cloud.jira_row("OPS-1", "CORRELATION"))


def test_webhooks_links_commits(cloud: Cloud) -> None:
    commit = {
        "id": "4f2a9c1",
        "message": "PROJ-1: fix it",
        "timestamp": "2026-03-01T12:00:00Z",
        "url": "https://git.example/1",
    }
    push = {
        "ref": "refs/heads/main",
        "repository": {"full_name": "a/b", "html_url": "https://git.example"},
        "commits": [commit],
    }

    answer = cloud.post_signed("/webhooks/commits", push, SECRET)

    assert (answer.status_code, answer.json()["status"]) == (202, "stored"), answer.text


def test_webhooks_leaves_a_comment_to_the_worker_which_asks_jira(approvals: ApprovalsCloud) -> None:
    comment = {"timestamp": 1772366400000, "webhookEvent": "comment_created", "issue": {"id": "10000", "key": "PROJ-1"}}

    assert approvals.cloud.post_signed("/webhooks/jira", comment, SECRET).json()["status"] == "accepted"

    until(lambda: approvals.cloud.jira_row("PROJ-1"))


def test_approvals_and_the_worker_make_an_issue_of_an_approved_draft(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    preview = approvals.preview_of(draft)

    approvals.click(preview)

    done = approvals.header_becomes(preview, "Ticket Created: ")
    [issue] = approvals.issues(draft["title"])
    assert header_of(done).endswith(issue.key)


def test_reconciliation_sweeps_a_project(cloud: Cloud) -> None:
    result = cloud.invoke("reconciliation", {"mode": "full", "project": "PROJ"})

    assert result["error"] is None
    assert result["payload"]["refused"] == []
    assert result["payload"]["record"]


def test_imports_runs_an_import_that_shuttle_took(cloud: Cloud) -> None:
    ended = ShuttleApi(cloud).shop().run(b"sku,price,stock\nA1,1.50,3\n")

    assert ended["status"] == "COMPLETED"


def test_imports_sweeps(cloud: Cloud) -> None:
    assert "given_up" in cloud.invoke("imports", {"mode": "sweep"})["payload"]


def test_health_answers_and_checks_deeply(cloud: Cloud) -> None:
    assert requests.get(f"{cloud.http_url}/health", timeout=10).json()["status"] == "ok"

    report = cloud.invoke("health", {"mode": "deep"})

    assert report["error"] is None
    assert report["payload"]["status"] == "ok", report["payload"]


def test_no_function_ever_missed_an_import(cloud: Cloud) -> None:
    for entry_point in ENTRY_POINTS:
        lines = until(partial(cloud.log_lines, entry_point))  # the logs arrive a little later
        assert [line for line in lines if "ModuleNotFoundError" in line or "No module named" in line] == []
