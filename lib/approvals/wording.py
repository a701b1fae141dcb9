"""The sentences that people read after a click: each says what is true, and what they can do.

Nothing here does input or output.
"""

import enum
from urllib.parse import quote

from lib.approvals.drafts import SLACK_USER_ID
from lib.approvals.interactions import Decision, Verb
from lib.approvals.issue_tracker import is_dry
from lib.approvals.records import Approval, Operation, OperationStatus, View
from lib.platform import clock
from lib.slack.text import escape


class Verdict(enum.Enum):
    """What a click came to."""

    RECORDED = "recorded"
    DECIDED = "already decided"
    CHANGED = "draft has changed"
    NOT_SHOWN = "preview not posted yet"
    NOT_A_PREVIEW = "not a preview of the draft"
    NOT_ALLOWED = "not an approver"
    OWN = "own draft"
    NOT_KNOWN = "draft not known"


def answer(  # noqa: PLR0911 - one a verdict
    verdict: Verdict, decision: Decision, view: View, jira_base_url: str
) -> str:
    """What the person who clicked is told, as mrkdwn."""
    title = f"“{escape(view.draft.draft.title)}”" if view.draft is not None else "this draft"
    match verdict:
        case Verdict.RECORDED if decision.verb is Verb.APPROVE:
            return f"You approved {title}. Its Jira issue is being created."
        case Verdict.RECORDED:
            return f"You rejected {title}. No Jira issue will be created."
        case Verdict.DECIDED if view.approval is not None:
            return _decided(decision, view.approval, title, _progress(view.operation, jira_base_url))
        case Verdict.CHANGED:
            return f"{title} has changed since this preview was posted, so your click was not recorded. Decide on the new one."
        case Verdict.NOT_SHOWN:
            return f"The preview of {title} is still being posted, so your click was not recorded. Try again in a moment."
        case Verdict.NOT_A_PREVIEW:
            return f"This message is not a preview of {title}, so your click was not recorded. Use the buttons of the preview."
        case Verdict.NOT_ALLOWED:
            return f"You are not among the approvers, so your click on {title} was not recorded."
        case Verdict.OWN:
            return f"You asked for {title} yourself, so another person has to approve it. Your click was not recorded."
    return "This draft is not known any more, so your click was not recorded. Submit it again."


def mention(user: str) -> str:
    """A person as Slack shows them: a mention of a user ID, and any other name as text."""
    return f"<@{user}>" if SLACK_USER_ID.fullmatch(user) else f"@{escape(user.lstrip('@'))}"


def issue_url(jira_base_url: str, jira_key: str) -> str:
    """Where people see the issue."""
    return f"{jira_base_url.rstrip('/')}/browse/{quote(jira_key)}"


def issue_link(jira_base_url: str, jira_key: str, text: str) -> str:
    """``text`` as a link to the issue, as mrkdwn; ``text`` alone if there is no issue or nowhere to see it."""
    if is_dry(jira_key) or not jira_base_url:
        return escape(text)
    return f"<{issue_url(jira_base_url, jira_key)}|{escape(text)}>"


def _decided(decision: Decision, approval: Approval, title: str, progress: str) -> str:
    who = "You have" if approval.decided_by == decision.user else f"{mention(approval.decided_by)} has"
    when = clock.for_people(approval.at)
    if not approval.approved:
        told = f"{who} already rejected {title} on {when}."
        more = " Change the draft to have it looked at again." if decision.verb is Verb.APPROVE else ""
        return told + more
    told = f"{who} already approved {title} on {when}. {progress}"
    return told + (" It can't be rejected any more." if decision.verb is Verb.REJECT else "")


def _progress(operation: Operation | None, jira_base_url: str) -> str:
    if operation is None or operation.status is OperationStatus.PENDING:
        return "Its Jira issue is being created."
    if operation.status is OperationStatus.DONE:
        key = operation.jira_key or ""
        return f"Its Jira issue is {issue_link(jira_base_url, key, key)}."
    if operation.status is OperationStatus.UNKNOWN:
        return "Jira gave no clear answer; Switchboard is looking for the issue."
    return "Creating its Jira issue failed; the preview says why."
