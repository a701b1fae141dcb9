"""The preview of a draft in Slack, in each of its states, as Block Kit blocks.

The preview follows from the rows alone, so showing it twice or late does no harm. A draft that waits for a decision is shown in
full, by :mod:`lib.approvals.preview_pages`. Nothing here does input or output.
"""

from lib.approvals import drafts, preview_pages, reasons
from lib.approvals.drafts import Draft
from lib.approvals.interactions import APPROVE_ACTION, REJECT_ACTION, RETRY_ACTION
from lib.approvals.issue_tracker import is_dry
from lib.approvals.records import Approval, Operation, SessionState, StoredDraft, View, state_of
from lib.approvals.rules import Rules
from lib.approvals.wording import issue_link, mention
from lib.platform import clock
from lib.platform.wording import counted
from lib.slack import blocks
from lib.slack.blocks import Block, SlackMessage
from lib.slack.text import clip, escape

_SHORT_CHARACTERS = 300

_MAX_NAMED = 10
"""The most approvers that are named. More would not fit in the preview of the longest draft."""


def render(view: View, jira_base_url: str, rules: Rules, newer: str = "") -> SlackMessage | None:
    """The draft's preview in its current state; None if the draft does not exist.

    ``newer`` is the URL of the preview of the session's current draft, if this is another one and it is known.
    """
    if view.draft is None:
        return None
    if view.created is not None:
        return created(view.draft.draft, view.created, jira_base_url)
    if view.is_current and view.approval is None:
        return waiting(view.draft, rules)
    draft = view.draft.draft
    header, *lines = _decided(view, view.approval, newer) if view.approval is not None else _changed(newer)
    shown = [blocks.header(header), blocks.section(f"*{clip(draft.title, 1_500)}*"), *map(blocks.section, lines)]
    if view.can_retry:
        value = drafts.button_value(view.session_id, view.draft_hash)
        shown.append({"type": "actions", "elements": [blocks.button("Retry", RETRY_ACTION, value, "primary")]})
    return SlackMessage(f"{header}: {escape(draft.title)}", tuple(shown))


def waiting(stored: StoredDraft, rules: Rules) -> SlackMessage:
    """The preview of a draft that waits for a decision: its first page, and its buttons once all pages are posted."""
    draft = stored.draft
    first, *others = preview_pages.pages_of(draft)
    shown = [blocks.header("Draft for Jira: approve or reject"), *first.blocks, _facts(draft)]
    shown.append(blocks.context(blocks.mrkdwn(who_may_approve(draft, rules))))
    if others:
        shown.append(blocks.section(_rest(sum(page.characters for page in others), len(others))))
    if stored.is_shown:
        value = drafts.button_value(draft.session_id, stored.draft_hash)
        buttons = [
            blocks.button("Approve", APPROVE_ACTION, value, "primary"),
            blocks.button("Reject", REJECT_ACTION, value, "danger"),
        ]
        shown.append(blocks.menu("If you reject it: why?", reasons.MENU, reasons.REASONS))
        shown.append(blocks.words("In your own words", reasons.WORDS, reasons.MAX_WORDS))
        shown.append({"type": "actions", "elements": buttons})
    else:
        shown.append(blocks.context(blocks.mrkdwn("The buttons appear when the whole draft is posted.")))
    return SlackMessage(f"A draft for Jira waits for approval: {escape(draft.title)}", tuple(shown))


def thread(draft: Draft) -> list[SlackMessage]:
    """The replies that show the part of the draft that does not fit into the preview; none for most drafts."""
    all_pages = preview_pages.pages_of(draft)
    return [
        _reply(f"Part {number} of {len(all_pages)} of the draft", draft, page)
        for number, page in enumerate(all_pages[1:], start=2)
    ]


def created(draft: Draft, operation: Operation, jira_base_url: str) -> SlackMessage:
    """The preview of a draft whose issue exists."""
    key = operation.jira_key or ""
    when = f" at {clock.for_people(operation.settled_at)}" if operation.settled_at else ""
    facts = f"Created by {mention(operation.created_by)}{when}" if operation.created_by else f"Created{when}"
    if is_dry(key):
        facts += " | Dry run: there is no such issue in Jira"
    elif jira_base_url:
        facts += f" | {issue_link(jira_base_url, key, 'View in Jira')}"
    shown = [
        blocks.header(f"Ticket Created: {key}"),
        blocks.section(f"*{issue_link(jira_base_url, key, draft.title)}*"),
        blocks.section(clip(draft.problem, _SHORT_CHARACTERS)),
        blocks.section(counted(len(draft.acceptance_criteria), "acceptance criterion")),
        blocks.context(blocks.mrkdwn(facts)),
    ]
    if operation.other_keys:
        others = ", ".join(issue_link(jira_base_url, other, other) for other in operation.other_keys)
        shown.append(blocks.section(f":warning: This draft has more than one issue. Close the others: {others}"))
    return SlackMessage(f"Ticket Created: {escape(key)} {escape(draft.title)}", tuple(shown))


def confirmation(draft: Draft, operation: Operation, jira_base_url: str) -> SlackMessage:
    """The reply in the preview's thread once the issue exists. It reports the approval, too."""
    key = operation.jira_key or ""
    text = f"Created {issue_link(jira_base_url, key, key)} for {mention(draft.requested_by)}."
    if is_dry(key):
        text = f"Dry run: {escape(key)} would have been created for {mention(draft.requested_by)}."
    if operation.approved_by:
        text += f" Approved by {mention(operation.approved_by)}."
    return _note(text)


