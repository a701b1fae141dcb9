"""A signed draft in, a preview in Slack, a signed click, and exactly one Jira issue out: the whole loop in the local cloud."""

import json
import threading
import time
from typing import Any

import pytest
import requests

from tests.support.approvals.cloud import ADA, GRACE, MALLORY, PROJECT, Desk, buttons_of, header_of
from tests.support.cloud import until

DETAILS = {
    "problem": "An upload of 2 GB stops the importer.\n\nEverybody waits <!channel>.",
    "solution": "Refuse it at the door.",
    "acceptance_criteria": ["2 GB are refused with 413", "1 MB still goes through"],
    "risks": ["Somebody needs 3 GB"],
}


def created(desk: Desk, draft: dict[str, Any], user: str = ADA) -> tuple[dict[str, Any], str]:
    """The preview of a draft that was approved and created, and the issue's key."""
    preview = desk.preview_of(draft)
    desk.press(preview, user)
    done = desk.header_becomes(preview, "Ticket Created: ")
    return done, header_of(done).removeprefix("Ticket Created: ")


def kinds_in(node: dict[str, Any]) -> set[str]:
    return {node["type"]} | {kind for child in node.get("content", []) for kind in kinds_in(child)}


def test_a_draft_is_previewed_with_all_that_is_decided_on_and_two_buttons(desk: Desk) -> None:
    draft = desk.draft(**DETAILS)
    answer = desk.submit(draft)
    assert answer.status_code == 200
    assert answer.json().keys() == {"session_id", "draft_hash", "state"}
    assert (answer.json()["session_id"], answer.json()["state"]) == (draft["session_id"], "preview")

    preview = desk.preview_of(draft)
    value = f"{draft['session_id']}:{answer.json()['draft_hash']}"
    assert buttons_of(preview) == {"approve_draft": value, "reject_draft": value}
    shown = json.dumps(preview["blocks"])
    for text in (draft["title"], *DETAILS["acceptance_criteria"], *DETAILS["risks"], "<@U0REQUEST>"):
        assert text in shown
    assert "<!channel>" not in shown


def test_an_approval_makes_one_issue_that_bears_the_draft_and_its_marker(desk: Desk) -> None:
    draft = desk.draft(**DETAILS)
    _, key = created(desk, draft)

    [issue] = desk.issues(draft["title"])
    [label] = issue.labels
    draft_hash = next(name for name in desk.rows(draft["session_id"]) if name.startswith("DRAFT#")).removeprefix("DRAFT#")
    assert issue.key == key
    assert label.startswith("switchboard-")
    assert desk.jira.app.site.properties[issue.id]["switchboard.operation"] == {
        "marker": label,
        "session_id": draft["session_id"],
        "draft_hash": draft_hash,
    }
    assert kinds_in(issue.description) >= {"doc", "heading", "paragraph", "bulletList", "listItem", "text"}
    assert "Everybody waits <!channel>." in json.dumps(issue.description)


def test_the_preview_becomes_the_tickets_and_the_thread_confirms_it(desk: Desk) -> None:
    draft = desk.draft(**DETAILS)
    done, key = created(desk, draft)

    shown = json.dumps(done["blocks"])
    assert f"{desk.jira.url}/browse/{key}|{draft['title']}" in shown
    assert "2 acceptance criteria" in shown
    assert f"Created by <@{ADA}> at " in shown
    assert "Phoenix time | " in shown
    assert "View in Jira" in shown
    assert buttons_of(done) == {}
    [confirmation] = until(lambda: desk.thread(done))
    assert key in confirmation
    assert "<@U0REQUEST>" in confirmation


def test_every_step_is_on_record(desk: Desk) -> None:
    draft = desk.draft()
    done, key = created(desk, draft)
    until(lambda: desk.thread(done))

    rows = desk.rows(draft["session_id"])
    names = {name.rpartition("#")[2] if name.startswith("OPERATION") else name.partition("#")[0] for name in rows}
    assert names >= {"SESSION", "DRAFT", "APPROVAL", "create_issue", "post_preview", "confirm"}
    assert rows["SESSION"]["state"] == {"S": "created"}
    assert rows["SESSION"]["jira_key"] == {"S": key}
    creation = desk.creation(draft["session_id"])
    assert (creation["status"], creation["jira_key"]) == ({"S": "done"}, {"S": key})
    assert creation["created_by"] == creation["approved_by"] == {"S": ADA}
    assert (creation["attempts"], creation["posts"]) == ({"N": "1"}, {"N": "1"})


