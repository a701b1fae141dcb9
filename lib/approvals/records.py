"""The rows of the operations table as types, and the one place that turns one into the other.

::

    session_id │ operation_key                     │ one a
    ───────────┼───────────────────────────────────┼──────────────────────────────────────────────
    s          │ SESSION                           │ session: which draft is current, and its state
    s          │ DRAFT#<hash>                      │ draft as it was submitted, and where its preview stands
    s          │ APPROVAL#<hash>                   │ decision on it, the first and only
    s          │ OPERATION#<hash>#create_issue     │ creation: who claimed it, and what came of it
    s          │ OPERATION#<hash>#post_preview, …  │ Slack message that is sent once (lib/platform/claims.py)

Nothing here does input or output.
"""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.approvals import drafts
from lib.approvals.drafts import Draft
from lib.platform import clock

Item = dict[str, dict[str, Any]]

SESSION_KEY = "SESSION"
CREATE_ISSUE = "create_issue"
POST_PREVIEW = "post_preview"
CONFIRM = "confirm"
POINT_OUT_DUPLICATE = "point_out_duplicate"

OPERATION_PREFIX = "OPERATION#"

MAX_ERROR_CHARACTERS = 500


class SessionState(enum.Enum):
    """How far the current draft of a session has come."""

    PREVIEW = "preview"
    APPROVED = "approved"
    REJECTED = "rejected"
    CREATING = "creating"
    CREATED = "created"
    FAILED = "failed"
    UNKNOWN = "unknown"


#: In these an issue may come into being, so the draft can't be changed: nobody would look for that issue any more.
BUSY_STATES = frozenset({SessionState.APPROVED, SessionState.CREATING, SessionState.UNKNOWN})


class OperationStatus(enum.Enum):
    """What a claim came to. ``pending``, ``done`` and ``failed`` are those of lib/platform/claims.py; ``unknown`` is an effect
    that may have happened and is being looked for."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session: the draft that counts now, and its state. ``jira_key`` is there exactly when the state is ``created``;
    ``replaced_hash`` is the draft that counted before."""

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
        preview_number: how many previews were posted before it and deleted in Slack.
        previews: the previews, by :func:`preview_name`, that were posted whole, thread and all: only their buttons count.
        preview_error: why the preview can't be posted; empty if nothing is in the way.
    """

    draft: Draft
    draft_hash: str
    preview_channel: str = ""
    preview_ts: str = ""
    preview_number: int = 0
    previews: frozenset[str] = frozenset()
    preview_error: str = ""

    @property
    def is_shown(self) -> bool:
        """Whether the whole draft is posted where its preview is."""
        return preview_name(self.preview_channel, self.preview_ts) in self.previews


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The one decision on a draft: approved or rejected, by whom (a Slack user ID), and when."""

    draft_hash: str
    approved: bool
    decided_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing to be done once, and all that is known of it.

    Attributes:
        name: the operation, such as ``create_issue``.
        created_by: who set it going: the approver, or who asked for a retry.
        approved_by: who approved the draft.
        claim_owner: the attempt that has or had the claim; the claim ends at ``claim_expires_at``.
        attempts: how often it was claimed.
        posts: how many requests to create went out.
        posted_at: when the last one went out whose outcome is not known; None if there is none.
        looks: how often the marker was looked for and not found since.
        next_look_at: when to look again.
        retry_by: who has asked to try a failed one again, until that is claimed.
        settled_at: when the status became what it is, if it is not pending.
        other_keys: further issues that turned out to have been created; empty, or somebody has to tidy up.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the table knows about one draft: the session it belongs to, and the draft's own rows."""

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
        failed = self.operation is not None and self.operation.status is OperationStatus.FAILED
        return (self.operation.error_message or "") if self.operation is not None and failed else ""

    @property
    def is_current(self) -> bool:
        """Whether the session's current draft is this one."""
        return self.session is not None and self.session.draft_hash == self.draft_hash


def state_of(draft: StoredDraft | None, approval: Approval | None, operation: Operation | None) -> SessionState:
    """The state that a draft with these rows has."""
    if approval is None:
        # A draft that was shown whole may be decided on, even if posting it again failed.
        never_shown = draft is not None and draft.preview_error and not draft.previews
        return SessionState.FAILED if never_shown else SessionState.PREVIEW
    if not approval.approved:
        return SessionState.REJECTED
    if operation is None:
        return SessionState.APPROVED
    return {
        OperationStatus.PENDING: SessionState.CREATING,
        OperationStatus.DONE: SessionState.CREATED,
        OperationStatus.FAILED: SessionState.FAILED,
        OperationStatus.UNKNOWN: SessionState.UNKNOWN,
    }[operation.status]


