"""The preview of a draft in Slack, in each of its states, as Block Kit blocks.

What is shown follows from what the table knows and from nothing else, so showing it twice or late does no harm. Text is
escaped and cut to Slack's limits: 150 characters in a header, 3,000 in a section, 50 blocks
(https://docs.slack.dev/reference/block-kit/blocks), and 12,000 characters in all. Nothing here does input or output.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lib import clock
from lib.approvals import drafts
from lib.approvals.drafts import Draft
from lib.approvals.interactions import APPROVE_ACTION, REJECT_ACTION
from lib.approvals.records import Approval, Operation, SessionState, StoredDraft, View, state_of
from lib.approvals.tracker import is_dry
from lib.approvals.wording import issue_link, mention
from lib.slack import clip, escape

Block = dict[str, Any]

MAX_HEADER_CHARACTERS = 150

_PROBLEM_CHARACTERS = 2_500
_SOLUTION_CHARACTERS = 1_500
_LIST_CHARACTERS = 1_200
_SHORT_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Preview:
    """A Slack message. ``text`` is what notifications and screen readers say."""

    text: str
    blocks: tuple[Block, ...]


def render(view: View, jira_base_url: str) -> Preview | None:  # noqa: PLR0911 - one a state
    """What the draft's preview has to show; None if the draft is not known."""
    if view.draft is None:
        return None
    draft = view.draft.draft
    state = state_of(view.approval, view.operation)
    approval, operation = view.approval, view.operation
    if state is SessionState.CREATED and operation is not None:
        return created(draft, operation, jira_base_url)
    if approval is not None and state is SessionState.REJECTED:
        return _rejected(draft, approval)
    if not view.is_current:
        return _changed(draft)
    if approval is not None and operation is not None and state is SessionState.FAILED:
        return _failed(draft, approval, operation)
    if approval is not None and operation is not None and state is SessionState.UNKNOWN:
        return _unknown(draft, approval)
    if approval is not None:
        return _approved(draft, approval)
    return waiting(view.draft)


def waiting(stored: StoredDraft) -> Preview:
    """The preview of a draft that nobody has decided on, with its buttons."""
    draft = stored.draft
    value = drafts.button_value(draft.session_id, stored.draft_hash)
    about = f"Project {escape(draft.project)} · {escape(draft.issue_type)}"
    if draft.epic:
        about += f" · in {escape(draft.epic)}"
    return Preview(
        f"A draft for Jira waits for approval: {escape(draft.title)}",
        (
            _header("Draft for Jira: approve or reject"),
            text_block(f"*{clip(draft.title, 1_500)}*"),
            *_part("Problem", clip(draft.problem, _PROBLEM_CHARACTERS)),
            *_part("Solution", clip(draft.solution, _SOLUTION_CHARACTERS)),
            *_part("Acceptance criteria", _bullets(draft.acceptance_criteria)),
            *_part("Constraints", _bullets(draft.constraints)),
            *_part("Risks", _bullets(draft.risks)),
            *_part("Dependencies", _bullets(draft.dependencies)),
            _context(f"{about} · requested by {mention(draft.requested_by)}"),
            {
                "type": "actions",
                "elements": [
                    _button("Approve", APPROVE_ACTION, value, "primary"),
                    _button("Reject", REJECT_ACTION, value, "danger"),
                ],
            },
        ),
    )


def created(draft: Draft, operation: Operation, jira_base_url: str) -> Preview:
    """The preview of a draft whose issue exists."""
    key = operation.jira_key or ""
    when = f" at {clock.for_people(operation.settled_at)}" if operation.settled_at else ""
    facts = f"Created by {mention(operation.created_by)}{when}" if operation.created_by else f"Created{when}"
    if is_dry(key):
        facts += " | Dry run: there is no such issue in Jira"
    elif jira_base_url:
        facts += f" | {issue_link(jira_base_url, key, 'View in Jira')}"
    blocks = [
        _header(f"Ticket Created: {key}"),
        text_block(f"*{issue_link(jira_base_url, key, draft.title)}*"),
        text_block(clip(draft.problem, _SHORT_CHARACTERS)),
        text_block(_count(len(draft.acceptance_criteria))),
        _context(facts),
    ]
    if operation.other_keys:
        others = ", ".join(issue_link(jira_base_url, other, other) for other in operation.other_keys)
        blocks.append(text_block(f":warning: This draft has more than one issue. Close the others: {others}"))
    return Preview(f"Ticket Created: {escape(key)} {escape(draft.title)}", tuple(blocks))


