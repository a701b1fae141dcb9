"""Operations that happen at most once: the claim before each, its outcome after it, and the audit trail that they form.

The rows have the attributes of lib/platform/claims.py and follow its rule: the first claim wins, an expired claim is free,
``done`` is final. A claim on creating an issue needs more than a claim on sending a message:

* It moves the session in the same transaction, so that session and operation never disagree.
* It knows ``unknown``: an issue may exist, and nobody may create another before it was searched for.
* A claim that expires after the request was sent is not free: it becomes ``unknown``.
* ``failed`` is free only after a person has requested a retry.
* The row names the people, and success keeps the issue's key.

::

    start ──► pending ── begin_post ──► pending, posted_at ──┬─ mark_success ─► done
                │                                            ├─ mark_failed ──► failed ── request_retry, start ─► pending
                ├─ release, claim expired: start wins again  ├─ release (nothing happened) ─► start wins again
                └─ mark_success (the marker was found)       └─ mark_unknown, claim expired ──► unknown
    unknown ── count_look ─► unknown ── all searches found nothing: start ─► pending
       └─ mark_success (the marker was found) ─► done
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lib.approvals import records
from lib.approvals.records import (
    OPERATION_PREFIX,
    SESSION_KEY,
    Operation,
    OperationStatus,
    SessionState,
    change_times,
    error_text,
    instant,
    text,
)
from lib.approvals.repository import read_rows, session_condition
from lib.platform import clock
from lib.platform.dynamodb import Condition, ContendedError, Item, Table, Update, number


@dataclass(frozen=True, slots=True)
class OperationId:
    """Something that happens at most once: an operation on one draft of one session."""

    session_id: str
    draft_hash: str
    name: str = records.CREATE_ISSUE

    @property
    def key(self) -> str:
        """The row's operation_key."""
        return records.operation_key(self.draft_hash, self.name)