def preview_name(channel: str, ts: str) -> str:
    """A preview's message in one text."""
    return f"{channel}/{ts}"


def draft_key(of_hash: str) -> str:
    """The operation_key of a draft."""
    return f"DRAFT#{of_hash}"


def approval_key(of_hash: str) -> str:
    """The operation_key of the decision on a draft."""
    return f"APPROVAL#{of_hash}"


def operation_key(of_hash: str, operation: str) -> str:
    """The operation_key of an operation."""
    return f"{OPERATION_PREFIX}{of_hash}#{operation}"


def draft_item(draft: Draft, of_hash: str, now: datetime, expires_at: datetime) -> Item:
    """The row of a submitted draft."""
    return {
        "session_id": {"S": draft.session_id},
        "operation_key": {"S": draft_key(of_hash)},
        "draft_hash": {"S": of_hash},
        "draft": {"S": drafts.canonical_json(draft)},
        "requested_by": {"S": draft.requested_by},
        "created_at": {"S": clock.canonical(now)},
        "expires_at": {"N": str(clock.epoch_s(expires_at))},
    }


def approval_item(session_id: str, approval: Approval, expires_at: datetime) -> Item:
    """The row of a decision. ``approved_by`` is there exactly if it is a yes."""
    decider = "approved_by" if approval.approved else "rejected_by"
    return {
        "session_id": {"S": session_id},
        "operation_key": {"S": approval_key(approval.draft_hash)},
        "draft_hash": {"S": approval.draft_hash},
        "status": {"S": "approved" if approval.approved else "rejected"},
        decider: {"S": approval.decided_by},
        "at": {"S": clock.canonical(approval.at)},
        "created_at": {"S": clock.canonical(approval.at)},
        "expires_at": {"N": str(clock.epoch_s(expires_at))},
    }


def read_session(item: Mapping[str, Any]) -> Session:
    """The session of a SESSION item."""
    return Session(
        session_id=item["session_id"]["S"],
        draft_hash=item["draft_hash"]["S"],
        state=SessionState(item["state"]["S"]),
        updated_at=clock.parse(item["updated_at"]["S"]),
        jira_key=_text(item, "jira_key"),
        replaced_hash=_text(item, "replaced_hash"),
    )


def read_draft(item: Mapping[str, Any]) -> StoredDraft:
    """The draft of a DRAFT# item."""
    return StoredDraft(
        draft=drafts.read_stored(json.loads(item["draft"]["S"])),
        draft_hash=item["draft_hash"]["S"],
        preview_channel=_text(item, "preview_channel") or "",
        preview_ts=_text(item, "preview_ts") or "",
        preview_number=_number(item, "preview_number"),
        previews=frozenset(item.get("previews", {}).get("SS", ())),
        preview_error=_text(item, "preview_error") or "",
    )


def read_approval(item: Mapping[str, Any]) -> Approval:
    """The decision of an APPROVAL# item."""
    approved = item["status"]["S"] == "approved"
    return Approval(
        draft_hash=item["draft_hash"]["S"],
        approved=approved,
        decided_by=item["approved_by" if approved else "rejected_by"]["S"],
        at=clock.parse(item["at"]["S"]),
    )


def read_operation(item: Mapping[str, Any]) -> Operation:
    """The operation of an OPERATION# item, or of one that lib/platform/claims.py wrote."""
    of_hash, _, name = item["operation_key"]["S"].removeprefix(OPERATION_PREFIX).partition("#")
    return Operation(
        session_id=item["session_id"]["S"],
        draft_hash=of_hash,
        name=name,
        status=OperationStatus(item["status"]["S"]),
        created_by=_text(item, "created_by") or "",
        approved_by=_text(item, "approved_by") or "",
        jira_key=_text(item, "jira_key"),
        error_message=_text(item, "error_message"),
        claim_owner=_text(item, "claim_owner") or "",
        claim_expires_at=_time(item, "claim_expires_at"),
        attempts=_number(item, "attempts"),
        posts=_number(item, "posts"),
        posted_at=_time(item, "posted_at"),
        looks=_number(item, "looks"),
        next_look_at=_time(item, "next_look_at"),
        retry_by=_text(item, "retry_by"),
        created_at=_time(item, "created_at"),
        updated_at=_time(item, "updated_at"),
        settled_at=_time(item, "settled_at"),
        other_keys=tuple(sorted(item.get("other_keys", {}).get("SS", ()))),
    )


def _text(item: Mapping[str, Any], name: str) -> str | None:
    return str(item[name]["S"]) if name in item else None


def _number(item: Mapping[str, Any], name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def _time(item: Mapping[str, Any], name: str) -> datetime | None:
    return clock.parse(item[name]["S"]) if name in item else None
