"""Drafts that wait too long: the approvers are reminded once, and later the draft expires (docs/adr/0047).

An expiry is a decision that nobody made. It is recorded as a click is, in the same transaction and under the same conditions,
so of an expiry and a late approval the first wins. A reminder is a Slack message of the worker, sent once under a claim.
"""

from datetime import datetime, timedelta
from typing import Any

from lib.approvals import records
from lib.approvals.messages import RemindApprovers, Send, UpdatePreview, sender
from lib.approvals.operations import JiraOperationStore, OperationId
from lib.approvals.records import Approval, OperationStatus, Session, SessionState
from lib.approvals.repository import ApprovalStore, make_table
from lib.platform import clock
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.queues import Queue

RECORDING_SECONDS = 5
"""The delay of the message that is sent before an expiry is recorded."""

REMINDABLE_FOR = timedelta(days=7)
"""A reminder is sent at most this many days late, so that the sweep need not read older drafts again each time."""

MAX_SECONDS = 6.0
"""A sweep ends after this time, within the function's timeout. The next one continues with the oldest."""


def make_waiting_drafts(environment: ApprovalsEnvironment, *, dynamodb: Any, sqs: Any) -> "WaitingDrafts":
    """The sweep of a function with this environment and these AWS clients."""
    table = make_table(dynamodb, environment.operations_table_name)
    return WaitingDrafts(
        store=ApprovalStore(table),
        operations=JiraOperationStore(table, lease=timedelta(0)),  # nothing is claimed here
        send=sender(Queue(sqs, environment.approval_queue_url)),
        remind_after=timedelta(hours=environment.approval_reminder_hours),
        expire_after=timedelta(days=environment.approval_expiry_days),
    )


class WaitingDrafts:
    """The drafts that wait for a decision.

    Args:
        store: sessions, drafts and decisions.
        operations: which reminders were sent.
        send: queues a message.
        remind_after: how long a draft waits before the approvers are reminded; zero for never.
        expire_after: how long a draft waits before it expires; zero for never.
        now: the clock.
        monotonic: measures the duration of a sweep.
    """

    def __init__(
        self,
        *,
        store: ApprovalStore,
        operations: JiraOperationStore,
        send: Send,
        remind_after: timedelta,
        expire_after: timedelta,
        now: clock.Clock = clock.utc_now,
        monotonic: clock.Monotonic = clock.monotonic,
    ) -> None:
        self._store = store
        self._operations = operations
        self._send = send
        self._remind_after = remind_after
        self._expire_after = expire_after
        self._now = now
        self._monotonic = monotonic

    def sweep(self) -> dict[str, int]:
        """Expire the drafts that have waited too long, and queue reminders for those that have waited for some time.

        Running it again, or twice at once, changes nothing more. Returns how many expired and were reminded of.

        Raises:
            SwitchboardError: the table or the queue can't be reached. The next sweep continues.
        """
        now, ends = self._now(), self._monotonic() + MAX_SECONDS
        done = {"expired": 0, "reminders": 0, "unfinished": 0}
        if self._expire_after:
            for session in self._store.sessions_in(SessionState.PREVIEW, until=now - self._expire_after):
                if self._monotonic() > ends:
                    return {**done, "unfinished": 1}
                done["expired"] += self._expire(session, now)
        if self._remind_after:
            due = now - self._remind_after
            for session in self._store.sessions_in(SessionState.PREVIEW, since=due - REMINDABLE_FOR, until=due):
                if self._monotonic() > ends:
                    return {**done, "unfinished": 1}
                done["reminders"] += self._remind(session)
        return done

    def _expire(self, session: Session, now: datetime) -> bool:
        update = UpdatePreview(session_id=session.session_id, draft_hash=session.draft_hash)
        self._send(update, RECORDING_SECONDS)  # in the other order, a crash would leave a preview that looks undecided
        expiry = Approval(draft_hash=session.draft_hash, approved=False, expired=True, decided_by="", at=now)
        recorded = self._store.record_decision(session.session_id, expiry, since=session.updated_at)
        if recorded:
            self._send(update, 0)
        return recorded

    def _remind(self, session: Session) -> bool:
        reminder = self._operations.get_operation(OperationId(session.session_id, session.draft_hash, records.REMIND))
        if reminder is not None and reminder.status is OperationStatus.DONE:
            return False
        self._send(RemindApprovers(session_id=session.session_id, draft_hash=session.draft_hash), 0)
        return True
