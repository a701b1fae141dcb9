"""One draft for its page: the draft itself, the preview as Slack shows it, and what happened to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from lib.approvals import preview, records
from lib.approvals.drafts import Draft
from lib.approvals.issue_tracker import is_dry
from lib.approvals.records import Operation, OperationStatus, SessionState, View
from lib.approvals.rules import Rules
from lib.approvals.wording import issue_url
from lib.operations.approvals import Approval, approval_of, read_view
from lib.operations.trace import Entry
from lib.platform.dynamodb import Item, Table
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.log import scrub
from lib.platform.wording import counted
from lib.slack.blocks import SlackMessage

MOST_ROWS = 500
"""The most rows of a session that its audit trail shows."""

_OPERATIONS = {
    records.CREATE_ISSUE: "Jira issue",
    records.POST_PREVIEW: "Preview in Slack",
    records.CONFIRM: "Confirmation in Slack",
    records.REPORT_REJECTION: "Report of the rejection in Slack",
    records.REPORT_FAILURE: "Report of the failure in Slack",
    records.REPORT_EXPIRY: "Report of the expiry in Slack",
    records.REMIND: "Reminder in Slack",
    records.POINT_OUT_DUPLICATE: "Note in Slack about a second issue",
}
_STATUSES = {
    OperationStatus.PENDING: "in work",
    OperationStatus.DONE: "done",
    OperationStatus.FAILED: "failed",
    OperationStatus.UNKNOWN: "outcome unknown",
}
_LEVELS = {OperationStatus.FAILED: "ERROR", OperationStatus.UNKNOWN: "WARNING"}
_HASH_CHARACTERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftReport:
    """A session's current draft.

    Attributes:
        approval: its state.
        draft: the draft as it was submitted: mask its texts. None if its row is gone.
        submitted_at: when it was submitted.
        expires_at: when it expires if nobody decides; None if it never does or is decided.
        messages: the preview as Slack shows it now, and the rest of a draft that waits, in the thread. Mask them.
        issue_url: its issue in Jira; empty without one.
        trail: what happened to this draft and the session's earlier ones, the oldest first, without personal data.
        is_cut: whether the trail has only the first :data:`MOST_ROWS` rows.
    """

    approval: Approval
    draft: Draft | None
    submitted_at: datetime | None
    expires_at: datetime | None
    messages: tuple[SlackMessage, ...]
    issue_url: str
    trail: tuple[Entry, ...]
    is_cut: bool


def report_draft(table: Table, environment: ApprovalsEnvironment, session_id: str) -> DraftReport:
    """The current draft of a session.

    Raises:
        NotFoundError: there is no such session.
        SwitchboardError: the table can't be reached or refuses.
    """
    view, session = read_view(table, session_id)
    rules, url = Rules.of(environment), environment.jira_base_url
    approval = approval_of(view, rules)
    rows = list(islice(_rows(table, session_id), MOST_ROWS + 1))
    in_order = sorted(rows[:MOST_ROWS], key=_rank)
    entries = [entry for row in in_order for entry in _entries(row, view.draft_hash, session.updated_at)]
    expiry = timedelta(days=environment.approval_expiry_days)
    waits = session.state is SessionState.PREVIEW
    return DraftReport(
        approval=approval,
        draft=view.draft.draft if view.draft else None,
        submitted_at=view.draft.created_at if view.draft else None,
        expires_at=session.updated_at + expiry if waits and expiry else None,
        messages=tuple(_messages(view, url, rules)),
        issue_url=issue_url(url, approval.jira_key) if url and approval.jira_key and not is_dry(approval.jira_key) else "",
        trail=tuple(sorted(entries, key=lambda entry: entry.at)),
        is_cut=len(rows) > MOST_ROWS,
    )


def _messages(view: View, jira_base_url: str, rules: Rules) -> Iterator[SlackMessage]:
    shown = preview.render(view, jira_base_url, rules)
    if shown is None or view.draft is None:
        return
    yield shown
    if view.approval is None:
        yield from preview.thread(view.draft.draft)


def _rows(table: Table, session_id: str) -> Iterable[Item]:
    return table.query(
        f"read session {session_id}",
        KeyConditionExpression="session_id = :id",
        ExpressionAttributeValues={":id": records.text(session_id)},
        ConsistentRead=True,
    )


def _rank(row: Item) -> int:
    """Orders entries of the same time: first a draft, then its decision, then what follows from it."""
    return {"DRAFT": 0, "APPROVAL": 1}.get(_kind(row), 2)


def _kind(row: Item) -> str:
    return str(row["operation_key"]["S"]).partition("#")[0]


def _entries(row: Item, current: str, otherwise: datetime) -> Iterator[Entry]:
    """The entries of a row. ``otherwise`` is the time of an entry without one."""
    kind = _kind(row)

    def entry(at: datetime | None, text: str, of_hash: str, level: str = "") -> Entry:
        source = "this draft" if of_hash == current else f"earlier draft {of_hash[:_HASH_CHARACTERS]}"
        return Entry(at=at or otherwise, source=source, level=level, text=scrub(text))

    if kind == "DRAFT":
        draft = records.read_draft(row)
        yield entry(draft.created_at, f"Submitted by {draft.draft.requested_by}: {draft.draft.title}", draft.draft_hash)
        if draft.preview_error:
            yield entry(draft.created_at, f"Preview not posted: {draft.preview_error}", draft.draft_hash, "ERROR")
    elif kind == "APPROVAL":
        decision = records.read_approval(row)
        by, why = (f" by {decision.decided_by}" if decision.decided_by else ""), decision.reason
        yield entry(decision.at, f"{decision.word.capitalize()}{by}{f': {why}' if why else ''}", decision.draft_hash)
    elif kind == "OPERATION":
        operation = records.read_operation(row)
        at = operation.settled_at or operation.updated_at or operation.created_at
        yield entry(at, _text(operation), operation.draft_hash, _LEVELS.get(operation.status, ""))


def _text(operation: Operation) -> str:
    name = operation.name.partition("#")[0]  # a report of a failure has the number of its attempt
    text = f"{_OPERATIONS.get(name, name)}: {_STATUSES[operation.status]}"
    keys = [operation.jira_key or "", *operation.other_keys]
    facts = [
        ", ".join(key for key in keys if key),
        f"by {operation.created_by}" if operation.created_by else "",
        counted(operation.posts, "request") if operation.posts else "",
        counted(operation.looks, "search") if operation.looks else "",
        f"retry requested by {operation.retry_by}" if operation.retry_by else "",
    ]
    known = ", ".join(fact for fact in facts if fact)
    reason = f": {operation.error_message}" if operation.error_message else ""
    return f"{text}{f' ({known})' if known else ''}{reason}"