def test_the_issue_is_in_jira_issues_without_its_webhook(desk: Desk) -> None:
    draft = desk.draft()
    _, key = created(desk, draft)

    head = until(lambda: desk.cloud.jira_row(key))
    assert (head["summary"], head["project_key"]) == ({"S": draft["title"]}, {"S": PROJECT})


def test_the_same_draft_again_has_the_same_preview(desk: Desk) -> None:
    draft = desk.draft()
    preview = desk.preview_of(draft)
    again = desk.submit(draft)

    assert again.status_code == 200
    assert again.json()["draft_hash"] in buttons_of(preview)["approve_draft"]
    settle(desk)
    assert len([each for each in desk.posts() if draft["title"] in each["text"]]) == 1


def test_a_draft_whose_ticket_exists_is_pointed_to_it(desk: Desk) -> None:
    draft = desk.draft()
    done, key = created(desk, draft)

    assert desk.submit(draft).json()["state"] == "created"
    until(lambda: any("has its ticket already" in text and key in text for text in desk.thread(done)))
    assert len(desk.issues(draft["title"])) == 1


def test_a_double_click_makes_one_issue_and_the_second_is_told_so(desk: Desk) -> None:
    draft = desk.draft(title="Clicked twice")
    preview = desk.preview_of(draft)
    desk.press(preview)
    desk.press(preview)

    desk.told("You have already approved “Clicked twice”")
    desk.header_becomes(preview, "Ticket Created: ")
    settle(desk)
    assert len(desk.issues("Clicked twice")) == 1


def test_of_two_approvers_at_once_one_wins_and_the_other_is_told_who(desk: Desk) -> None:
    draft = desk.draft(title="Clicked by two")
    preview = desk.preview_of(draft)
    clicks = [threading.Thread(target=desk.press, args=(preview, user)) for user in (ADA, GRACE)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()

    desk.header_becomes(preview, "Ticket Created: ")
    winner = desk.creation(draft["session_id"])["approved_by"]["S"]
    desk.told(f"<@{winner}> has already approved “Clicked by two”")
    assert len(desk.issues("Clicked by two")) == 1


def test_a_rejected_draft_can_t_be_approved_any_more_and_nobody_is_told_it_was(desk: Desk) -> None:
    draft = desk.draft(title="Turned down")
    preview = desk.preview_of(draft)
    desk.press(preview, ADA, "reject_draft")
    desk.press(preview, GRACE)

    assert f"<@{ADA}> has already rejected “Turned down”" in desk.told("already rejected “Turned down”")
    rejected = desk.header_becomes(preview, "Draft rejected")
    assert buttons_of(rejected) == {}
    settle(desk)
    assert desk.issues("Turned down") == []
    assert desk.creation(draft["session_id"]) == {}


def test_an_approval_of_a_draft_that_has_changed_is_refused_and_the_current_one_shown(desk: Desk) -> None:
    draft = desk.draft(title="First version")
    old = desk.preview_of(draft)
    new = desk.preview_of({**draft, "title": "Second version"})
    desk.press(old)

    desk.told("“First version” has changed since")
    desk.header_becomes(old, "Draft changed")
    settle(desk)
    assert desk.issues("First version") == desk.issues("Second version") == []
    assert desk.rows(draft["session_id"])["SESSION"]["state"] == {"S": "preview"}

    desk.press(new)
    desk.header_becomes(new, "Ticket Created: ")
    assert len(desk.issues("Second version")) == 1


def test_who_is_no_approver_or_asked_for_it_approves_nothing(desk: Desk) -> None:
    draft = desk.draft(title="Not yours", requested_by=GRACE)
    preview = desk.preview_of(draft)
    desk.press(preview, MALLORY)
    desk.press(preview, GRACE)

    desk.told("You are not among the approvers, so your click on “Not yours”")
    desk.told("You asked for “Not yours” yourself")
    assert not any(name.startswith("APPROVAL#") for name in desk.rows(draft["session_id"]))


def test_without_a_known_key_s_signature_no_draft_gets_in(desk: Desk) -> None:
    draft = desk.draft()
    unsigned = requests.post(f"{desk.cloud.http_url}/drafts", json=draft, timeout=30)

    assert unsigned.status_code == 403
    assert desk.submit(draft, secret="guessed").status_code == 403
    assert desk.submit(draft, key="nobody").status_code == 403
    assert desk.rows(draft["session_id"]) == {}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"title": ""}, "title"),
        ({"session_id": "a#b"}, "session_id"),
        ({"colour": "green"}, "'colour' is no field of a draft"),
        ({"acceptance_criteria": "all of it"}, "acceptance_criteria"),
    ],
)
def test_a_draft_that_can_t_be_right_is_400_and_says_which_field(desk: Desk, wrong: dict[str, Any], sentence: str) -> None:
    answer = desk.submit({**desk.draft(), **wrong})

    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")
    assert sentence in answer.json()["message"]


