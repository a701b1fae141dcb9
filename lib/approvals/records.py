"""The rows of the operations table as types, and the conversion between the two.

::

    session_id │ operation_key                     │ one row per
    ───────────┼───────────────────────────────────┼──────────────────────────────────────────────
    s          │ SESSION                           │ session: its current draft, and its state
    s          │ DRAFT#<hash>                      │ draft as it was submitted, and its preview
    s          │ APPROVAL#<hash>                   │ decision on a draft, the first and only
    s          │ OPERATION#<hash>#create_issue     │ creation of an issue: its claim and its outcome
    s          │ OPERATION#<hash>#post_preview, …  │ Slack message that is sent once (lib/platform/claims.py)

Nothing here does input or output.
"""

import dataclasses
import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from lib.approvals import drafts
from lib.approvals.drafts import Draft
from lib.platform import clock
from lib.platform.dynamodb import Item, number

SESSION_KEY = "SESSION"
CREATE_ISSUE = "create_issue"
POST_PREVIEW = "post_preview"
CONFIRM = "confirm"
REPORT_REJECTION = "report_rejection"
REPORT_FAILURE = "report_failure"
REPORT_EXPIRY = "report_expiry"
REMIND = "remind"
POINT_OUT_DUPLICATE = "point_out_duplicate"

OPERATION_PREFIX = "OPERATION#"

KEEP = timedelta(days=400)
"""How long a row stays after its last change: an audit trail of a year."""

MAX_ERROR_CHARACTERS = 500


class SessionState(enum.Enum):
    """The progress of a session's current draft."""

    PREVIEW = "preview"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CREATING = "creating"
    CREATED = "created"
    FAILED = "failed"
    UNKNOWN = "unknown"


#: In these states an issue may appear in Jira, so the draft can't be replaced: nobody would search for its issue.
BUSY_STATES = frozenset({SessionState.APPROVED, SessionState.CREATING, SessionState.UNKNOWN})


