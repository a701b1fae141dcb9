"""What the preview shows in each state, within Slack's limits and without anything that Slack reads as a mention."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.approvals import drafts, preview, reasons
from lib.approvals.drafts import MAX_TITLE_CHARACTERS
from lib.approvals.records import Approval, Operation, OperationStatus, Session, SessionState, StoredDraft, View
from lib.approvals.rules import Rules
from lib.platform.characters import utf16_length
from lib.slack.blocks import SlackMessage
from lib.slack.text import clip
from tests.support.approvals.builders import NOON, make_draft
from tests.support.approvals.cloud import buttons_of
from tests.support.present import present
from tests.support.web.slack_limits import check_blocks, shown

JIRA = "https://jira.example.com/"
YES = Approval(draft_hash="h", approved=True, decided_by="U0ANN", at=NOON)
NO = replace(YES, approved=False)
CREATED = Operation(
    session_id="sess-1",
    draft_hash="h",
    name="create_issue",
    status=OperationStatus.DONE,
    jira_key="PROJ-123",
    created_by="U0ANN",
    approved_by="U0ANN",
    settled_at=NOON,
)


def view(approval: Approval | None = None, operation: Operation | None = None, *, current: bool = True, **given: Any) -> View:
    draft = make_draft(**given)
    of_hash = drafts.draft_hash(draft)
    session = Session(
        session_id="sess-1", draft_hash=of_hash if current else "b" * 64, state=SessionState.PREVIEW, updated_at=NOON
    )
    stored = StoredDraft(
        draft=draft, draft_hash=of_hash, preview_channel="C1", preview_ts="1.0", previews=frozenset({"C1/1.0"})
    )
    return View(session_id="sess-1", draft_hash=of_hash, session=session, draft=stored, approval=approval, operation=operation)


def render(*args: Any, **given: Any) -> SlackMessage:
    message = preview.render(view(*args, **given), JIRA, Rules())
    assert message is not None
    check_blocks(message.blocks)
    return message


def test_a_waiting_draft_shows_its_parts_and_two_buttons() -> None:
    message = render(solution="Check first.", acceptance_criteria=["Refused."], risks=["None."], epic="PROJ-1")

    text = shown(message.blocks)
    for part in (
        "Refuse uploads",
        "*Problem*",
        "*Solution*",
        "• Refused.",
        "*Risks*",
        "in PROJ-1",
        "session sess-1",
        "<@U0REQUEST>",
    ):
        assert part in text
    assert "Constraints" not in text
    approve, reject = message.blocks[-1]["elements"]
    assert (approve["action_id"], reject["action_id"]) == ("approve_draft", "reject_draft")
    value = (
        f"sess-1:{view(solution='Check first.', acceptance_criteria=['Refused.'], risks=['None.'], epic='PROJ-1').draft_hash}"
    )
    assert approve["value"] == reject["value"] == value


def test_a_created_issue_shows_its_key_link_creator_and_time() -> None:
    message = render(YES, CREATED, problem="p" * 1000, acceptance_criteria=["one", "two"])

    header, title, problem, criteria, facts = message.blocks
    assert header["text"]["text"] == "Ticket Created: PROJ-123"
    assert title["text"]["text"] == "*<https://jira.example.com/browse/PROJ-123|Refuse uploads that are too large>*"
    assert problem["text"]["text"] == "p" * 299 + "…"
    assert criteria["text"]["text"] == "2 acceptance criteria"
    assert facts["elements"][0]["text"] == (
        "Created by <@U0ANN> at 22 Jan 2026 05:00 Phoenix time | <https://jira.example.com/browse/PROJ-123|View in Jira>"
    )


def test_a_second_issue_is_pointed_out() -> None:
    assert "more than one issue" in shown(render(YES, replace(CREATED, other_keys=("PROJ-124",))).blocks)


def test_a_waiting_draft_asks_why_it_is_rejected() -> None:
    inputs = [block for block in render().blocks if block["type"] == "input"]
    assert [block["block_id"] for block in inputs] == [reasons.MENU, reasons.WORDS]
    assert all(block["optional"] and "dispatch_action" not in block for block in inputs)
    assert {option["value"] for option in inputs[0]["element"]["options"]} == set(reasons.REASONS)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (Rules(), "Everybody who sees this message may approve it except <@U0REQUEST>, who requested it."),
        (Rules(require_other_approver=False), "Everybody who sees this message may approve it."),
        (Rules(approvers=frozenset({"U0BOB", "U0ANN"})), "May approve: <@U0ANN>, <@U0BOB>."),
        (Rules(approvers=frozenset({"U0REQUEST", "U0ANN"})), "May approve: <@U0ANN>."),
        (Rules(approvers=frozenset({"U0REQUEST"})), "Nobody may approve it: <@U0REQUEST>, the only approver, requested it."),
        (Rules(approvers=frozenset({"U0REQUEST"}), require_other_approver=False), "May approve: <@U0REQUEST>."),
        (Rules(approvers=frozenset(f"U0P{number:02}" for number in range(12))), "<@U0P09>, 2 others."),
    ],
)
def test_a_waiting_draft_names_who_may_approve(rules: Rules, says: str) -> None:
    message = present(preview.render(view(), JIRA, rules))
    check_blocks(message.blocks)
    assert says in shown(message.blocks)


@pytest.mark.parametrize("approval", [None, YES])
def test_a_changed_draft_links_to_the_current_preview(approval: Approval | None) -> None:
    old = view(approval, current=False)
    message = present(preview.render(old, JIRA, Rules(), "https://slack.example.com/archives/C1/p10"))
    check_blocks(message.blocks)
    assert "<https://slack.example.com/archives/C1/p10|decide on the new one>" in shown(message.blocks)
    assert "approved; decide on the new one." in shown(render(approval, current=False).blocks)


def test_a_dry_run_says_so_and_links_nowhere() -> None:
    text = shown(render(YES, replace(CREATED, jira_key="PROJ-DRY7")).blocks)
    assert "Dry run: there is no such issue in Jira" in text
    assert "browse" not in text


@pytest.mark.parametrize(
    ("approval", "operation", "current", "says"),
    [
        (NO, None, True, ["Draft rejected", "Rejected by <@U0ANN> at 22 Jan 2026 05:00 Phoenix time", "No Jira issue"]),
        (replace(NO, reason="Not planned: <no>"), None, True, ["Draft rejected", "Reason: Not planned: &lt;no&gt;"]),
        (YES, None, True, ["Draft approved", "Approved by <@U0ANN>", "is being created"]),
        (YES, replace(CREATED, status=OperationStatus.PENDING), True, ["Draft approved", "is being created"]),
        (YES, replace(CREATED, status=OperationStatus.UNKNOWN), True, ["looking for its Jira issue", "may or may not exist"]),
        (
            YES,
            replace(CREATED, status=OperationStatus.FAILED, error_message="Jira answered 400: <b>"),
            True,
            [
                "Jira issue not created",
                "What failed: Jira answered 400: &lt;b&gt;",
                "`operations retry sess-1 --by &lt;your Slack ID&gt;`",
                "approval remains valid",
            ],
        ),
        (None, None, False, ["Draft changed", "can no longer be approved"]),
        (NO, None, False, ["Draft rejected"]),
        (YES, CREATED, False, ["Ticket Created: PROJ-123"]),
    ],
)
def test_each_decided_state_is_shown_without_buttons_to_decide(
    approval: Approval | None, operation: Operation | None, current: bool, says: list[str]
) -> None:
    message = render(approval, operation, current=current)
    assert all(part in shown(message.blocks) for part in says)
    may_retry = current and operation is not None and operation.status is OperationStatus.FAILED
    value = {"retry_issue": f"sess-1:{view().draft_hash}"}
    assert buttons_of({"blocks": message.blocks}) == (value if may_retry else {})


def test_an_unknown_draft_shows_nothing() -> None:
    assert preview.render(replace(view(), draft=None), JIRA, Rules()) is None


def test_a_resubmitted_draft_gets_a_reply_with_its_issue() -> None:
    message = preview.duplicate(make_draft(), CREATED, JIRA)
    check_blocks(message.blocks)
    assert "already has a Jira issue: <https://jira.example.com/browse/PROJ-123|PROJ-123 Refuse" in message.text


HOSTILE = "<!channel> <@U0BOSS> & <https://evil.example|click>"


@pytest.mark.parametrize("approval", [None, YES, NO])
def test_nothing_in_a_draft_mentions_anybody_or_is_a_link(approval: Approval | None) -> None:
    names = ("title", "problem", "solution", "issue_type")
    message = render(
        approval, CREATED if approval is YES else None, **dict.fromkeys(names, HOSTILE), risks=[HOSTILE], constraints=[HOSTILE]
    )
    for text in (shown(message.blocks), message.text):
        for part in ("<!channel", "<@U0BOSS", "<https://evil"):
            assert part not in text
    assert all(
        part.get("verbatim") for block in message.blocks for part in [block.get("text", {})] if part.get("type") == "mrkdwn"
    )


@pytest.mark.parametrize("character", ["x", "&", "<", "\U0001f600"])
def test_the_largest_draft_stays_within_slacks_limits_in_every_state(character: str) -> None:
    largest = {
        "title": character * (MAX_TITLE_CHARACTERS // utf16_length(character)),
        "problem": character * 5_000,
        "solution": character * 1_000,
        "acceptance_criteria": [character * 500] * 4,
        "constraints": [character * 25] * 50,
        "risks": [character * 500] * 4,
        "dependencies": [character * 50] * 50,
        "issue_type": character * 60,
    }
    failed = replace(CREATED, status=OperationStatus.FAILED, error_message=character * 500)
    for approval, operation in [(None, None), (YES, None), (NO, None), (YES, CREATED), (YES, failed)]:
        render(approval, operation, **largest)


@given(st.text(), st.integers(10, 60))
def test_a_cut_never_splits_an_escape_and_keeps_its_length(text: str, most: int) -> None:
    cut = clip(text, most)
    assert len(cut) <= most
    rest = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not {"&", "<", ">"} & set(rest)


def test_a_preview_without_its_thread_has_no_buttons_and_says_so() -> None:
    seen = view()
    assert seen.draft is not None
    waiting = preview.render(replace(seen, draft=replace(seen.draft, previews=frozenset({"C1/0.9"}))), JIRA, Rules())
    assert waiting is not None
    assert all(block["type"] != "actions" for block in waiting.blocks)
    assert "The buttons appear when the whole draft is posted." in shown(waiting.blocks)


def test_a_preview_says_how_much_continues_in_the_thread() -> None:
    draft = {"problem": "p" * 10_000, "solution": "s" * 5_000}
    message = render(**draft)
    replies = preview.thread(make_draft(**draft))
    assert sum(shown(reply.blocks).count("p") + shown(reply.blocks).count("s") for reply in replies) > 5_000
    count = 15_000 - sum(len(text) for text in texts(message.blocks) if set(text) <= {"p", "s"})
    assert f"*The thread has {count:,} more characters*, in 1 message. " in shown(message.blocks)
    (reply,) = replies
    assert "Part 2 of 2 of the draft" in shown(reply.blocks)


def texts(blocks: Iterable[dict[str, Any]]) -> list[str]:
    return [block["text"]["text"] for block in blocks if block["type"] == "section"]


def test_times_are_phoenix_time_whatever_the_stored_one() -> None:
    midnight = replace(CREATED, settled_at=NOON + timedelta(hours=18))
    assert "22 Jan 2026 23:00 Phoenix time" in shown(render(YES, midnight).blocks)