@pytest.mark.parametrize("seconds", [-301, 360, -86_400], ids=["old", "ahead", "a day old"])
def test_a_click_from_another_time_is_401(desk: Desk, seconds: int) -> None:
    """A minute more ahead than is refused (tests/unit/web/test_slack_signatures.py): while it is on its way, it gets nearer."""
    draft = desk.draft()
    payload = desk.payload(desk.preview_of(draft), ADA)

    assert desk.interact(payload, timestamp=str(int(time.time()) + seconds)).status_code == 401
    assert not any(name.startswith("APPROVAL#") for name in desk.rows(draft["session_id"]))


@pytest.mark.parametrize("timestamp", ["now", "1_700_000_000", "1e9", "-1", "nan"])
def test_a_timestamp_that_is_no_number_is_401(desk: Desk, timestamp: str) -> None:
    assert desk.interact({"type": "block_actions"}, timestamp=timestamp).status_code == 401


def test_a_click_that_slack_did_not_sign_is_401_before_anything_reads_it(desk: Desk) -> None:
    assert desk.interact({}, secret="guessed").status_code == 401
    url = f"{desk.cloud.http_url}/slack/interactions"
    assert requests.post(url, data=b"payload=%7B", timeout=30).status_code == 401


def test_a_replayed_click_changes_nothing(desk: Desk) -> None:
    draft = desk.draft(title="Replayed")
    preview = desk.preview_of(draft)
    payload, timestamp = desk.payload(preview, ADA), str(int(time.time()))
    assert [desk.interact(payload, timestamp=timestamp).status_code for _ in range(3)] == [200, 200, 200]

    desk.header_becomes(preview, "Ticket Created: ")
    settle(desk)
    assert len(desk.issues("Replayed")) == 1
    assert desk.creation(draft["session_id"])["posts"] == {"N": "1"}


@pytest.mark.parametrize(
    "payload", [{"type": "view_submission"}, {"type": "block_actions", "actions": [{"action_id": "open_link"}]}]
)
def test_an_interaction_that_is_none_of_ours_is_acknowledged_and_ignored(desk: Desk, payload: dict[str, Any]) -> None:
    answer = desk.interact(payload)

    assert (answer.status_code, answer.text) == (200, "")


def test_a_signed_click_that_can_t_be_read_is_400(desk: Desk) -> None:
    broken = {"type": "block_actions", "user": {"id": ADA}, "actions": [{"action_id": "approve_draft", "value": "no hash"}]}

    assert desk.interact(broken).status_code == 400
    assert desk.interact(["not", "an", "object"]).status_code == 400


def test_no_secret_is_in_the_logs(desk: Desk) -> None:
    created(desk, desk.draft())
    text = "\n".join([*desk.cloud.log_lines("approvals"), *desk.cloud.log_lines("jira_worker")])

    assert "issue_creation" in text
    assert "/actions/" not in text  # a response URL lets whoever has it post
    assert "xoxb-" not in text
    assert "v0=" not in text


def settle(desk: Desk) -> None:
    """Wait until the worker has nothing to do that was there when we asked: a draft of our own goes through after it."""
    desk.preview_of(desk.draft())