class JiraOperationStore:
    """The operations of one table. Reads are strongly consistent.

    Every method raises SwitchboardError if the table can't be reached or refuses.

    Args:
        table: the operations table.
        lease: how long a claim holds. It must be longer than the function that claims can run.
        now: the clock.
    """

    def __init__(self, table: Table, *, lease: timedelta, now: clock.Clock = clock.utc_now) -> None:
        self._table = table
        self._lease = lease
        self._now = now

    def record_operation_start(
        self, operation: OperationId, *, owner: str, created_by: str, approved_by: str, looks_needed: int
    ) -> bool:
        """Claim the operation for ``owner``, unique to this attempt. True for the first only.

        The session becomes ``creating``. ``looks_needed`` is how many searches must have found nothing before an operation of
        unknown outcome is free again.
        """
        now = self._now()
        claim = Update(
            key=_row_key(operation),
            sets={
                "status": text("pending"),
                "claim_owner": text(owner),
                "claim_expires_at": instant(now + self._lease),
                "draft_hash": text(operation.draft_hash),
                "created_by": text(created_by),
                "approved_by": text(approved_by),
                "looks": number(0),
                **change_times(now),
            },
            defaults={"created_at": instant(now)},
            adds={"attempts": number(1)},
            removes=("posted_at", "next_look_at", "settled_at", "retry_by", "error_message"),
            condition=Condition(
                expression="attribute_not_exists(session_id) OR (#status = :failed AND attribute_exists(retry_by)) "
                "OR (#status = :unknown AND looks >= :looks_needed) "
                "OR (#status = :pending AND attribute_not_exists(posted_at) "
                "AND (claim_owner = :owner OR claim_expires_at <= :now))",
                values={
                    **_statuses("pending", "failed", "unknown"),
                    ":looks_needed": number(looks_needed),
                    ":owner": text(owner),
                    ":now": instant(now),
                },
            ),
        )
        try:
            return not self._table.transact([claim, _session_to(SessionState.CREATING, operation, now)], "claim the issue")
        except ContendedError:
            return False

    def begin_post(self, operation: OperationId, *, owner: str, until: datetime) -> bool:
        """Record that the request to create is sent now.

        False if the claim is no longer ``owner``'s or ends before ``until``: then the request must not be sent. After a crash
        between here and the outcome, this record says that an issue may exist.
        """
        return self._change(
            operation,
            _pending_of(owner, " AND claim_expires_at > :until", {":until": instant(until)}),
            sets={"posted_at": instant(self._now())},
            adds={"posts": number(1)},
        )

    def mark_success(self, operation: OperationId, jira_key: str) -> str:
        """Record that the issue exists, whoever has the claim, and return the key on record.

        The session becomes ``created`` with the key. If another issue is on record, this one is added to ``other_keys``.
        """
        now = self._now()
        settled = self._settle(
            Update(
                key=_row_key(operation),
                sets={"status": text("done"), "jira_key": text(jira_key), "settled_at": instant(now), **change_times(now)},
                defaults={"created_at": instant(now)},
                removes=("error_message", "posted_at", "next_look_at", "retry_by"),
                condition=Condition(expression="attribute_not_exists(jira_key) OR jira_key = :jira_key"),
            ),
            _session_to(SessionState.CREATED, operation, now, jira_key=text(jira_key)),
        )
        if settled:
            return jira_key
        another = Condition(expression="jira_key <> :key", values={":key": text(jira_key)})
        self._change(operation, another, adds={"other_keys": {"SS": [jira_key]}})
        return self.was_already_created(operation) or jira_key

    def mark_failed(self, operation: OperationId, error: str, *, owner: str) -> bool:
        """Record that nothing was created and why. ``error`` holds nothing personal. False if the claim is not ``owner``'s.

        The session becomes ``failed``. The operation is free again after :meth:`request_retry`.
        """
        return self._fail(operation, error, _pending_of(owner), "posted_at")

    def give_up(self, operation: OperationId, error: str, *, looks_needed: int) -> bool:
        """Record that all searches for an operation of unknown outcome found nothing, and a person has to decide."""
        searched = Condition(
            expression="#status = :unknown AND looks >= :looks_needed",
            values={**_statuses("unknown"), ":looks_needed": number(looks_needed)},
        )
        return self._fail(operation, error, searched, "next_look_at")

    def mark_unknown(self, operation: OperationId, error: str, *, owner: str | None, next_look_at: datetime) -> bool:
        """Record that the issue may exist. The session becomes ``unknown``.

        Without an ``owner``: of a claim that expired after the request was sent. False if the claim is another's, or has not
        expired.
        """
        now = self._now()
        expired = Condition(
            expression="#status = :pending AND attribute_exists(posted_at) AND claim_expires_at <= :now",
            values={**_statuses("pending"), ":now": instant(now)},
        )
        return self._settle(
            Update(
                key=_row_key(operation),
                sets={
                    "status": text("unknown"),
                    "error_message": error_text(error),
                    "next_look_at": instant(next_look_at),
                    "settled_at": instant(now),
                    **change_times(now),
                },
                condition=expired if owner is None else _pending_of(owner),
            ),
            _session_to(SessionState.UNKNOWN, operation, now),
        )

    def count_look(self, operation: OperationId, *, looks: int, next_look_at: datetime) -> bool:
        """Record that search number ``looks + 1`` found nothing. False if it was counted before."""
        uncounted = Condition(
            expression="#status = :unknown AND looks = :counted",
            values={**_statuses("unknown"), ":counted": number(looks)},
        )
        return self._change(operation, uncounted, sets={"next_look_at": instant(next_look_at)}, adds={"looks": number(1)})

    def release(self, operation: OperationId, error: str, *, owner: str) -> bool:
        """End the claim after nothing happened, so that the next attempt wins at once. False if it is not ``owner``'s."""
        sets = {"claim_expires_at": instant(self._now()), "error_message": error_text(error)}
        return self._change(operation, _pending_of(owner), sets=sets, removes=("posted_at",))

    def request_retry(self, operation: OperationId, by: str) -> bool:
        """Let a failed operation be claimed once more, in the name of ``by``. False if it has not failed."""
        failed = Condition(expression="#status = :failed", values=_statuses("failed"))
        return self._change(operation, failed, sets={"retry_by": text(by)})

    def get_operation(self, operation: OperationId) -> Operation | None:
        """The operation; None if it was never started."""
        row = read_rows(self._table, operation.session_id, [operation.key]).get(operation.key)
        return records.read_operation(row) if row else None

    def was_already_created(self, operation: OperationId) -> str | None:
        """The key of the issue that the operation has created; None if it has not."""
        found = self.get_operation(operation)
        return found.jira_key if found is not None and found.status is OperationStatus.DONE else None

    def get_session_operations(self, session_id: str) -> list[Operation]:
        """The audit trail of a session: every operation on every draft of it, Slack's messages included, oldest first."""
        rows = self._table.query(
            f"read session {session_id}",
            KeyConditionExpression="session_id = :session_id AND begins_with(operation_key, :prefix)",
            ExpressionAttributeValues={":session_id": text(session_id), ":prefix": text(OPERATION_PREFIX)},
            ConsistentRead=True,
        )
        return _oldest_first(rows)

    def _fail(self, operation: OperationId, error: str, condition: Condition, no_longer: str) -> bool:
        now = self._now()
        failed = Update(
            key=_row_key(operation),
            sets={
                "status": text("failed"),
                "error_message": error_text(error),
                "settled_at": instant(now),
                **change_times(now),
            },
            removes=(no_longer,),
            condition=condition,
        )
        return self._settle(failed, _session_to(SessionState.FAILED, operation, now))

    def _change(
        self,
        operation: OperationId,
        condition: Condition,
        *,
        sets: Item | None = None,
        adds: Item | None = None,
        removes: Sequence[str] = (),
    ) -> bool:
        """Change the operation alone; False if ``condition`` does not hold."""
        update = Update(
            key=_row_key(operation),
            sets={**(sets or {}), **change_times(self._now())},
            adds=adds or {},
            removes=removes,
            condition=condition,
        )
        return self._table.update(update, f"write {operation.key}").accepted

    def _settle(self, operation: Update, session: Update) -> bool:
        """Move operation and session together. If the session has another draft or state by now, move the operation alone: its
        outcome is recorded in any case."""
        refused = {refusal.position for refusal in self._table.transact([operation, session], "record the outcome")}
        if refused == {1}:
            return self._table.update(operation, "record the outcome").accepted
        return not refused


_BEFORE = (SessionState.APPROVED, SessionState.CREATING, SessionState.UNKNOWN, SessionState.FAILED)


def _session_to(state: SessionState, operation: OperationId, now: datetime, **sets: dict[str, str]) -> Update:
    return Update(
        key=records.row_key(operation.session_id, SESSION_KEY),
        sets={"state": text(state.value), **change_times(now), **sets},
        condition=session_condition(operation.draft_hash, *_BEFORE),
    )


def _row_key(operation: OperationId) -> Item:
    return records.row_key(operation.session_id, operation.key)


def _pending_of(owner: str, and_also: str = "", values: Item | None = None) -> Condition:
    """The claim is ``owner``'s and has no outcome yet."""
    return Condition(
        expression=f"#status = :pending AND claim_owner = :owner{and_also}",
        values={**_statuses("pending"), ":owner": text(owner), **(values or {})},
    )


def _statuses(*names: str) -> Item:
    return {f":{name}": text(name) for name in names}


def _oldest_first(rows: Iterable[Item]) -> list[Operation]:
    operations = map(records.read_operation, rows)
    epoch = clock.from_epoch_ms(0)
    return sorted(operations, key=lambda operation: operation.created_at or operation.updated_at or epoch)