class OperationStatus(enum.Enum):
    """The result of a claim. ``pending``, ``done`` and ``failed`` are those of lib/platform/claims.py; ``unknown`` is an effect
    that may have happened and is being searched for."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session: its current draft, and its state. ``jira_key`` is set exactly when the state is ``created``;
    ``replaced_hash`` is the draft that was current before."""

    session_id: str
    draft_hash: str
    state: SessionState
    updated_at: datetime
    jira_key: str | None = None
    replaced_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDraft:
    """A draft, and its preview.

    Attributes:
        draft: as it was submitted.
        draft_hash: of it.
        preview_channel, preview_ts: the preview's message, once it is posted.
        preview_link: its URL in Slack; empty if it is not known.
        preview_number: how many previews were posted before it and deleted in Slack.
        previews: the previews, by :func:`preview_name`, that were posted in full, thread included: only their buttons count.
        preview_error: why the preview can't be posted; empty if it can.
        created_at: when it was submitted.
    """

    draft: Draft
    draft_hash: str
    preview_channel: str = ""
    preview_ts: str = ""
    preview_link: str = ""
    preview_number: int = 0
    previews: frozenset[str] = frozenset()
    preview_error: str = ""
    created_at: datetime | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the current preview shows the whole draft."""
        return preview_name(self.preview_channel, self.preview_ts) in self.previews


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The one decision on a draft: approved or rejected, by which Slack user ID, when, and why it was rejected.

    ``expired``: nobody decided in time, so ``decided_by`` is empty; nothing is approved.
    """

    draft_hash: str
    approved: bool
    decided_by: str
    at: datetime
    reason: str = ""
    expired: bool = False

    @property
    def word(self) -> str:
        """The decision in one word, as in its row."""
        return "approved" if self.approved else "expired" if self.expired else "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something to be done once, and its progress.

    Attributes:
        name: the operation, such as ``create_issue``.
        created_by: who started it: the approver, or the person who requested a retry.
        approved_by: who approved the draft.
        claim_owner: the attempt that has or had the claim, which ends at ``claim_expires_at``.
        attempts: how often it was claimed.
        posts: how many requests to create were sent.
        posted_at: when the last request with an unknown outcome was sent; None without one.
        looks: how many searches have not found the marker since.
        next_look_at: when to search again.
        retry_by: who has requested a retry of a failed operation, until it is claimed.
        settled_at: when the status became what it is, if it is not pending.
        other_keys: further issues that were created for the draft: a person has to close them.
        replies: of a preview, how many messages its thread has.
    """

    session_id: str
    draft_hash: str
    name: str
    status: OperationStatus
    created_by: str = ""
    approved_by: str = ""
    jira_key: str | None = None
    error_message: str | None = None
    claim_owner: str = ""
    claim_expires_at: datetime | None = None
    attempts: int = 0
    posts: int = 0
    posted_at: datetime | None = None
    looks: int = 0
    next_look_at: datetime | None = None
    retry_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    settled_at: datetime | None = None
    other_keys: tuple[str, ...] = ()
    replies: int = 0


Row = TypeVar("Row", Session, StoredDraft, Approval, Operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the table holds about one draft: its session, and the draft's own rows."""

    session_id: str
    draft_hash: str
    session: Session | None
    draft: StoredDraft | None
    approval: Approval | None
    operation: Operation | None

    @property
    def failure(self) -> str:
        """Why there is no preview or no issue; empty if nothing has failed."""
        if self.approval is None:
            return "" if self.draft is None or self.draft.is_shown else self.draft.preview_error
        if self.operation is None or self.operation.status is not OperationStatus.FAILED:
            return ""
        return self.operation.error_message or ""

    @property
    def preview_failed(self) -> bool:
        """Whether the draft has failed because it was never shown: Slack refused its preview."""
        return state_of(self.draft, self.approval, None) is SessionState.FAILED

    @property
    def is_current(self) -> bool:
        """Whether this draft is the session's current one."""
        return self.session is not None and self.session.draft_hash == self.draft_hash

    @property
    def can_retry(self) -> bool:
        """Whether the creation of the current draft's issue has failed, so that a person may retry it."""
        failed = self.operation is not None and self.operation.status is OperationStatus.FAILED
        return failed and self.is_current and self.approval is not None and self.approval.approved

    @property
    def created(self) -> Operation | None:
        """The creation of the draft's issue, if it exists."""
        done = self.operation is not None and self.operation.status is OperationStatus.DONE
        return self.operation if done else None


def state_of(draft: StoredDraft | None, approval: Approval | None, operation: Operation | None) -> SessionState:
    """The state of a session whose current draft has these rows."""
    if approval is None:
        # A draft that was shown in full may be decided on, even if posting it again failed.
        never_shown = draft is not None and draft.preview_error and not draft.previews
        return SessionState.FAILED if never_shown else SessionState.PREVIEW
    if not approval.approved:
        return SessionState.EXPIRED if approval.expired else SessionState.REJECTED
    return SessionState.APPROVED if operation is None else _STATES[operation.status]


_STATES = {
    OperationStatus.PENDING: SessionState.CREATING,
    OperationStatus.DONE: SessionState.CREATED,
    OperationStatus.FAILED: SessionState.FAILED,
    OperationStatus.UNKNOWN: SessionState.UNKNOWN,
}


def preview_name(channel: str, ts: str) -> str:
    """A preview's message as one text."""
    return f"{channel}/{ts}"


def row_key(session_id: str, operation_key: str) -> Item:
    """The primary key of a row."""
    return {"session_id": text(session_id), "operation_key": text(operation_key)}


def draft_key(draft_hash: str) -> str:
    """The operation_key of a draft."""
    return f"DRAFT#{draft_hash}"


def approval_key(draft_hash: str) -> str:
    """The operation_key of the decision on a draft."""
    return f"APPROVAL#{draft_hash}"


def operation_key(draft_hash: str, operation: str) -> str:
    """The operation_key of an operation."""
    return f"{OPERATION_PREFIX}{draft_hash}#{operation}"


def view_keys(draft_hash: str) -> tuple[str, str, str, str]:
    """The operation_keys of the rows of a :class:`View`."""
    return SESSION_KEY, draft_key(draft_hash), approval_key(draft_hash), operation_key(draft_hash, CREATE_ISSUE)


