"""From a signed draft to a preview in Slack, a signed click and exactly one Jira issue, in the local cloud."""

import json
import threading
import time
from typing import Any

import pytest
import requests

from tests.support.approvals.cloud import ADA, GRACE, MALLORY, PROJECT, ApprovalsCloud, buttons_of, header_of
from tests.support.cloud import until

DETAILS = {
    "problem": "An upload of 2 GB stops the importer.\n\nEverybody waits <!channel>.",
    "solution": "Refuse it at the door.",
    "acceptance_criteria": ["2 GB are refused with 413", "1 MB still goes through"],
    "risks": ["Somebody needs 3 GB"],
}


def created(approvals: ApprovalsCloud, draft: dict[str, Any], user: str = ADA) -> tuple[dict[str, Any], str]:
    """The preview of a draft that was approved and created, and the issue's key."""
    preview = approvals.preview_of(draft)
    approvals.click(preview, user)
    done = approvals.header_becomes(preview, "Ticket Created: ")
    return done, header_of(done).removeprefix("Ticket Created: ")


def kinds_in(node: dict[str, Any]) -> set[str]:
    return {node["type"]} | {kind for child in node.get("content", []) for kind in kinds_in(child)}


def test_a_preview_shows_the_whole_draft_and_two_buttons(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(**DETAILS)
    answer = approvals.submit(draft)
    assert answer.status_code == 200
    assert answer.json().keys() == {"session_id", "draft_hash", "state"}
    assert (answer.json()["session_id"], answer.json()["state"]) == (draft["session_id"], "preview")

    preview = approvals.preview_of(draft)
    value = f"{draft['session_id']}:{answer.json()['draft_hash']}"
    assert buttons_of(preview) == {"approve_draft": value, "reject_draft": value}
    shown = json.dumps(preview["blocks"])
    for text in (draft["title"], *DETAILS["acceptance_criteria"], *DETAILS["risks"], "<@U0REQUEST>"):
        assert text in shown
    assert "<!channel>" not in shown


def test_an_approval_creates_one_issue_with_the_marker(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(**DETAILS)
    _, key = created(approvals, draft)

    [issue] = approvals.issues(draft["title"])
    [label] = issue.labels
    draft_hash = next(name for name in approvals.rows(draft["session_id"]) if name.startswith("DRAFT#")).removeprefix("DRAFT#")
    assert issue.key == key
    assert label.startswith("switchboard-")
    assert approvals.jira.app.site.properties[issue.id]["switchboard.operation"] == {
        "marker": label,
        "session_id": draft["session_id"],
        "draft_hash": draft_hash,
    }
    assert kinds_in(issue.description) >= {"doc", "heading", "paragraph", "bulletList", "listItem", "text"}
    assert "Everybody waits <!channel>." in json.dumps(issue.description)


def test_the_preview_shows_the_issue_and_the_thread_confirms_it(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(**DETAILS)
    done, key = created(approvals, draft)

    shown = json.dumps(done["blocks"])
    assert f"{approvals.jira.url}/browse/{key}|{draft['title']}" in shown
    assert "2 acceptance criteria" in shown
    assert f"Created by <@{ADA}> at " in shown
    assert "Phoenix time | " in shown
    assert "View in Jira" in shown
    assert buttons_of(done) == {}
    [confirmation] = until(lambda: approvals.thread(done))
    assert key in confirmation
    assert "<@U0REQUEST>" in confirmation


def test_every_step_is_on_record(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    done, key = created(approvals, draft)
    until(lambda: approvals.thread(done))

    rows = approvals.rows(draft["session_id"])
    names = {name.rpartition("#")[2] if name.startswith("OPERATION") else name.partition("#")[0] for name in rows}
    assert names >= {"SESSION", "DRAFT", "APPROVAL", "create_issue", "post_preview", "confirm"}
    assert rows["SESSION"]["state"] == {"S": "created"}
    assert rows["SESSION"]["jira_key"] == {"S": key}
    creation = approvals.creation(draft["session_id"])
    assert (creation["status"], creation["jira_key"]) == ({"S": "done"}, {"S": key})
    assert creation["created_by"] == creation["approved_by"] == {"S": ADA}
    assert (creation["attempts"], creation["posts"]) == ({"N": "1"}, {"N": "1"})


def test_the_issue_is_in_jira_issues_without_its_webhook(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    _, key = created(approvals, draft)

    head = until(lambda: approvals.cloud.jira_row(key))
    assert (head["summary"], head["project_key"]) == ({"S": draft["title"]}, {"S": PROJECT})


def test_the_same_draft_again_has_the_same_preview(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    preview = approvals.preview_of(draft)
    again = approvals.submit(draft)

    assert again.status_code == 200
    assert again.json()["draft_hash"] in buttons_of(preview)["approve_draft"]
    settle(approvals)
    assert len([each for each in approvals.posts() if draft["title"] in each["text"]]) == 1


def test_a_resubmitted_draft_links_to_its_issue(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    done, key = created(approvals, draft)

    assert approvals.submit(draft).json()["state"] == "created"
    until(lambda: any("already has a Jira issue" in text and key in text for text in approvals.thread(done)))
    assert len(approvals.issues(draft["title"])) == 1


def test_a_double_click_creates_one_issue_and_is_answered(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="Clicked twice")
    preview = approvals.preview_of(draft)
    approvals.click(preview)
    approvals.click(preview)

    approvals.answer("You have already approved “Clicked twice”")
    approvals.header_becomes(preview, "Ticket Created: ")
    settle(approvals)
    assert len(approvals.issues("Clicked twice")) == 1


def test_one_of_two_concurrent_approvers_wins(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="Clicked by two")
    preview = approvals.preview_of(draft)
    clicks = [threading.Thread(target=approvals.click, args=(preview, user)) for user in (ADA, GRACE)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()

    approvals.header_becomes(preview, "Ticket Created: ")
    winner = approvals.creation(draft["session_id"])["approved_by"]["S"]
    approvals.answer(f"<@{winner}> has already approved “Clicked by two”")
    assert len(approvals.issues("Clicked by two")) == 1


def test_a_rejected_draft_can_no_longer_be_approved(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="Turned down")
    preview = approvals.preview_of(draft)
    approvals.click(preview, ADA, "reject_draft")
    approvals.click(preview, GRACE)

    assert f"<@{ADA}> has already rejected “Turned down”" in approvals.answer("already rejected “Turned down”")
    rejected = approvals.header_becomes(preview, "Draft rejected")
    assert buttons_of(rejected) == {}
    settle(approvals)
    assert approvals.issues("Turned down") == []
    assert approvals.creation(draft["session_id"]) == {}


def test_the_reason_of_a_rejection_is_on_record_and_in_the_thread(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    preview = approvals.preview_of(draft)
    answer = approvals.interact(approvals.payload(preview, ADA, "reject_draft", reason="not_planned", words="Ask in May"))
    assert answer.status_code == 200

    rejected = approvals.header_becomes(preview, "Draft rejected")
    assert "Reason: Not planned: Ask in May" in json.dumps(rejected["blocks"])
    [report] = until(lambda: approvals.thread(preview))
    assert report == f"<@U0REQUEST>: <@{ADA}> rejected this draft. Reason: Not planned: Ask in May"
    [decision] = [row for name, row in approvals.rows(draft["session_id"]).items() if name.startswith("APPROVAL#")]
    assert decision["reason"] == {"S": "Not planned: Ask in May"}


def test_a_waiting_draft_is_reminded_of_and_expires(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    preview = approvals.preview_of(draft)
    for days, says in ((1.5, "This draft still waits for a decision."), (15, "so it expired")):
        approvals.waits_since(draft["session_id"], days)
        for _ in range(2):
            sweep(approvals)
        until(lambda says=says: any(says in text for text in approvals.thread(preview)))  # type: ignore[misc]
    approvals.header_becomes(preview, "Draft expired")
    approvals.click(preview)

    assert "expired on" in approvals.answer(f"“{draft['title']}” expired on")
    settle(approvals)
    assert len(approvals.thread(preview)) == 2
    assert approvals.issues(draft["title"]) == []
    assert approvals.rows(draft["session_id"])["SESSION"]["state"] == {"S": "expired"}


def sweep(approvals: ApprovalsCloud) -> None:
    """Start the sweep as the schedule does."""
    answer = approvals.cloud.client("lambda").invoke(
        FunctionName=approvals.cloud.outputs["functions"]["approvals"], Payload=json.dumps({"mode": "sweep"})
    )
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_a_click_on_a_changed_draft_shows_the_current_one(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="First version")
    old = approvals.preview_of(draft)
    new = approvals.preview_of({**draft, "title": "Second version"})
    approvals.click(old)

    approvals.answer("“First version” has changed since")
    approvals.header_becomes(old, "Draft changed")
    link = f"<https://stand-in.slack.com/archives/{new['channel']}/p{new['ts'].replace('.', '')}|decide on the new one>"
    until(lambda: link in json.dumps(approvals.post(old)["blocks"]))
    assert f"May approve: <@{ADA}>, <@{GRACE}>." in json.dumps(new["blocks"])
    settle(approvals)
    assert approvals.issues("First version") == approvals.issues("Second version") == []
    assert approvals.rows(draft["session_id"])["SESSION"]["state"] == {"S": "preview"}

    approvals.click(new)
    approvals.header_becomes(new, "Ticket Created: ")
    assert len(approvals.issues("Second version")) == 1


def test_neither_strangers_nor_the_requester_approve(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="Not yours", requested_by=GRACE)
    preview = approvals.preview_of(draft)
    approvals.click(preview, MALLORY)
    approvals.click(preview, GRACE)

    approvals.answer("You are not an approver, so your click on “Not yours”")
    approvals.answer("You requested “Not yours”")
    assert not any(name.startswith("APPROVAL#") for name in approvals.rows(draft["session_id"]))


def test_a_draft_without_the_signature_of_a_known_key_is_refused(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft()
    unsigned = requests.post(f"{approvals.cloud.http_url}/drafts", json=draft, timeout=30)

    assert unsigned.status_code == 403
    assert approvals.submit(draft, secret="guessed").status_code == 403
    assert approvals.submit(draft, key="nobody").status_code == 403
    assert approvals.rows(draft["session_id"]) == {}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"title": ""}, "title"),
        ({"session_id": "a#b"}, "session_id"),
        ({"colour": "green"}, "the draft has an unknown field 'colour'"),
        ({"acceptance_criteria": "all of it"}, "acceptance_criteria"),
    ],
)
def test_an_invalid_draft_is_400_and_names_the_field(approvals: ApprovalsCloud, wrong: dict[str, Any], sentence: str) -> None:
    answer = approvals.submit({**approvals.draft(), **wrong})

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")
    assert sentence in answer.json()["message"]


@pytest.mark.parametrize("seconds", [-301, 360, -86_400], ids=["old", "ahead", "a day old"])
def test_a_click_from_another_time_is_401(approvals: ApprovalsCloud, seconds: int) -> None:
    """A minute more ahead than is refused (tests/unit/web/test_slack_signatures.py): while it is on its way, it gets nearer."""
    draft = approvals.draft()
    payload = approvals.payload(approvals.preview_of(draft), ADA)

    assert approvals.interact(payload, timestamp=str(int(time.time()) + seconds)).status_code == 401
    assert not any(name.startswith("APPROVAL#") for name in approvals.rows(draft["session_id"]))


@pytest.mark.parametrize("timestamp", ["now", "1_700_000_000", "1e9", "-1", "nan"])
def test_a_non_numeric_timestamp_is_401(approvals: ApprovalsCloud, timestamp: str) -> None:
    assert approvals.interact({"type": "block_actions"}, timestamp=timestamp).status_code == 401


def test_a_click_without_a_valid_signature_is_401(approvals: ApprovalsCloud) -> None:
    assert approvals.interact({}, secret="guessed").status_code == 401
    url = f"{approvals.cloud.http_url}/slack/interactions"
    assert requests.post(url, data=b"payload=%7B", timeout=30).status_code == 401


def test_a_replayed_click_changes_nothing(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="Replayed")
    preview = approvals.preview_of(draft)
    payload, timestamp = approvals.payload(preview, ADA), str(int(time.time()))
    assert [approvals.interact(payload, timestamp=timestamp).status_code for _ in range(3)] == [200, 200, 200]

    approvals.header_becomes(preview, "Ticket Created: ")
    settle(approvals)
    assert len(approvals.issues("Replayed")) == 1
    assert approvals.creation(draft["session_id"])["posts"] == {"N": "1"}


@pytest.mark.parametrize(
    "payload", [{"type": "view_submission"}, {"type": "block_actions", "actions": [{"action_id": "open_link"}]}]
)
def test_another_interaction_is_acknowledged_and_ignored(approvals: ApprovalsCloud, payload: dict[str, Any]) -> None:
    answer = approvals.interact(payload)

    assert (answer.status_code, answer.text) == (200, "")


def test_a_signed_click_that_can_t_be_read_is_400(approvals: ApprovalsCloud) -> None:
    broken = {"type": "block_actions", "user": {"id": ADA}, "actions": [{"action_id": "approve_draft", "value": "no hash"}]}

    assert approvals.interact(broken).status_code == 400
    assert approvals.interact(["not", "an", "object"]).status_code == 400


def test_no_secret_is_in_the_logs(approvals: ApprovalsCloud) -> None:
    created(approvals, approvals.draft())
    text = "\n".join([*approvals.cloud.log_lines("approvals"), *approvals.cloud.log_lines("jira_worker")])

    assert "issue_creation" in text
    assert "/actions/" not in text  # a response URL lets whoever has it post
    assert "xoxb-" not in text
    assert "v0=" not in text


def settle(approvals: ApprovalsCloud) -> None:
    """Wait until the worker has nothing to do that was there when we asked: a draft of our own goes through after it."""
    approvals.preview_of(approvals.draft())
