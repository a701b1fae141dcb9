"""Sessions, drafts and decisions in the operations table.

::

    submit ──► preview ──┬─ approve ──────────► approved ──► creating ──┬──► created
                         ├─ reject ───────────► rejected                ├──► failed ── a person retries ──► creating
                         ├─ nobody decides ───► expired                 └──► unknown ── searched for ──► created, creating
                         └─ Slack refuses it ─► failed ── submitted again, or posted after all ──► preview

    another draft that is not decided ──► preview, from every state but approved, creating and unknown

Every step is one conditional write. The steps from ``approved`` on are those of :mod:`lib.approvals.operations`. Two rows that
must never disagree, such as a decision and its session, are written in one transaction (docs/adr/0040).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.approvals import drafts, records
from lib.approvals.drafts import Draft
from lib.approvals.records import (
    BUSY_STATES,
    SESSION_KEY,
    Approval,
    Session,
    SessionState,
    StoredDraft,
    View,
    change_times,
    instant,
    text,
)
from lib.platform import clock, contract, errors, metrics
from lib.platform.dynamodb import Condition, ContendedError, Item, Put, Statement, Table, Update, number

MAX_PREVIEWS = 10
"""How often a draft's preview is posted in total, if it is deleted in Slack: the draft's row lists every one."""

_TRIES = 3
_PAGE_SIZE = 100

_ABSENT = Condition(expression="attribute_not_exists(session_id)")
_NEVER_SHOWN = Condition(expression="attribute_not_exists(previews)")


@dataclass(frozen=True, slots=True)
class Submitted:
    """The result of a submission.

    Attributes:
        draft_hash: of the draft.
        state: of the draft.
        replaced: the hash of the draft that it replaced.
        reason: why there is no issue, or why Slack refused the preview that is now posted again; empty if nothing has failed.
    """

    draft_hash: str
    state: SessionState
    replaced: str | None = None
    reason: str = ""


def make_table(client: Any, name: str) -> Table:
    """The operations table of a function, which counts throttled calls."""
    return Table(client, name, on_throttle=lambda: metrics.count(contract.STORE_THROTTLE_RETRY))


class ApprovalStore:
    """The sessions of one operations table. Reads are strongly consistent.

    Every method raises SwitchboardError if the table can't be reached or refuses.

    Args:
        table: the operations table.
        now: the clock.
    """

    def __init__(self, table: Table, *, now: clock.Clock = clock.utc_now) -> None:
        self._table = table
        self._now = now

    def read(self, session_id: str, draft_hash: str) -> View:
        """What the table holds about one draft; missing rows are None."""
        found = read_rows(self._table, session_id, records.view_keys(draft_hash))
        return records.read_view(session_id, draft_hash, found)

    def read_current(self, session_id: str) -> View | None:
        """What the table holds about the session's current draft; None if there is no such session."""
        session = read_rows(self._table, session_id, [SESSION_KEY]).get(SESSION_KEY)
        return self.read(session_id, records.read_session(session).draft_hash) if session else None

    def sessions_in(
        self,
        state: SessionState,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
    ) -> Iterator[Session]:
        """The sessions in a state whose last change was at ``since`` or later and at ``until`` or before, the oldest first.

        They come from an index and may be seconds old. Each page is read when its first row is needed.
        """
        index = contract.SESSION_STATE_INDEX
        condition, values = "#state = :state", {":state": text(state.value)}
        if since is not None and until is not None:
            condition = f"{condition} AND updated_at BETWEEN :since AND :until"
            values |= {":since": instant(since), ":until": instant(until)}
        elif until is not None:
            condition, values = f"{condition} AND updated_at <= :until", {**values, ":until": instant(until)}
        elif since is not None:
            condition, values = f"{condition} AND updated_at >= :since", {**values, ":since": instant(since)}
        rows = self._table.query(
            f"list the sessions in the state {state.value}",
            IndexName=index.name,
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#state": index.hash_key},
            ExpressionAttributeValues=values,
            ScanIndexForward=not newest_first,
            Limit=_PAGE_SIZE,
        )
        return map(records.read_session, rows)

    def submit(self, draft: Draft) -> Submitted:
        """Make ``draft`` its session's current one. The same draft again changes nothing, but one that failed because Slack
        refused its preview has a new chance: its session is ``preview`` again.

        A draft that was decided before another replaced it stays as it is, and so does the session: this is a late retry.

        Raises:
            InvalidInputError: the session's current draft is approved and its issue is being created.
        """
        draft_hash = drafts.draft_hash(draft)
        for _ in range(_TRIES):
            view = self.read(draft.session_id, draft_hash)
            session = view.session
            if session is not None and view.is_current and view.draft is not None and not view.preview_failed:
                return Submitted(draft_hash, session.state, session.replaced_hash, _reason(view))
            if view.approval is not None:
                return Submitted(draft_hash, records.state_of(None, view.approval, view.operation), reason=_reason(view))
            if session is not None and not view.is_current and session.state in BUSY_STATES:
                raise errors.InvalidInputError(
                    f"session_id {draft.session_id} has an approved draft whose issue is being created: "
                    "send another draft when that has ended, or under another session_id"
                )
            if self._replace(draft, view):
                return Submitted(draft_hash, SessionState.PREVIEW, _replaced(view), _reason(view))
        raise errors.UnavailableError(f"session {draft.session_id} changed {_TRIES} times during the submission")

    def record_decision(self, session_id: str, approval: Approval, *, since: datetime | None = None) -> bool:
        """Record the decision on a draft, if it is the session's current one and nobody has decided yet: the first wins.

        With ``since``, only if the draft has been waiting since then. False if another was first or the draft has changed; read
        again to know which. If the error is ambiguous, the decision may be recorded.
        """
        state = records.state_of(None, approval, None)
        waits = session_condition(approval.draft_hash, SessionState.PREVIEW)
        if since is not None:
            waits = Condition(
                expression=f"{waits.expression} AND updated_at = :since", values={**waits.values, ":since": instant(since)}
            )
        session = Update(
            key=records.row_key(session_id, SESSION_KEY),
            sets={**change_times(approval.at), "state": text(state.value)},
            condition=waits,
        )
        decision = Put(item=records.approval_item(session_id, approval), condition=_ABSENT)
        return self._all_written([decision, session], "record the decision")

    def preview_progress(self, session_id: str, draft_hash: str, operation: str) -> tuple[StoredDraft | None, int]:
        """The draft, and how many replies in its preview's thread are posted."""
        keys = records.draft_key(draft_hash), records.operation_key(draft_hash, operation)
        draft, claim = map(read_rows(self._table, session_id, keys).get, keys)
        return records.read_draft(draft) if draft else None, records.read_operation(claim).replies if claim else 0

    def set_preview(self, session_id: str, draft_hash: str, channel: str, message_ts: str) -> bool:
        """Record which message is the draft's preview; False if another one is."""
        return self._update_draft(
            session_id,
            draft_hash,
            sets={"preview_channel": text(channel), "preview_ts": text(message_ts)},
            condition=Condition(expression="attribute_exists(session_id) AND attribute_not_exists(preview_ts)"),
        )

    def count_replies(self, session_id: str, draft_hash: str, operation: str, owner: str, replies: int) -> bool:
        """Record how many ``replies`` the preview's thread has; False if the claim is no longer ``owner``'s."""
        update = Update(
            key=records.row_key(session_id, records.operation_key(draft_hash, operation)),
            sets={"replies": number(replies), "updated_at": instant(self._now())},
            condition=Condition(expression="claim_owner = :owner", values={":owner": text(owner)}),
        )
        return self._table.update(update, "count the replies").accepted

    def read_draft(self, session_id: str, draft_hash: str) -> StoredDraft | None:
        """One draft; None if there is no such draft."""
        key = records.draft_key(draft_hash)
        row = read_rows(self._table, session_id, [key]).get(key)
        return records.read_draft(row) if row else None

    def open_preview(self, session_id: str, draft_hash: str, channel: str, message_ts: str, link: str = "") -> None:
        """Record that the preview shows the whole draft: its buttons count from now on. ``link`` is its URL, if it is known.

        If another attempt recorded a failure, even while this one was posting, the session leaves that state too.
        """
        name = records.preview_name(channel, message_ts)
        sets = {"preview_link": text(link)} if link else {}

        def shown(expression: str) -> Update:
            adds, condition = {"previews": {"SS": [name]}}, Condition(expression=expression)
            return self._draft_update(
                session_id, draft_hash, sets=sets, adds=adds, removes=["preview_error"], condition=condition
            )

        is_stored = "attribute_exists(session_id)"
        not_failed = f"{is_stored} AND (attribute_not_exists(preview_error) OR attribute_exists(previews))"
        if self._table.update(shown(not_failed), "record the preview").accepted:
            return
        session = self._session_of_preview(session_id, draft_hash, SessionState.PREVIEW)
        if self._table.transact([shown(_NEVER_SHOWN.expression), session], "record the preview"):
            # Another draft is current by now, or another attempt was faster.
            self._table.update(shown(is_stored), "record the preview")

    def fail_preview(self, session_id: str, draft_hash: str, reason: str) -> None:
        """Record why the draft can't be shown. A session whose current draft was never shown becomes ``failed``."""
        sets = {"preview_error": records.error_text(reason)}
        draft = self._draft_update(session_id, draft_hash, sets=sets, condition=_NEVER_SHOWN)
        session = self._session_of_preview(session_id, draft_hash, SessionState.FAILED)
        if self._table.transact([draft, session], "record that the preview failed"):
            self._update_draft(session_id, draft_hash, sets=sets, condition=Condition(expression="attribute_exists(previews)"))

    def forget_preview(self, session_id: str, draft_hash: str, message_ts: str) -> bool:
        """Let a preview that was deleted in Slack be posted again; False if another one was, or it happened too often."""
        return self._update_draft(
            session_id,
            draft_hash,
            removes=["preview_channel", "preview_ts", "preview_link"],
            adds={"preview_number": number(1)},
            condition=Condition(
                expression="preview_ts = :was AND (attribute_not_exists(preview_number) OR preview_number < :most)",
                values={":was": text(message_ts), ":most": number(MAX_PREVIEWS - 1)},
            ),
        )

    def _update_draft(self, session_id: str, draft_hash: str, **changes: Any) -> bool:
        return self._table.update(self._draft_update(session_id, draft_hash, **changes), "write the draft").accepted

    def _draft_update(self, session_id: str, draft_hash: str, *, sets: Item | None = None, **changes: Any) -> Update:
        key = records.row_key(session_id, records.draft_key(draft_hash))
        return Update(key=key, sets={**(sets or {}), "updated_at": instant(self._now())}, **changes)

    def _session_of_preview(self, session_id: str, draft_hash: str, state: SessionState) -> Update:
        """Move the session between the two states in which nobody has decided on its draft."""
        return Update(
            key=records.row_key(session_id, SESSION_KEY),
            sets={"state": text(state.value), "updated_at": instant(self._now())},
            condition=session_condition(draft_hash, SessionState.PREVIEW, SessionState.FAILED),
        )

    def _replace(self, draft: Draft, view: View) -> bool:
        now = self._now()
        writes: list[Statement] = [_session_update(view, now)]
        if view.draft is None:
            writes.append(Put(item=records.draft_item(draft, view.draft_hash, now), condition=_ABSENT))
        elif view.preview_failed:
            writes.append(
                self._draft_update(draft.session_id, view.draft_hash, removes=["preview_error"], condition=_NEVER_SHOWN)
            )
        return self._all_written(writes, "write the session")

    def _all_written(self, writes: list[Statement], doing: str) -> bool:
        """Whether the transaction was written; False if a condition refused or other requests changed the rows."""
        try:
            return not self._table.transact(writes, doing)
        except ContendedError:
            return False


