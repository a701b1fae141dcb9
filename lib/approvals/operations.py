"""What became of each operation: the claim before it, its outcome after it, and the audit trail they make.

The rows have the attributes of lib/platform/claims.py and its rule: the first claim wins, a lease that is over is free,
``done`` is done. The write is a richer one, since a claim on creating an issue must do more than a claim on sending a message:

* It moves the session in the same transaction, so that session and operation never disagree.
* It knows ``unknown``: an issue may exist, and nobody may create another before it was looked for.
* A lease that ends after the request went out is not free. It is a doubt, and becomes ``unknown``.
* ``failed`` is free only once a person has asked to try again.
* The row names the people, and success keeps the issue's key.

::

    start ──► pending ── begin_post ──► pending, posted_at ──┬─ mark_success ─► done
                │                                            ├─ mark_failed ──► failed ── request_retry, start ─► pending
                ├─ release, lease over: start wins again     ├─ release (nothing happened) ─► start wins again
                └─ mark_success (the marker was found)       └─ mark_unknown, lease over ──► unknown
    unknown ── count_look ─► unknown ── looks all empty: start ─► pending
       └─ mark_success (the marker was found) ─► done
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lib.approvals import records
from lib.approvals.operations_table import ContendedError, OperationsTable, Update
from lib.approvals.records import (
    MAX_ERROR_CHARACTERS,
    OPERATION_PREFIX,
    SESSION_KEY,
    Item,
    Operation,
    OperationStatus,
    SessionState,
)
from lib.approvals.repository import KEEP
from lib.platform import clock


@dataclass(frozen=True, slots=True)
class OperationId:
    """What there is at most one of: an operation on one draft of one session."""

    session_id: str
    draft_hash: str
    name: str = records.CREATE_ISSUE

    @property
    def key(self) -> str:
        """The row's operation_key."""
        return records.operation_key(self.draft_hash, self.name)