def confirmation(draft: Draft, operation: Operation, jira_base_url: str) -> Preview:
    """What the thread under the preview says once the issue exists."""
    key = operation.jira_key or ""
    text = f"Created {issue_link(jira_base_url, key, key)} for {mention(draft.requested_by)}."
    if is_dry(key):
        text = f"Dry run: {escape(key)} would have been created for {mention(draft.requested_by)}."
    return Preview(text, (text_block(text),))


def duplicate(draft: Draft, operation: Operation, jira_base_url: str) -> Preview:
    """What is said when a draft comes again whose issue exists."""
    key = operation.jira_key or ""
    text = f"This draft has its ticket already: {issue_link(jira_base_url, key, f'{key} {draft.title}')}. None was created."
    return Preview(text, (text_block(text),))


def _approved(draft: Draft, approval: Approval) -> Preview:
    return _decided("Draft approved", draft, _by("Approved", approval), "Its Jira issue is being created.")


def _rejected(draft: Draft, approval: Approval) -> Preview:
    return _decided("Draft rejected", draft, _by("Rejected", approval), "No Jira issue was created.")


def _unknown(draft: Draft, approval: Approval) -> Preview:
    return _decided(
        "Draft approved: looking for its ticket",
        draft,
        _by("Approved", approval),
        "Jira gave no clear answer, so the ticket may exist or not. Switchboard looks for it before it creates another. "
        "Please don't create one by hand meanwhile.",
    )


def _failed(draft: Draft, approval: Approval, operation: Operation) -> Preview:
    error = clip(operation.error_message or "no reason was given", 1_000)
    return _decided(
        "Ticket not created",
        draft,
        _by("Approved", approval),
        f"What failed: {error}",
        f"What to do: mend the cause, then have it tried again (`operations retry {escape(draft.session_id)} "
        f"--by {escape('<your Slack ID>')}`), or submit a changed draft. The approval stands.",
    )


def _changed(draft: Draft) -> Preview:
    text = "The draft has changed since. This version can't be approved any more; decide on the new one."
    return _decided("Draft changed", draft, text)


def _decided(header: str, draft: Draft, *lines: str) -> Preview:
    blocks = [_header(header), text_block(f"*{clip(draft.title, 1_500)}*"), *(text_block(line) for line in lines)]
    return Preview(f"{header}: {escape(draft.title)}", tuple(blocks))


def _by(what: str, approval: Approval) -> str:
    return f"{what} by {mention(approval.decided_by)} at {clock.for_people(approval.at)}."


def _count(criteria: int) -> str:
    return f"{criteria} acceptance {'criterion' if criteria == 1 else 'criteria'}"


def _part(title: str, text: str) -> Iterable[Block]:
    return [text_block(f"*{title}*\n{text}")] if text else []


def _bullets(items: tuple[str, ...]) -> str:
    """As many items as fit, and how many more there are."""
    lines: list[str] = []
    length = 40  # room for the last line
    for position, item in enumerate(items):
        line = "• " + clip(" ".join(item.split()), 300)
        length += len(line) + 1
        if length > _LIST_CHARACTERS:
            lines.append(f"… and {len(items) - position} more")
            break
        lines.append(line)
    return "\n".join(lines)


def _header(text: str) -> Block:
    short = text if len(text) <= MAX_HEADER_CHARACTERS else text[: MAX_HEADER_CHARACTERS - 1] + "…"
    return {"type": "header", "text": {"type": "plain_text", "text": short, "emoji": False}}


def text_block(text: str) -> Block:
    """A block of mrkdwn."""
    return {"type": "section", "text": _mrkdwn(text)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Block:
    # verbatim: Slack looks for no links and names of its own in what strangers wrote
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _button(text: str, action_id: str, value: str, style: str) -> Block:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": text},
        "action_id": action_id,
        "value": value,
        "style": style,
    }