def read_rows(table: Table, session_id: str, operation_keys: Collection[str]) -> dict[str, Item]:
    """The session's rows with these keys that exist, by operation_key, each strongly consistent.

    A write may happen between two of them: whoever acts on them must do so by conditional writes.
    """
    keys = [records.row_key(session_id, operation_key) for operation_key in operation_keys]
    return {row["operation_key"]["S"]: row for row in table.batch_get(keys, f"read session {session_id}")}


def session_condition(draft_hash: str, *states: SessionState) -> Condition:
    """The session has this current draft and one of ``states``."""
    values = {f":{state.value}": text(state.value) for state in states}
    return Condition(
        expression=f"draft_hash = :hash AND #state IN ({', '.join(values)})", values={**values, ":hash": text(draft_hash)}
    )


def _session_update(view: View, now: datetime) -> Update:
    """Make the view's draft, on which nobody has decided, the session's current one, if the session is still as in the view."""
    condition, session = _ABSENT, view.session
    if session is not None:
        condition = Condition(
            expression="draft_hash = :was AND #state = :was_in",
            values={":was": text(session.draft_hash), ":was_in": text(session.state.value)},
        )
    sets = {**change_times(now), "draft_hash": text(view.draft_hash), "state": text(SessionState.PREVIEW.value)}
    replaced = _replaced(view)
    if replaced is not None:
        sets["replaced_hash"] = text(replaced)
    return Update(
        key=records.row_key(view.session_id, SESSION_KEY),
        sets=sets,
        defaults={"created_at": instant(now)},
        removes=("jira_key",),
        condition=condition,
    )


def _replaced(view: View) -> str | None:
    if view.session is None:
        return None
    return view.session.replaced_hash if view.is_current else view.session.draft_hash


def _reason(view: View) -> str:
    """Why there is no issue, or why the preview is posted again."""
    if view.failure and view.approval is None:
        return f"Slack refused the last preview, which is now posted again: {view.failure}"
    return view.failure