class JiraOperationStore:
    """The operations of one table.

    Args:
        table: the operations table.
        lease: how long a claim holds. It must be longer than the function that claims can run.
        now: the clock.
    """

    def __init__(
        self,
        table: OperationsTable,
        *,
        lease: timedelta,
        now: clock.Clock = clock.utc_now,
    ) -> None:
        self._table = table
        self._lease = lease
        self._now = now

    def record_operation_start(
        self, operation: OperationId, *, owner: str, created_by: str, approved_by: str, looks_needed: int
    ) -> bool:
        """Claim the operation for ``owner``, unique to this attempt. True for the first only.

        The session goes to ``creating`` with it. ``looks_needed`` is how many looks must have found nothing before an
        operation of unknown outcome is free again.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        now = self._now()
        claim = Update(
            operation.session_id,
            operation.key,
            "SET #status = :pending, claim_owner = :owner, claim_expires_at = :lease_end, draft_hash = :hash, "
            "created_by = :created_by, approved_by = :approved_by, created_at = if_not_exists(created_at, :now), "
            "updated_at = :now, expires_at = :ttl, looks = :zero "
            "REMOVE posted_at, next_look_at, settled_at, retry_by, error_message ADD attempts :one",
            "attribute_not_exists(session_id) OR (#status = :failed AND attribute_exists(retry_by)) "
            "OR (#status = :unknown AND looks >= :looks_needed) OR (#status = :pending AND attribute_not_exists(posted_at) "
            "AND (claim_owner = :owner OR claim_expires_at <= :now))",
            {
                **_statuses("pending", "failed", "unknown"),
                ":owner": {"S": owner},
                ":lease_end": {"S": clock.canonical(now + self._lease)},
                ":hash": {"S": operation.draft_hash},
                ":created_by": {"S": created_by},
                ":approved_by": {"S": approved_by},
                ":looks_needed": {"N": str(looks_needed)},
                ":zero": {"N": "0"},
                ":one": {"N": "1"},
                **self._times(now),
            },
        )
        try:
            return not self._table.transact(claim, self._session_to(SessionState.CREATING, operation, now))
        except ContendedError:
            return False

    def begin_post(self, operation: OperationId, *, owner: str, until: datetime) -> bool:
        """Note that the request to create goes out now. False if the claim is another's by now or ends before ``until``:
        then it must not go out.

        From here to the outcome a crash leaves a doubt, which the note keeps.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return self._change(
            operation,
            "SET posted_at = :now, updated_at = :now, expires_at = :ttl ADD posts :one",
            "#status = :pending AND claim_owner = :owner AND claim_expires_at > :until",
            {
                **_statuses("pending"),
                ":owner": {"S": owner},
                ":until": {"S": clock.canonical(until)},
                ":one": {"N": "1"},
            },
        )

    def mark_success(self, operation: OperationId, jira_key: str) -> str:
        """Record that the issue exists, whoever has the claim. The session goes to ``created`` with the key.

        An issue that exists is recorded in any case. If another stands there, this one is kept in ``other_keys``.

        Returns:
            The key that stands.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        now = self._now()
        settled = self._settle(
            operation,
            "SET #status = :done, jira_key = :key, updated_at = :now, settled_at = :now, expires_at = :ttl, "
            "created_at = if_not_exists(created_at, :now) REMOVE error_message, posted_at, next_look_at, retry_by",
            "attribute_not_exists(jira_key) OR jira_key = :key",
            {**_statuses("done"), ":key": {"S": jira_key}},
            state=SessionState.CREATED,
            now=now,
        )
        if settled:
            return jira_key
        self._table.update(
            Update(
                operation.session_id,
                operation.key,
                "SET updated_at = :now, expires_at = :ttl ADD other_keys :keys",
                "jira_key <> :key",
                {":key": {"S": jira_key}, ":keys": {"SS": [jira_key]}, **self._times(now)},
            )
        )
        standing = self.get_operation(operation)
        return standing.jira_key or jira_key if standing else jira_key

    def mark_failed(self, operation: OperationId, error: str, *, owner: str) -> bool:
        """Record that nothing was created and why. ``error`` holds nothing personal. False if the claim is another's.

        The operation may be tried again once a person asks for it. The session goes to ``failed``.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        condition = "#status = :pending AND claim_owner = :owner"
        return self._fail(operation, error, condition, {**_statuses("pending"), ":owner": {"S": owner}}, done_with="posted_at")

    def give_up(self, operation: OperationId, error: str, *, looks_needed: int) -> bool:
        """Record that an operation of unknown outcome was looked for in vain, and is left to a person.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        condition = "#status = :unknown AND looks >= :looks_needed"
        values = {**_statuses("unknown"), ":looks_needed": {"N": str(looks_needed)}}
        return self._fail(operation, error, condition, values, done_with="next_look_at")

    def mark_unknown(self, operation: OperationId, error: str, *, owner: str | None, next_look_at: datetime) -> bool:
        """Record that the issue may exist. Without an ``owner``: of a claim whose lease ended after the request went out.

        The session goes to ``unknown``. False if the claim is another's, or not over.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        now = self._now()
        values = {**_statuses("pending", "unknown"), ":error": _error(error), ":zero": {"N": "0"}}
        values[":look_at"] = {"S": clock.canonical(next_look_at)}
        condition = "#status = :pending AND claim_owner = :owner"
        if owner is None:
            condition = "#status = :pending AND attribute_exists(posted_at) AND claim_expires_at <= :now"
        else:
            values[":owner"] = {"S": owner}
        return self._settle(
            operation,
            "SET #status = :unknown, error_message = :error, looks = :zero, next_look_at = :look_at, updated_at = :now, "
            "settled_at = :now, expires_at = :ttl",
            condition,
            values,
            state=SessionState.UNKNOWN,
            now=now,
        )

    def count_look(self, operation: OperationId, *, looks: int, next_look_at: datetime) -> bool:
        """Record that look number ``looks + 1`` found nothing. False if somebody else has counted it.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return self._change(
            operation,
            "SET next_look_at = :look_at, updated_at = :now, expires_at = :ttl ADD looks :one",
            "#status = :unknown AND looks = :looks",
            {
                **_statuses("unknown"),
                ":looks": {"N": str(looks)},
                ":one": {"N": "1"},
                ":look_at": {"S": clock.canonical(next_look_at)},
            },
        )

    def release(self, operation: OperationId, error: str, *, owner: str) -> bool:
        """Give the claim up after nothing happened, so that the next attempt wins at once. False if it is another's.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return self._change(
            operation,
            "SET claim_expires_at = :now, error_message = :error, updated_at = :now, expires_at = :ttl REMOVE posted_at",
            "#status = :pending AND claim_owner = :owner",
            {**_statuses("pending"), ":owner": {"S": owner}, ":error": _error(error)},
        )

    def request_retry(self, operation: OperationId, by: str) -> bool:
        """Let a failed operation be claimed once more, in the name of ``by``. False if it has not failed.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return self._change(
            operation,
            "SET retry_by = :by, updated_at = :now, expires_at = :ttl",
            "#status = :failed",
            {**_statuses("failed"), ":by": {"S": by}},
        )

    def get_operation(self, operation: OperationId) -> Operation | None:
        """The operation as it stands, strongly consistent; None if it was never started.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        item = self._table.read(operation.session_id, [operation.key]).get(operation.key)
        return records.read_operation(item) if item else None

    def was_already_created(self, operation: OperationId) -> str | None:
        """The key of the issue that the operation has created; None if it has not.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        standing = self.get_operation(operation)
        return standing.jira_key if standing is not None and standing.status is OperationStatus.DONE else None

    def get_session_operations(self, session_id: str) -> list[Operation]:
        """The audit trail of a session: every operation on every draft of it, Slack's messages too, oldest first.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return _in_order(self._table.rows(session_id, OPERATION_PREFIX))

    def get_operations_between(self, start: datetime, end: datetime) -> list[Operation]:
        """The audit trail of a time: every operation that last changed from ``start`` on and before ``end``.

        It reads the whole table: for a person at the command line only.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        return _in_order(
            self._table.scan(
                "begins_with(operation_key, :prefix) AND updated_at >= :start AND updated_at < :end",
                {
                    ":prefix": {"S": OPERATION_PREFIX},
                    ":start": {"S": clock.canonical(start)},
                    ":end": {"S": clock.canonical(end)},
                },
            )
        )

    def _fail(self, operation: OperationId, error: str, condition: str, values: Item, *, done_with: str) -> bool:
        return self._settle(
            operation,
            "SET #status = :failed, error_message = :error, updated_at = :now, settled_at = :now, expires_at = :ttl "
            f"REMOVE {done_with}",
            condition,
            {**values, **_statuses("failed"), ":error": _error(error)},
            state=SessionState.FAILED,
            now=self._now(),
        )

    def _change(self, operation: OperationId, expression: str, condition: str, values: Item) -> bool:
        """Change the operation alone, and its times with it; False if ``condition`` does not hold."""
        values = {**values, **self._times(self._now())}
        return self._table.update(Update(operation.session_id, operation.key, expression, condition, values))

    def _settle(
        self, operation: OperationId, update: str, condition: str, values: Item, *, state: SessionState, now: datetime
    ) -> bool:
        """Move operation and session together; if the session has gone its own way, the operation alone: what became of
        an operation is recorded in any case."""
        own = Update(operation.session_id, operation.key, update, condition, {**values, **self._times(now)})
        refused = self._table.transact(own, self._session_to(state, operation, now, values.get(":key")))
        if refused == {1}:
            return self._table.update(own)
        return not refused

    def _session_to(
        self, state: SessionState, operation: OperationId, now: datetime, jira_key: dict[str, str] | None = None
    ) -> Update:
        states = _START_FROM if state is SessionState.CREATING else _OUTCOME_FROM
        return Update(
            operation.session_id,
            SESSION_KEY,
            "SET #state = :state, updated_at = :now, expires_at = :ttl" + (", jira_key = :key" if jira_key else ""),
            f"draft_hash = :hash AND #state IN ({', '.join(f':{was.value}' for was in states)})",
            {
                ":state": {"S": state.value},
                ":hash": {"S": operation.draft_hash},
                **{f":{was.value}": {"S": was.value} for was in states},
                **({":key": jira_key} if jira_key else {}),
                **self._times(now),
            },
        )

    def _times(self, now: datetime) -> Item:
        return {":now": {"S": clock.canonical(now)}, ":ttl": {"N": str(clock.epoch_s(now + KEEP))}}


_START_FROM = (SessionState.APPROVED, SessionState.CREATING, SessionState.UNKNOWN, SessionState.FAILED)
_OUTCOME_FROM = (*_START_FROM, SessionState.CREATED)


def _statuses(*names: str) -> Item:
    return {f":{name}": {"S": name} for name in names}


def _error(text: str) -> dict[str, str]:
    return {"S": text[:MAX_ERROR_CHARACTERS]}


def _in_order(items: Iterator[Item]) -> list[Operation]:
    operations = [records.read_operation(item) for item in items]
    return sorted(operations, key=lambda operation: clock.canonical(operation.created_at or operation.updated_at or _EPOCH))


_EPOCH = clock.from_epoch_ms(0)
