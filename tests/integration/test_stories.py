"""Three people's days, over one local cloud: an operator who starts from ``status``, a lead, and the owner of a lease."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lib.approvals.records import Approval
from lib.approvals.repository import ApprovalStore
from lib.platform import clock
from lib.platform.dynamodb import Table
from stack.local.standins.govuk_notify import GovukNotify
from stack.local.standins.slack_workspace import id_of
from tests.integration.conftest import GOVUK_NOTIFY_KEY
from tests.support.approvals.cloud import ADA, ApprovalsCloud, running_approvals
from tests.support.cloud import Cloud, Inbox, until
from tests.support.cloud_fixtures import standin_fixture
from tests.support.leases.builders import USER_EMAIL
from tests.support.operations.command_line import person, run_command
from tests.support.web.standins import Served

PROJECT = "STORY"
RULES = [
    {"match": {"severity": "critical", "template": "Data*"}, "channels": ["slack"], "slackChannel": "lead", "mention": "here"},
    {"match": {"template": "Data*"}, "drop": True},
    {"match": {"severity": "critical"}, "channels": ["sns", "teams"]},
]

notify = standin_fixture(lambda: GovukNotify(GOVUK_NOTIFY_KEY), "module")


@pytest.fixture(scope="module")
def approvals(notify: Served[GovukNotify]) -> Iterator[ApprovalsCloud]:
    with running_approvals(
        notifyChannels="sns,slack,teams,govuk_notify",
        notifyRoutes=json.dumps(RULES),
        consoleUrl="https://sandbox.example.com",
        consoleLeasePath="/leases/{uuid}",
        govukNotifyApiKey=GOVUK_NOTIFY_KEY,
        govukNotifyTemplateId="f33517ff-2a88-4f6e-b855-c550268ce08a",
        govukNotifyUrl=notify.url,
        jiraProjects=PROJECT,
        reconcileMaxDeletes="2",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def cloud(approvals: ApprovalsCloud) -> Cloud:
    return approvals.cloud


# An operator


@dataclass(frozen=True, slots=True)
class Screen:
    """What a command has printed on a terminal of 80 columns, as one line."""

    outputs: Path
    text: str

    def follow(self, command: str, *, code: int = 0, answers: str = "", by: str = "") -> "Screen":
        """Run a command that this screen names, as ``by`` where it asks for a name."""
        assert command in self.text, f"{command} is not on the screen: {self.text}"
        return run(self.outputs, command.replace("YOUR_SLACK_ID", by), code, answers)


def run(outputs: Path, command: str, code: int = 0, answers: str = "") -> Screen:
    done = run_command(
        ["--outputs", str(outputs), *command.split()],
        environment=person() | {"COLUMNS": "80", "AWS_PROFILE": "none-such"},
        folder=outputs.parent,
        typed=answers,
    )
    assert done.exit_code == code, done.output
    return Screen(outputs, " ".join(done.stdout.replace("│", " ").split()))


@pytest.fixture
def outputs(cloud: Cloud, tmp_path: Path) -> Path:
    """What the cloud printed when it was ready, in a file, as ``SWITCHBOARD_OUTPUTS`` names it."""
    ready = {"http_url": cloud.http_url, "aws_url": cloud.aws_url, "region": cloud.region, "outputs": cloud.outputs}
    file = tmp_path / "ready.json"
    file.write_text(json.dumps(ready))
    return file


def send_a_poison_message(cloud: Cloud) -> None:
    """An event that nobody can read, however often it is tried."""
    cloud.invoke("notification", {"id": str(uuid.uuid4()), "detail-type": "LeaseExpired", "detail": "half of"}, kind="Event")
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=cloud.outputs["dead_letter_queues"]["notification"][0])["QueueUrl"]
    depth = "ApproximateNumberOfMessages"
    until(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[depth])["Attributes"][depth] == "1", 30)


def delete_more_than_a_run_may(approvals: ApprovalsCloud) -> None:
    """Three issues vanish from Jira without a webhook, and the nightly sweep may delete two."""
    approvals.jira.app.seed(PROJECT, 6)
    approvals.cloud.invoke("reconciliation", {"mode": "full"})
    for number in (2, 4, 5):
        approvals.jira.app.delete(f"{PROJECT}-{number}")
    answer = approvals.cloud.invoke("reconciliation", {"mode": "full"})
    assert answer["payload"]["refused"]


def lose_an_approval(approvals: ApprovalsCloud) -> str:
    """An approval of an hour ago whose message to the worker was lost; the session."""
    draft = approvals.draft(title="Approved and forgotten", project=PROJECT)
    approvals.preview_of(draft)
    table = Table(approvals.cloud.client("dynamodb"), approvals.cloud.outputs["jira_operations_table_name"])
    store, session_id = ApprovalStore(table), draft["session_id"]
    view = store.read_current(session_id)
    assert view is not None
    an_hour_ago = clock.utc_now() - timedelta(hours=1)
    approval = Approval(draft_hash=view.draft_hash, approved=True, decided_by=ADA, at=an_hour_ago)
    assert store.record_decision(session_id, approval)
    return str(session_id)


def test_an_operator_fixes_all_that_status_shows(approvals: ApprovalsCloud, cloud: Cloud, outputs: Path) -> None:
    """A poison message, a refused deletion and a stuck approval: each command is one that the screen before it names."""
    session_id = lose_an_approval(approvals)
    delete_more_than_a_run_may(approvals)
    send_a_poison_message(cloud)

    status = run(outputs, "status", code=1)

    letters = status.follow("redrive --function notification --dry-run")
    assert "the event has no detail object" in letters.text
    dropped = letters.follow("redrive --function notification --drop", answers="y\n1\n")
    assert "1 dropped, 0 left." in dropped.text
    [kept] = outputs.parent.glob("dropped-*.jsonl")
    assert "half of" in kept.read_text()

    log = status.follow("logs --function reconciliation --since 52h --level WARNING")
    assert "Jira lacks 3 of 6 issues" in log.text
    assert f"{PROJECT}-2 {PROJECT}-4 {PROJECT}-5" in log.text
    log.follow(f"reconcile --project {PROJECT} --full --max-deletes 3")
    assert (cloud.jira_row(f"{PROJECT}-4") or {})["deleted"] == {"BOOL": True}

    draft = status.follow(f"approvals show {session_id}")
    retried = draft.follow(f"operations retry {session_id} --by YOUR_SLACK_ID", by="U0OPERATOR")
    [issue] = until(lambda: approvals.issues("Approved and forgotten"))
    until(lambda: approvals.creation(session_id).get("status") == {"S": "done"})
    assert issue.key in retried.follow(f"operations show {session_id}").text

    assert parts_that_need_a_person(run(outputs, "status --json", code=1)) == {"alarms"}, "they are over after their period"


def parts_that_need_a_person(status: Screen) -> set[str]:
    return {finding["part"] for finding in json.loads(status.text)["findings"] if finding["status"] != "ok"}


# A lead


def send(cloud: Cloud, event_type: str, template: str) -> tuple[str, dict[str, Any]]:
    """Send an event about a lease of a template; the event's id and the function's answer."""
    key = {"userEmail": USER_EMAIL, "uuid": str(uuid.uuid4())}
    cloud.put_lease({**key, "status": "Active", "originalLeaseTemplateName": template, "originalLeaseTemplateUuid": "t"})
    event_id = str(uuid.uuid4())
    detail = {"leaseId": key, "accountId": "444455556666"}
    answer = cloud.invoke("notification", {"id": event_id, "detail-type": event_type, "source": "x", "detail": detail})
    assert answer["error"] is None, answer
    return event_id, answer["payload"]


def posts(approvals: ApprovalsCloud, event_id: str) -> list[dict[str, Any]]:
    return [message for message in approvals.slack.app.messages if event_id in json.dumps(message)]


def test_a_lead_receives_only_critical_events_of_one_template(approvals: ApprovalsCloud, cloud: Cloud, inbox: Inbox) -> None:
    """Everybody else's events go on as before: the cloud has started a stand-in for Teams by itself, which takes the card."""
    critical, answer = send(cloud, "LeaseBudgetExceeded", "Data science")
    dropped, no_answer = send(cloud, "LeaseApproved", "Data science")
    elsewhere, other_answer = send(cloud, "LeaseBudgetExceeded", "Web")
    everywhere, last_answer = send(cloud, "LeaseApproved", "Web")

    assert answer["channels"] == {"slack": "sent"}
    assert no_answer["reason"] == "rule 2 of notifyRoutes drops it"
    assert other_answer["channels"] == {"sns": "sent", "teams": "sent"}
    assert last_answer["channels"] == {"sns": "sent", "slack": "sent", "teams": "sent", "govuk_notify": "sent"}
    assert inbox.wait_for_event(elsewhere)["severity"] == "critical"
    assert (posts(approvals, dropped), posts(approvals, elsewhere)) == ([], [])
    assert posts(approvals, everywhere)[0]["channel"] == id_of("leases")
    [posted] = [message for message in approvals.posts() if message["channel"] == id_of("lead")]
    shown = json.dumps(posted["blocks"])
    assert critical in shown
    assert ":red_circle: *Critical*" in shown
    assert "<!here>" in shown


