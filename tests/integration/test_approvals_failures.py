"""Jira and Slack fail during an approval: it ends in one issue or shows what to do, and nothing is undone."""

import dataclasses
import json
from functools import partial
from typing import Any

import pytest

from tests.support.approvals.cloud import ADA, GRACE, ISSUE_PATH, ApprovalsCloud, header_of
from tests.support.cloud import until


def creations(approvals: ApprovalsCloud, title: str) -> int:
    """How many requests to create an issue with this title have reached Jira."""
    with approvals.jira.app.lock:
        sent = [each["body"] for each in approvals.jira.app.requests if (each["method"], each["path"]) == ("POST", ISSUE_PATH)]
    return sum(json.loads(body)["fields"]["summary"] == title for body in sent)


UNCLEAR: dict[str, dict[str, Any]] = {
    "a server error": {"status": 500},
    "a reset": {"reset": True},
    "half an answer": {"status": 201, "body": '{"id": "1'},
    "a request timeout": {"status": 408},
    "no answer": {"hang": 25},  # the last: the worker waits for it, and does nothing else
}


@dataclasses.dataclass(frozen=True, slots=True)
class Approved:
    """A draft that was approved."""

    title: str
    session_id: str
    preview: dict[str, Any]


@pytest.fixture(scope="module")
def unclear(approvals: ApprovalsCloud) -> dict[str, Approved]:
    """One draft for each unclear answer, approved and answered so. Ten seconds later the worker looks for the first time, for
    all of them at once.
    """
    made = {}
    for name, fault in UNCLEAR.items():
        title = f"Created in spite of {name}"
        draft = approvals.draft(title=title)
        preview = approvals.preview_of(draft)
        approvals.jira.fail(ISSUE_PATH, method="POST", after=True, **fault)
        approvals.click(preview)
        until(partial(creations, approvals, title))
        made[name] = Approved(title, draft["session_id"], preview)
    return made


@pytest.mark.parametrize("answer", UNCLEAR)
def test_an_issue_created_without_an_answer_is_found(
    approvals: ApprovalsCloud, unclear: dict[str, Approved], answer: str
) -> None:
    approved = unclear[answer]

    done = approvals.header_becomes(approved.preview, "Ticket Created: ", seconds=90)

    [issue] = approvals.issues(approved.title)
    assert header_of(done) == f"Ticket Created: {issue.key}"
    assert creations(approvals, approved.title) == 1
    row = approvals.creation(approved.session_id)
    assert (row["status"], row["jira_key"], row["posts"]) == ({"S": "done"}, {"S": issue.key}, {"N": "1"})


def test_a_refusal_shows_its_reason_and_can_be_retried(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="In a project to come", project="LATER")
    preview = approvals.preview_of(draft)
    approvals.click(preview)

    failed = approvals.header_becomes(preview, "Jira issue not created")
    shown = json.dumps(failed["blocks"])
    assert "Jira answered 400" in shown
    assert f"operations retry {draft['session_id']}" in shown
    assert approvals.rows(draft["session_id"])["SESSION"]["state"] == {"S": "failed"}
    assert approvals.issues("In a project to come") == []

    approvals.jira.app.seed("LATER", 1)
    for _ in range(2):
        approvals.click(failed, GRACE, "retry_issue")
    approvals.header_becomes(preview, "Ticket Created: LATER-")
    assert len(approvals.issues("In a project to come")) == 1
    row = approvals.creation(draft["session_id"])
    assert (row["created_by"], row["approved_by"]) == ({"S": GRACE}, {"S": ADA})
    assert any("could not be created" in text and "<@U0REQUEST>" in text for text in approvals.thread(preview))
    assert creations(approvals, "In a project to come") == 2  # the one that was refused, and one more


@pytest.mark.parametrize("fault", [{"error": "ratelimited"}, {"reset": True}, {"status": 500}], ids=["limit", "reset", "error"])
def test_a_failure_of_slack_repeats_no_issue(
    approvals: ApprovalsCloud, fault: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    title = f"Slack failed with a {request.node.callspec.id}"
    preview = approvals.preview_of(approvals.draft(title=title))
    approvals.slack.fail("/api/chat.update", times=2, **fault)
    approvals.click(preview)

    approvals.header_becomes(preview, "Ticket Created: ")
    assert len(approvals.issues(title)) == creations(approvals, title) == 1


def test_a_token_that_slack_refuses_fails_the_draft_as_a_dead_letter(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    approvals.slack.fail("/api/chat.postMessage", times=20, error="invalid_auth")
    assert approvals.submit(draft).status_code == 200

    sqs = approvals.cloud.client("sqs")
    dead = next(url for url in sqs.list_queues()["QueueUrls"] if "approval-work-dead-letters" in url)

    def letter() -> bool:
        messages = sqs.receive_message(QueueUrl=dead).get("Messages", [])
        return any(json.loads(message["Body"])["session_id"] == draft["session_id"] for message in messages)

    try:
        until(letter, 30)
    finally:
        approvals.slack.app.faults.clear()
    assert approvals.rows(draft["session_id"])["SESSION"]["state"] == {"S": "failed"}


def queue_url(approvals: ApprovalsCloud) -> str:
    urls = approvals.cloud.client("sqs").list_queues()["QueueUrls"]
    return str(next(url for url in urls if "approval-work-" in url and "dead" not in url))