def rejection(draft: Draft, approval: Approval) -> SlackMessage:
    """The reply in the preview's thread that reports a rejection to the requester."""
    why = f"Reason: {escape(approval.reason)}" if approval.reason else "No reason was given."
    return _note(f"{mention(draft.requested_by)}: {mention(approval.decided_by)} rejected this draft. {why}")


def expiry(draft: Draft) -> SlackMessage:
    """The reply in the preview's thread that reports to the requester that nobody decided in time."""
    return _note(f"{mention(draft.requested_by)}: nobody decided on this draft in time, so it expired. {_SUBMIT_CHANGED}")


def reminder(draft: Draft, rules: Rules) -> SlackMessage:
    """The reply in the preview's thread that reminds the approvers."""
    return _note(f"This draft still waits for a decision. {who_may_approve(draft, rules)}")


def failure(draft: Draft, operation: Operation) -> SlackMessage:
    """The reply in the preview's thread that reports to the requester that there is no issue yet."""
    by = f"{mention(operation.approved_by)} approved this draft, but its" if operation.approved_by else "The"
    why = clip(operation.error_message or "no reason was given", 1_000)
    return _note(f"{mention(draft.requested_by)}: {by} Jira issue could not be created: {why}. The approval remains valid.")


def duplicate(draft: Draft, operation: Operation, jira_base_url: str) -> SlackMessage:
    """The reply when a draft is submitted again after its issue was created."""
    key = operation.jira_key or ""
    text = (
        f"This draft already has a Jira issue: {issue_link(jira_base_url, key, f'{key} {draft.title}')}. No other was created."
    )
    return _note(text)


def _note(text: str) -> SlackMessage:
    return SlackMessage(text, (blocks.section(text),))


def who_may_approve(draft: Draft, rules: Rules) -> str:
    """The people whose click on Approve counts, as mrkdwn. Approvers are mentioned, so Slack notifies them."""
    own = draft.requested_by if rules.require_other_approver else ""
    if not rules.approvers:
        but = f" except {mention(own)}, who requested it" if own else ""
        return f"Everybody who sees this message may approve it{but}."
    allowed = rules.approvers_of(draft.requested_by)
    if not allowed:
        return f"Nobody may approve it: {mention(own)}, the only approver, requested it."
    names = [mention(user) for user in allowed[:_MAX_NAMED]]
    if len(allowed) > _MAX_NAMED:
        names.append(counted(len(allowed) - _MAX_NAMED, "other"))
    return f"May approve: {', '.join(names)}."


_SUBMIT_CHANGED = "If it is still needed, change it and submit it again."


def _changed(newer: str) -> tuple[str, str]:
    new = f"<{newer}|decide on the new one>" if newer else "decide on the new one"
    return "Draft changed", f"The draft has changed since. This version can no longer be approved; {new}."


def _decided(view: View, approval: Approval, newer: str) -> tuple[str, ...]:
    """The header of the preview and its lines, for a draft with a decision and without an issue."""
    by = f"by {mention(approval.decided_by)} at {clock.for_people(approval.at)}."
    match state_of(view.draft, approval, view.operation):
        case SessionState.REJECTED:
            why = [f"Reason: {escape(approval.reason)}"] if approval.reason else []
            return "Draft rejected", f"Rejected {by}", *why, "No Jira issue was created."
        case SessionState.EXPIRED:
            when = clock.for_people(approval.at)
            return "Draft expired", f"Nobody decided on it until {when}. No Jira issue was created. {_SUBMIT_CHANGED}"
        case _ if not view.is_current:
            return _changed(newer)
        case SessionState.FAILED:
            return (
                "Jira issue not created",
                f"Approved {by}",
                f"What failed: {clip(view.failure or 'no reason was given', 1_000)}",
                f"What to do: fix the cause, then click Retry (approvers) or run `operations retry {escape(view.session_id)} "
                f"--by {escape('<your Slack ID>')}`, or submit a changed draft. The approval remains valid.",
            )
        case SessionState.UNKNOWN:
            return (
                "Draft approved: looking for its Jira issue",
                f"Approved {by}",
                "Jira gave no clear answer, so the issue may or may not exist. Switchboard looks for it before it creates "
                "another. Please don't create one by hand in the meantime.",
            )
    return "Draft approved", f"Approved {by}", "Its Jira issue is being created."


def _facts(draft: Draft) -> Block:
    """The other fields that go to Jira, unchanged."""
    about = f"Project {draft.project} · {draft.issue_type}"
    if draft.epic:
        about += f" · in {draft.epic}"
    about += f" · session {draft.session_id}"
    return blocks.context(blocks.plain(about), blocks.mrkdwn(f"requested by {mention(draft.requested_by)}"))


def _rest(characters: int, messages: int) -> str:
    more = f"*The thread has {counted(characters, 'more character')}*, in {counted(messages, 'message')}."
    return f"{more} Read all of it before you decide."


def _reply(heading: str, draft: Draft, page: preview_pages.Page) -> SlackMessage:
    return SlackMessage(f"{heading}: {escape(draft.title)}", (blocks.context(blocks.mrkdwn(heading)), *page.blocks))