def test_a_lead_rejects_a_draft_with_a_reason(approvals: ApprovalsCloud, outputs: Path) -> None:
    """In Slack, from the menu and in words; the requester and the operator read it later."""
    draft = approvals.draft(title="A second rack", project=PROJECT)
    preview = approvals.preview_of(draft)

    click = approvals.payload(preview, ADA, "reject_draft", reason="not_planned", words="Ask again in May")
    assert approvals.interact(click).status_code == 200

    rejected = approvals.header_becomes(preview, "Draft rejected")
    reason = "Not planned: Ask again in May"
    assert f"Reason: {reason}" in json.dumps(rejected["blocks"])
    [report] = until(lambda: approvals.thread(preview))
    assert report == f"<@U0REQUEST>: <@{ADA}> rejected this draft. Reason: {reason}"
    assert approvals.issues("A second rack") == []
    session = draft["session_id"]
    assert all(reason in run(outputs, f"{command} {session}").text for command in ("approvals show", "trace"))


# The owner of a lease


def test_the_owner_of_a_lease_receives_a_mail_that_addresses_them(cloud: Cloud, notify: Served[GovukNotify]) -> None:
    """The record still says that the lease is frozen: it was read before the lease system changed it."""
    key = {"userEmail": "ada@sandbox.example", "uuid": str(uuid.uuid4())}
    template = {"originalLeaseTemplateUuid": "t", "originalLeaseTemplateName": "Two weeks of EC2"}
    cloud.put_lease({**key, **template, "status": "Frozen", "awsAccountId": "444455556666"})
    cloud.put_event("LeaseUnfrozen", {"leaseId": key})

    [mail] = until(lambda: [note for note in notify.app.notifications if note["email_address"] == key["userEmail"]])

    assert mail["subject"] == "Your sandbox account is no longer frozen: 444455556666"
    assert "you have access to it again" in mail["body"]
    assert "Lease status" not in mail["body"]
    assert f"https://sandbox.example.com/leases/{key['uuid']}" in mail["body"]
