"""Sessions, drafts and decisions in the operations table.

::

    submit ──► preview ──┬─ approve ──► approved ──► creating ──► created
                 ▲       └─ reject ───► rejected        │ ▲  └──► failed ──► (a person) ──► creating
                 │                          │           ▼ │
          │      └─ another draft, unless approved,    unknown
          │         creating or unknown
          └─ Slack refuses the preview ──► failed ──► (posted after all) ──► preview

Every step is one conditional write. The steps from ``approved`` on are those of :mod:`lib.approvals.operations`.
"""

from dataclasses import dataclass
from datetime import timedelta

from lib.approvals import drafts, records
from lib.approvals.drafts import Draft
from lib.approvals.operations_table import ContendedError, Insert, OperationsTable, Update
from lib.approvals.records import (
    BUSY_STATES,
    CREATE_ISSUE,
    SESSION_KEY,
    Approval,
    Item,
    Operation,
    SessionState,
    StoredDraft,
    View,
)
from lib.platform import clock, errors

KEEP = timedelta(days=400)
"""How long a row stays after its last change: the audit trail of a year."""

MAX_PREVIEWS = 10
"""How often a preview that is deleted in Slack is posted in all: each stays in the draft's row."""

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submission came to.

    Attributes:
        draft_hash: of the draft.
        state: of its session.
        replaced: the hash of the draft it took the place of.
        reason: why there is no preview or no issue; empty if nothing has failed.
    """

    draft_hash: str
    state: SessionState
    replaced: str | None = None
    reason: str = ""


class ApprovalStore:
    """The sessions of one operations table.

    Args:
        table: the operations table.
        now: the clock.
    """

    def __init__(self, table: OperationsTable, *, now: clock.Clock = clock.utc_now) -> None:
        self._table = table
        self._now = now

    def read(self, session_id: str, draft_hash: str) -> View:
        """What the table knows about one draft, strongly consistent; parts that are not there are None.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        keys = {
            "session": SESSION_KEY,
            "draft": records.draft_key(draft_hash),
            "approval": records.approval_key(draft_hash),
            "operation": records.operation_key(draft_hash, CREATE_ISSUE),
        }
        found = self._table.read(session_id, keys.values())
        session, draft, approval, operation = (found.get(key) for key in keys.values())
        return View(
            session_id=session_id,
            draft_hash=draft_hash,
            session=records.read_session(session) if session else None,
            draft=records.read_draft(draft) if draft else None,
            approval=records.read_approval(approval) if approval else None,
            operation=records.read_operation(operation) if operation else None,
        )

    def read_current(self, session_id: str) -> View | None:
        """What the table knows about the session's current draft; None if there is no such session.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        session = self._table.read(session_id, [SESSION_KEY]).get(SESSION_KEY)
        return self.read(session_id, records.read_session(session).draft_hash) if session else None

    def submit(self, draft: Draft) -> Submitted:
        """Make ``draft`` the current one of its session. The same draft again changes nothing.

        A draft that was current before comes back with what became of it: a rejected one stays rejected, one whose issue
        exists is ``created``.

        Raises:
            InvalidInputError: the session's draft is approved and its issue on the way.
            SwitchboardError: the table can't be reached or refuses.
        """
        of_hash = drafts.draft_hash(draft)
        for _ in range(_TRIES):
            view = self.read(draft.session_id, of_hash)
            session = view.session
            if session is not None and view.is_current and view.draft is not None:
                return Submitted(of_hash, session.state, session.replaced_hash, view.failure)
            if session is not None and not view.is_current and session.state in BUSY_STATES:
                raise errors.InvalidInputError(
                    f"session_id {draft.session_id} has an approved draft whose issue is being created: "
                    "send another draft when that has ended, or under a session_id of its own"
                )
            state = records.state_of(view.draft, view.approval, view.operation)
            if self._replace(draft, of_hash, view, state):
                return Submitted(of_hash, state, _replaced(view), view.failure)
        raise ContendedError(f"session {draft.session_id} changed {_TRIES} times meanwhile")

    def record_decision(self, session_id: str, approval: Approval) -> bool:
        """Record the decision on a draft, if it is the session's current one and nobody has decided yet: the first wins.

        False if another was first or the draft has changed; read again to know which.

        Raises:
            SwitchboardError: the table can't be reached or refuses. If the error is ambiguous, the decision may stand.
        """
        state = SessionState.APPROVED if approval.approved else SessionState.REJECTED
        row = records.approval_item(session_id, approval, self._now() + KEEP)
        try:
            refused = self._table.transact(
                Insert(row),
                Update(
                    session_id,
                    SESSION_KEY,
                    "SET #state = :state, updated_at = :now, expires_at = :ttl",
                    "draft_hash = :hash AND #state = :preview",
                    {
                        ":state": {"S": state.value},
                        ":preview": {"S": SessionState.PREVIEW.value},
                        ":hash": {"S": approval.draft_hash},
                        ":now": {"S": clock.canonical(approval.at)},
                        ":ttl": row["expires_at"],
                    },
                ),
            )
        except ContendedError:
            return False
        return not refused

    def preview_progress(self, session_id: str, draft_hash: str, operation: str) -> tuple[StoredDraft | None, int]:
        """The draft, and how many replies in its preview's thread are posted, strongly consistent.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        keys = records.draft_key(draft_hash), records.operation_key(draft_hash, operation)
        found = self._table.read(session_id, keys)
        draft, claim = (found.get(key) for key in keys)
        replies = int(claim["replies"]["N"]) if claim and "replies" in claim else 0
        return records.read_draft(draft) if draft else None, replies

    def set_preview(self, session_id: str, draft_hash: str, channel: str, message_ts: str) -> bool:
        """Remember which message is the draft's preview; False if another one is.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return self._update_draft(
            session_id,
            draft_hash,
            "SET preview_channel = :channel, preview_ts = :ts, updated_at = :now",
            "attribute_exists(session_id) AND attribute_not_exists(preview_ts)",
            {":channel": {"S": channel}, ":ts": {"S": message_ts}},
        )

    def count_replies(self, session_id: str, draft_hash: str, operation: str, owner: str, replies: int) -> bool:
        """Remember that so many replies are in the preview's thread; False if the claim is another's by now.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return self._table.update(
            Update(
                session_id,
                records.operation_key(draft_hash, operation),
                "SET replies = :replies, updated_at = :now",
                "claim_owner = :owner",
                {
                    ":replies": {"N": str(replies)},
                    ":owner": {"S": owner},
                    ":now": {"S": clock.canonical(self._now())},
                },
            )
        )

    def open_preview(self, session_id: str, draft_hash: str, channel: str, message_ts: str, *, failed: bool) -> None:
        """Remember that the preview shows the whole draft: its buttons count from now on.

        ``failed``: it could not be posted before, and its session must leave that state too.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        name = {":preview": {"SS": [records.preview_name(channel, message_ts)]}}
        update = "SET updated_at = :now REMOVE preview_error ADD previews :preview"
        if failed:
            draft = self._draft_update(session_id, draft_hash, update, "attribute_not_exists(previews)", name)
            if not self._table.transact(draft, self._session_of_preview(session_id, draft_hash, SessionState.PREVIEW)):
                return  # otherwise another draft is current by now, or another attempt was faster
        self._update_draft(session_id, draft_hash, update, "attribute_exists(session_id)", name)

    def fail_preview(self, session_id: str, draft_hash: str, reason: str) -> None:
        """Remember why the draft can't be shown. A session whose current draft was never shown goes to ``failed``.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        error = {":error": {"S": reason[: records.MAX_ERROR_CHARACTERS]}}
        update = "SET preview_error = :error, updated_at = :now"
        draft = self._draft_update(session_id, draft_hash, update, "attribute_not_exists(previews)", error)
        if self._table.transact(draft, self._session_of_preview(session_id, draft_hash, SessionState.FAILED)):
            self._update_draft(session_id, draft_hash, update, "attribute_exists(previews)", error)

    def forget_preview(self, session_id: str, draft_hash: str, message_ts: str) -> bool:
        """Let a preview that was deleted in Slack be posted again; False if another one was, or it was done too often.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return self._update_draft(
            session_id,
            draft_hash,
            "SET updated_at = :now REMOVE preview_channel, preview_ts ADD preview_number :one",
            "preview_ts = :was AND (attribute_not_exists(preview_number) OR preview_number < :most)",
            {":was": {"S": message_ts}, ":one": {"N": "1"}, ":most": {"N": str(MAX_PREVIEWS - 1)}},
        )

    def _update_draft(self, session_id: str, draft_hash: str, update: str, condition: str, values: Item) -> bool:
        return self._table.update(self._draft_update(session_id, draft_hash, update, condition, values))

    def _draft_update(self, session_id: str, draft_hash: str, update: str, condition: str, values: Item) -> Update:
        now = {":now": {"S": clock.canonical(self._now())}}
        return Update(session_id, records.draft_key(draft_hash), update, condition, {**values, **now})

    def _session_of_preview(self, session_id: str, draft_hash: str, state: SessionState) -> Update:
        """Move the session between the two states in which nobody has decided on its draft."""
        return Update(
            session_id,
            SESSION_KEY,
            "SET #state = :state, updated_at = :now",
            "draft_hash = :hash AND #state IN (:preview, :failed)",
            {
                ":state": {"S": state.value},
                ":hash": {"S": draft_hash},
                ":preview": {"S": SessionState.PREVIEW.value},
                ":failed": {"S": SessionState.FAILED.value},
                ":now": {"S": clock.canonical(self._now())},
            },
        )

    def _replace(self, draft: Draft, of_hash: str, view: View, state: SessionState) -> bool:
        now = self._now()
        update = "SET draft_hash = :hash, #state = :state, updated_at = :now, expires_at = :ttl, "
        update += "created_at = if_not_exists(created_at, :now)"
        values = {
            ":hash": {"S": of_hash},
            ":state": {"S": state.value},
            ":now": {"S": clock.canonical(now)},
            ":ttl": {"N": str(clock.epoch_s(now + KEEP))},
        }
        condition = "attribute_not_exists(session_id)"
        if view.session is not None:
            condition = "draft_hash = :was AND #state = :was_in"
            values |= {":was": {"S": view.session.draft_hash}, ":was_in": {"S": view.session.state.value}}
        replaced = _replaced(view)
        if replaced is not None:
            update += ", replaced_hash = :replaced"
            values[":replaced"] = {"S": replaced}
        key = _created_key(view.operation)
        if key is None:
            update += " REMOVE jira_key"
        else:
            update += ", jira_key = :key"
            values[":key"] = {"S": key}
        writes: list[Update | Insert] = [Update(draft.session_id, SESSION_KEY, update, condition, values)]
        if view.draft is None:
            writes.append(Insert(records.draft_item(draft, of_hash, now, now + KEEP)))
        try:
            return not self._table.transact(*writes)
        except ContendedError:
            return False


def _replaced(view: View) -> str | None:
    return view.session.draft_hash if view.session is not None and not view.is_current else None


def _created_key(operation: Operation | None) -> str | None:
    return operation.jira_key if operation is not None else None
