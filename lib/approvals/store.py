"""Sessions, drafts and decisions in the operations table.

::

    submit ──► preview ──┬─ approve ──► approved ──► creating ──► created
                 ▲       └─ reject ───► rejected        │ ▲  └──► failed ──► (a person) ──► creating
                 │                          │           ▼ │
                 └─ another draft, unless approved,    unknown
                    creating or unknown

Every step is one conditional write. The steps from ``approved`` on are those of :mod:`lib.approvals.operations`.
"""

from dataclasses import dataclass
from datetime import timedelta

from lib import clock, errors
from lib.approvals import drafts, records
from lib.approvals.drafts import Draft
from lib.approvals.records import BUSY_STATES, CREATE_ISSUE, SESSION_KEY, Approval, Operation, SessionState, View
from lib.approvals.table import ContendedError, Insert, OperationsTable, Update

KEEP = timedelta(days=400)
"""How long a row stays after its last change: the audit trail of a year."""

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submission came to: the draft's hash, its session's state, and the hash of the draft it took the place of."""

    draft_hash: str
    state: SessionState
    replaced: str | None = None


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
                return Submitted(of_hash, session.state, session.replaced_hash)
            if session is not None and not view.is_current and session.state in BUSY_STATES:
                raise errors.InvalidInputError(
                    f"session_id {draft.session_id} has an approved draft whose issue is being created: "
                    "send another draft when that has ended, or under a session_id of its own"
                )
            state = records.state_of(view.approval, view.operation)
            if self._replace(draft, of_hash, view, state):
                return Submitted(of_hash, state, _replaced(view))
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

    def set_preview(self, session_id: str, draft_hash: str, channel: str, message_ts: str) -> None:
        """Remember which message is the draft's preview.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        self._table.update(
            Update(
                session_id,
                records.draft_key(draft_hash),
                "SET preview_channel = :channel, preview_ts = :ts, updated_at = :now",
                "attribute_exists(session_id)",
                {":channel": {"S": channel}, ":ts": {"S": message_ts}, ":now": {"S": clock.canonical(self._now())}},
            )
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