def text(value: str) -> dict[str, str]:
    """A text attribute."""
    return {"S": value}


def instant(moment: datetime) -> dict[str, str]:
    """A time attribute: text that sorts in time order."""
    return {"S": clock.canonical(moment)}


def error_text(error: str) -> dict[str, str]:
    """An error message as a text attribute, shortened."""
    return {"S": error[:MAX_ERROR_CHARACTERS]}


def change_times(now: datetime) -> Item:
    """The attributes that every change of a row sets."""
    return {"updated_at": instant(now), "expires_at": number(clock.epoch_s(now + KEEP))}


def draft_item(draft: Draft, draft_hash: str, now: datetime) -> Item:
    """The row of a submitted draft."""
    return {
        **row_key(draft.session_id, draft_key(draft_hash)),
        "draft_hash": text(draft_hash),
        "draft": text(drafts.canonical_json(draft)),
        "requested_by": text(draft.requested_by),
        "created_at": instant(now),
        "expires_at": number(clock.epoch_s(now + KEEP)),
    }


def approval_item(session_id: str, approval: Approval) -> Item:
    """The row of a decision. It has ``approved_by`` or ``rejected_by`` unless it expired, and ``reason`` if one was given."""
    by = {} if approval.expired else {f"{approval.word}_by": text(approval.decided_by)}
    return {
        **row_key(session_id, approval_key(approval.draft_hash)),
        "draft_hash": text(approval.draft_hash),
        "status": text(approval.word),
        **by,
        **({"reason": text(approval.reason)} if approval.reason else {}),
        "at": instant(approval.at),
        "created_at": instant(approval.at),
        "expires_at": number(clock.epoch_s(approval.at + KEEP)),
    }


def read_view(session_id: str, draft_hash: str, rows: Mapping[str, Item]) -> View:
    """The view of a draft, from the session's rows by operation_key; missing rows are None."""
    session, draft, approval, operation = map(rows.get, view_keys(draft_hash))
    return View(
        session_id=session_id,
        draft_hash=draft_hash,
        session=read_session(session) if session else None,
        draft=read_draft(draft) if draft else None,
        approval=read_approval(approval) if approval else None,
        operation=read_operation(operation) if operation else None,
    )


def read_session(item: Item) -> Session:
    """The session of a SESSION item."""
    return _read(Session, item)


def read_draft(item: Item) -> StoredDraft:
    """The draft of a DRAFT# item."""
    return _read(StoredDraft, item, draft=drafts.read_draft(json.loads(item["draft"]["S"])))


def read_approval(item: Item) -> Approval:
    """The decision of an APPROVAL# item."""
    status = item["status"]["S"]
    decider = item.get(f"{status}_by", text(""))
    return _read(Approval, item, approved=status == "approved", expired=status == "expired", decided_by=decider["S"])


def read_operation(item: Item) -> Operation:
    """The operation of an OPERATION# item, or of one that lib/platform/claims.py wrote."""
    draft_hash, _, name = item["operation_key"]["S"].removeprefix(OPERATION_PREFIX).partition("#")
    return _read(Operation, item, draft_hash=draft_hash, name=name)


def _text(attribute: Any) -> str:
    return str(attribute["S"])


def _instant(attribute: Any) -> datetime:
    return clock.parse(attribute["S"])


_READERS: Mapping[object, Callable[[Any], object]] = {
    str: _text,
    str | None: _text,
    datetime: _instant,
    datetime | None: _instant,
    int: lambda attribute: int(attribute["N"]),
    SessionState: lambda attribute: SessionState(attribute["S"]),
    OperationStatus: lambda attribute: OperationStatus(attribute["S"]),
    frozenset[str]: lambda attribute: frozenset(attribute["SS"]),
    tuple[str, ...]: lambda attribute: tuple(sorted(attribute["SS"])),
}


def _read(kind: type[Row], item: Item, **given: Any) -> Row:
    """The fields that are not ``given`` are read from the attributes with their names, and have their defaults without one."""
    for field in dataclasses.fields(kind):
        if field.name in item and field.name not in given:
            given[field.name] = _READERS[field.type](item[field.name])
    return kind(**given)
