"""People approve what they can read: long drafts, hidden characters, clicks on other messages, closed channels."""

import html
import json
from typing import Any

import pytest
from click.testing import CliRunner

from handlers.cli.approvals import operations
from tests.support.approvals.cloud import ADA, CHANNEL, ApprovalsCloud, buttons_of
from tests.support.cloud import until

LONG = {
    "problem": "Every import waits. " * 400,
    "solution": "Check the size & refuse <early>. " * 250,
    "acceptance_criteria": [f"Criterion {number}: " + "it holds " * 50 for number in range(20)],
    "dependencies": ["the last line of the draft"],
}


def texts_of(message: dict[str, Any]) -> str:
    """What people read of a message, character by character."""
    blocks = [block["text"] for block in message["blocks"] if block["type"] == "section"]
    return "".join(html.unescape(text["text"]) for text in blocks if text["type"] == "plain_text")


def replies_of(approvals: ApprovalsCloud, preview: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in approvals.posts() if each.get("thread_ts") == preview["ts"]]


def test_all_of_a_long_draft_can_be_read_before_it_can_be_approved(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="A long one", **LONG)
    preview = approvals.preview_of(draft, seconds=60)

    replies = replies_of(approvals, preview)
    shown = texts_of(preview) + "".join(map(texts_of, replies))
    for text in (draft["title"], draft["problem"], draft["solution"], *draft["acceptance_criteria"], *draft["dependencies"]):
        assert text in shown
    hidden = sum(len(texts_of(reply)) for reply in replies)
    assert f"The thread has {hidden:,} more characters" in json.dumps(preview["blocks"])

    approvals.click(preview)
    approvals.header_becomes(preview, "Ticket Created: ")
    assert "the last line of the draft" in json.dumps(approvals.issues("A long one")[0].description)


def test_a_draft_that_takes_more_than_ten_messages_is_refused(approvals: ApprovalsCloud) -> None:
    answer = approvals.submit(approvals.draft(problem="<" * 10_000, solution="&" * 10_000, risks=["&" * 1_000] * 10))

    assert answer.status_code == 400
    assert answer.json()["message"] == ("the draft needs 15 messages in Slack, and at most 10 are allowed: shorten it")


def test_slacks_rate_limit_delays_a_long_draft_and_loses_nothing(approvals: ApprovalsCloud) -> None:
    approvals.slack.app.limit(1, 1)
    try:
        preview = approvals.preview_of(approvals.draft(title="A slow one", **LONG), seconds=90)
    finally:
        approvals.slack.app.limit(0, 3)
    texts = [reply["text"] for reply in replies_of(approvals, preview)]
    assert texts == [f"Part {number} of {len(texts) + 1} of the draft: A slow one" for number in range(2, len(texts) + 2)]


def test_invisible_characters_are_shown_and_created_as_text(approvals: ApprovalsCloud) -> None:
    preview = approvals.preview_of(approvals.draft(title="Pay \u202e001$", problem="Zero\u200bwidth"))
    assert "Pay [U+202E]001$" in texts_of(preview)
    assert "Zero[U+200B]width" in texts_of(preview)

    approvals.click(preview)
    approvals.header_becomes(preview, "Ticket Created: ")
    assert len(approvals.issues("Pay [U+202E]001$")) == 1


@pytest.mark.parametrize("elsewhere", [{"message_ts": "1700000000.000100"}, {"channel_id": "C0ELSEWHERE"}])
def test_a_click_in_another_message_decides_nothing(approvals: ApprovalsCloud, elsewhere: dict[str, str]) -> None:
    draft = approvals.draft(title=f"Clicked in another {next(iter(elsewhere))}")
    preview = approvals.preview_of(draft)
    payload = approvals.payload(preview, ADA)
    payload["container"] |= elsewhere

    assert approvals.interact(payload).status_code == 200

    approvals.answer(f"This message is not a preview of “{draft['title']}”")
    assert not any(name.startswith("APPROVAL#") for name in approvals.rows(draft["session_id"]))


def test_a_click_before_the_preview_is_refused_and_can_be_repeated(approvals: ApprovalsCloud) -> None:
    approvals.slack.app.close_channel(CHANNEL, "is_archived")
    try:
        draft = approvals.draft(title="Clicked too early")
        of_hash = approvals.submit(draft).json()["draft_hash"]
        value = f"{draft['session_id']}:{of_hash}"
        button = {"type": "actions", "elements": [{"action_id": "approve_draft", "value": value}]}
        approvals.click({"ts": "1700000000.000100", "channel": "C0APPROVALS", "blocks": [button]})
        approvals.answer("This message is not a preview of “Clicked too early”")
    finally:
        approvals.slack.app.close_channel(CHANNEL, "")
    preview = approvals.preview_of(draft)
    approvals.click(preview)
    approvals.header_becomes(preview, "Ticket Created: ")


@pytest.mark.parametrize("error", ["channel_not_found", "not_in_channel", "is_archived"])
def test_a_channel_that_refuses_messages_fails_the_draft(approvals: ApprovalsCloud, error: str) -> None:
    draft = approvals.draft(title=f"Into a channel: {error}")

    def has_failed() -> bool:
        return bool(approvals.rows(draft["session_id"])["SESSION"]["state"] == {"S": "failed"})

    approvals.slack.app.close_channel(CHANNEL, error)
    try:
        approvals.submit(draft)
        until(has_failed)
        answer = approvals.submit(draft).json()
        refused = "Slack refused the last preview, which is now posted again"
        reason = f"{refused}: could not post a message: Slack says {error}"
        assert (answer["state"], answer["reason"]) == ("preview", reason)
        until(has_failed)
        shown = CliRunner().invoke(operations, ["show", draft["session_id"]], obj=approvals.deployment).stdout
        assert f"{draft['session_id']}: failed" in shown
        assert f"Slack says {error}" in shown
    finally:
        approvals.slack.app.close_channel(CHANNEL, "")

    retried = CliRunner().invoke(operations, ["retry", draft["session_id"], "--by", ADA], obj=approvals.deployment)
    assert retried.exit_code == 0
    preview = until(
        lambda: next((each for each in approvals.posts() if draft["title"] in each["text"] and buttons_of(each)), None)
    )
    assert approvals.submit(draft).json().keys() == {"session_id", "draft_hash", "state"}
    approvals.click(preview)
    approvals.header_becomes(preview, "Ticket Created: ")


def test_a_deleted_preview_is_posted_again(approvals: ApprovalsCloud) -> None:
    draft = approvals.draft(title="Deleted and posted again")
    first = approvals.preview_of(draft)
    approvals.slack.app.delete(first["channel"], first["ts"])

    second = approvals.preview_of(draft)

    assert second["ts"] != first["ts"]
    approvals.click(second)
    approvals.header_becomes(second, "Ticket Created: ")
