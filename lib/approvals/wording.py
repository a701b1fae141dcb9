"""The sentences that people read after a click: what happened, and what they can do.

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
    """The result of a click."""

    RECORDED = "recorded"
    DECIDED = "already decided"
    CHANGED = "draft has changed"
    NOT_A_PREVIEW = "not a preview of the draft"
    NOT_ALLOWED = "not an approver"
    OWN = "own draft"
    NOTHING_TO_RETRY = "nothing to retry"
    NOT_KNOWN = "draft not known"


def answer(verdict: Verdict, decision: Decision, view: View, jira_base_url: str) -> str:  # noqa: PLR0911 - one per verdict
    """The answer to the person who clicked, as mrkdwn."""
    title = f"“{escape(view.draft.draft.title)}”" if view.draft is not None else "this draft"
    match verdict:
        case Verdict.RECORDED if decision.verb is Verb.APPROVE:
            return f"You approved {title}. Its Jira issue is being created."
        case Verdict.RECORDED if decision.verb is Verb.RETRY:
            return f"You retried {title}. Switchboard looks for its Jira issue before it creates one."
        case Verdict.NOTHING_TO_RETRY:
            return f"There is nothing to retry for {title}. {_state(view, jira_base_url)}"
        case Verdict.RECORDED:
            return f"You rejected {title}. No Jira issue will be created. The preview's thread reports it to the requester."
        case Verdict.DECIDED if view.approval is not None:
            return _decided(decision, view.approval, title, _progress(view.operation, jira_base_url))
        case Verdict.CHANGED:
            return f"{title} has changed since this preview was posted, so your click was not recorded. Decide on the new one."
        case Verdict.NOT_A_PREVIEW:
            return f"This message is not a preview of {title}, so your click was not recorded. Use the buttons of the preview."
        case Verdict.NOT_ALLOWED:
            return f"You are not an approver, so your click on {title} was not recorded."
        case Verdict.OWN:
            return f"You requested {title}, so another person has to approve it. Your click was not recorded."
    return "This draft no longer exists, so your click was not recorded. Submit it again."


def mention(user: str) -> str:
    """A mention of a Slack user ID; any other name as text."""
    return f"<@{user}>" if SLACK_USER_ID.fullmatch(user) else f"@{escape(user.lstrip('@'))}"


def issue_url(jira_base_url: str, jira_key: str) -> str:
    """Where people see the issue."""
    return f"{jira_base_url.rstrip('/')}/browse/{quote(jira_key)}"


def issue_link(jira_base_url: str, jira_key: str, text: str) -> str:
    """``text`` as a link to the issue, as mrkdwn; ``text`` alone if the issue is a dry run's or ``jira_base_url`` is empty."""
    if is_dry(jira_key) or not jira_base_url:
        return escape(text)
    return f"<{issue_url(jira_base_url, jira_key)}|{escape(text)}>"


def _decided(decision: Decision, approval: Approval, title: str, progress: str) -> str:
    if approval.expired:
        return f"{title} expired on {clock.for_people(approval.at)}, since nobody had decided on it. Submit a changed draft."
    who = "You have" if approval.decided_by == decision.user else f"{mention(approval.decided_by)} has"
    when = clock.for_people(approval.at)
    if not approval.approved:
        hint = " For another decision, change the draft and submit it again." if decision.verb is Verb.APPROVE else ""
        why = f" The reason: {escape(approval.reason)}." if approval.reason else ""
        return f"{who} already rejected {title} on {when}.{why}{hint}"
    hint = " It can no longer be rejected." if decision.verb is Verb.REJECT else ""
    return f"{who} already approved {title} on {when}. {progress}{hint}"


def _state(view: View, jira_base_url: str) -> str:
    if view.approval is None:
        return "Nobody has approved it."
    return (
        _progress(view.operation, jira_base_url)
        if view.approval.approved
        else f"It {'has expired' if view.approval.expired else 'was rejected'}."
    )


def _progress(operation: Operation | None, jira_base_url: str) -> str:
    if operation is None or operation.status is OperationStatus.PENDING:
        return "Its Jira issue is being created."
    if operation.status is OperationStatus.DONE:
        key = operation.jira_key or ""
        return f"Its Jira issue is {issue_link(jira_base_url, key, key)}."
    if operation.status is OperationStatus.UNKNOWN:
        return "Jira gave no clear answer; Switchboard is looking for the issue."
    return "Creating its Jira issue failed; the preview says why."
