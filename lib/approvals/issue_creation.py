"""From an approval to one Jira issue: does what :mod:`lib.approvals.workflow` decides.

docs/adr/0041 says what is and is not guaranteed::

    claim ─► look ─► note "request goes out" ─► POST ─► record
               │                                 │
               └ found: record it                ├ refused: failed, a person may retry
                                                 ├ nothing happened (429, no connection): release, later again
                                                 └ unclear: unknown ─► look ─► look ─► … ─► all empty: claim …

A crash before the note leaves a lease that runs out; one after it leaves a doubt, which is treated as unclear.
"""

import enum
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from lib.approvals import issue_tracker as trackers
from lib.approvals.issue_tracker import IssueTracker
from lib.approvals.messages import MAX_DELAY_SECONDS, CreateIssue, LookForMarker, Send, UpdatePreview
from lib.approvals.operations import JiraOperationStore, OperationId
from lib.approvals.records import View
from lib.approvals.repository import ApprovalStore
from lib.approvals.workflow import (
    AlreadyCreated,
    AwaitApproval,
    GiveUp,
    Look,
    OutcomeUnknown,
    Policy,
    Refusal,
    Refuse,
    Start,
    Step,
    Wait,
    next_step,
)
from lib.platform import clock, errors, log


class Outcome(enum.Enum):
    """What a message came to."""

    CREATED = "created"
    FOUND = "found"
    SECOND = "second"
    """There is an issue more than there should be: a person has to close it."""
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    STUCK = "stuck"
    """Jira's search failed so often that nobody looks any more: a person has to ask for it."""
    WAITING = "waiting"


class IssueCreator:
    """Does what :func:`lib.approvals.workflow.next_step` says.

    An error of the operations table goes to the caller: the message must then come again, and finds what was written.

    Args:
        store: sessions, drafts and approvals.
        operations: claims and outcomes.
        tracker: Jira.
        sync: stores a created issue in JiraIssues, by its key. It may fail: the issue's webhook comes too.
        send: puts a message into the queue.
        logger: of the function.
        policy: times and bounds.
        now: the clock.
        new_owner: makes a name that no other attempt has.
    """

    def __init__(
        self,
        *,
        store: ApprovalStore,
        operations: JiraOperationStore,
        tracker: IssueTracker,
        sync: Callable[[str], None],
        send: Send,
        logger: log.Logger,
        policy: Policy | None = None,
        now: clock.Clock = clock.utc_now,
        new_owner: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._store = store
        self._operations = operations
        self._tracker = tracker
        self._sync = sync
        self._send = send
        self._logger = logger
        self._policy = policy or Policy()
        self._now = now
        self._new_owner = new_owner

    def advance(self, message: CreateIssue | LookForMarker) -> Outcome:
        """Take the draft's issue as far as it goes now, and send the messages that take it on.

        Raises:
            SwitchboardError: the table or the queue can't be reached. The message must come again.
        """
        operation = OperationId(message.session_id, message.draft_hash)
        view = self._store.read(message.session_id, message.draft_hash)
        step = next_step(view, self._now(), self._policy)
        outcome = self._do(step, operation, view, message)
        self._logger.info(
            "issue_creation",
            session_id=message.session_id,
            draft_hash=message.draft_hash,
            marker=trackers.marker_of(message.session_id, message.draft_hash).label,
            step=type(step).__name__,
            outcome=outcome.value,
        )
        return outcome

    def _do(  # noqa: PLR0911 - one a step
        self, step: Step, operation: OperationId, view: View, message: CreateIssue | LookForMarker
    ) -> Outcome:
        match step:
            case AwaitApproval():
                return self._await_approval(operation, message.tries)
            case Refuse(refusal):
                self._logger.warning("issue_refused", session_id=operation.session_id, reason=refusal.value)
                self._show(operation)
                return Outcome.REFUSED
            case AlreadyCreated(jira_key):
                self._spread(operation, jira_key)
                return Outcome.DUPLICATE
            case Wait(until):
                return self._wait(operation, until)
            case OutcomeUnknown():
                return self._doubt(operation)
            case Look(looks):
                return self._look(operation, looks, message.tries)
            case GiveUp():
                return self._give_up(operation)
            case Start():
                return self._start(operation, view, message.tries)

    # One method a step

    def _await_approval(self, operation: OperationId, tries: int) -> Outcome:
        if tries >= len(self._policy.approval_delays):
            self._logger.warning("issue_refused", session_id=operation.session_id, reason=Refusal.NOT_APPROVED.value)
            return Outcome.REFUSED
        self._create_later(operation, self._policy.approval_delays[tries], tries + 1)
        return Outcome.WAITING

    def _wait(self, operation: OperationId, until: datetime) -> Outcome:
        # The message is not done: if the holder of the claim crashes, this is what takes its work up.
        self._create_later(operation, until - self._now() + timedelta(seconds=1), 0)
        return Outcome.WAITING

    def _doubt(self, operation: OperationId) -> Outcome:
        self._operations.mark_unknown(
            operation, "the attempt ended without an outcome", owner=None, next_look_at=self._now() + self._look_delay(0)
        )
        return self._unclear(operation)

    def _unclear(self, operation: OperationId) -> Outcome:
        self._show(operation)
        self._send(
            LookForMarker(session_id=operation.session_id, draft_hash=operation.draft_hash), _seconds(self._look_delay(0))
        )
        return Outcome.UNKNOWN

    def _look(self, operation: OperationId, looks: int, tries: int) -> Outcome:
        try:
            found = self._find(operation)
        except errors.SwitchboardError as error:
            return self._search_failed(operation, error, tries)
        if found is not None:
            return self._record(operation, found, Outcome.FOUND)
        pause = self._look_delay(looks + 1)
        self._operations.count_look(operation, looks=looks, next_look_at=self._now() + pause)
        self._send(LookForMarker(session_id=operation.session_id, draft_hash=operation.draft_hash), _seconds(pause))
        return Outcome.UNKNOWN

    def _search_failed(self, operation: OperationId, error: errors.SwitchboardError, tries: int) -> Outcome:
        # A look that failed is no look. Without one nothing may be created, so there is nothing to do but look again.
        self._logger.error("marker_search_failed", error, session_id=operation.session_id)
        if tries < self._policy.search_retries:
            pause = self._policy.retry_delays[min(tries, len(self._policy.retry_delays) - 1)]
            again = LookForMarker(session_id=operation.session_id, draft_hash=operation.draft_hash, tries=tries + 1)
            self._send(again, _seconds(pause))
            return Outcome.UNKNOWN
        return Outcome.STUCK

    def _give_up(self, operation: OperationId) -> Outcome:
        self._operations.give_up(
            operation,
            "Jira gave no clear answer, and no issue with the draft's label turned up; look for one before you try again",
            looks_needed=len(self._policy.look_delays),
        )
        self._show(operation)
        return Outcome.FAILED

    def _start(self, operation: OperationId, view: View, tries: int) -> Outcome:
        approval = view.approval
        if approval is None:  # next_step has seen to it
            raise errors.PermanentError("an issue needs an approval")
        owner = self._new_owner()
        asked_by = view.operation.retry_by if view.operation is not None else None
        claimed = self._operations.record_operation_start(
            operation,
            owner=owner,
            created_by=asked_by or approval.decided_by,
            approved_by=approval.decided_by,
            looks_needed=len(self._policy.look_delays),
        )
        if not claimed:
            return self._not_claimed(operation, tries)
        self._show(operation)
        try:
            # Rows expire and tables are restored; the marker stays. One search is cheap beside a second issue.
            found = self._find(operation)
        except errors.SwitchboardError as error:
            return self._nothing_happened(operation, error, owner, tries)
        if found is not None:
            return self._record(operation, found, Outcome.FOUND)
        return self._post(operation, view, owner, tries)

    def _post(self, operation: OperationId, view: View, owner: str, tries: int) -> Outcome:
        approval, draft = view.approval, view.draft
        if approval is None or draft is None:  # next_step has seen to it
            raise errors.PermanentError("an issue needs an approved draft")
        marker = trackers.marker_of(operation.session_id, operation.draft_hash)
        fields = trackers.issue_fields(draft.draft, marker, approval.decided_by, approval.at)
        if not self._operations.begin_post(operation, owner=owner, until=self._now() + self._policy.post_timeout):
            return self._not_claimed(operation, tries)
        try:
            jira_key = self._tracker.create_issue(fields, marker)
        except errors.AmbiguousError as error:
            self._operations.mark_unknown(operation, str(error), owner=owner, next_look_at=self._now() + self._look_delay(0))
            return self._unclear(operation)
        except errors.SwitchboardError as error:
            return self._nothing_happened(operation, error, owner, tries)
        return self._record(operation, jira_key, Outcome.CREATED)

    def _not_claimed(self, operation: OperationId, tries: int) -> Outcome:
        # Somebody else was faster. Look again at what came of it; rows that contradict each other must not do so for ever.
        if tries >= len(self._policy.retry_delays):
            raise errors.UnavailableError(f"could not claim the issue of session {operation.session_id}")
        self._create_later(operation, self._policy.retry_delays[tries], tries + 1)
        return Outcome.WAITING

    def _nothing_happened(self, operation: OperationId, error: errors.SwitchboardError, owner: str, tries: int) -> Outcome:
        if not isinstance(error, errors.PermanentError) and tries < len(self._policy.retry_delays):
            self._operations.release(operation, str(error), owner=owner)
            self._create_later(operation, self._policy.retry_delays[tries], tries + 1)
            return Outcome.WAITING
        self._operations.mark_failed(operation, str(error), owner=owner)
        self._show(operation)
        return Outcome.FAILED

    # What the steps share

    def _find(self, operation: OperationId) -> str | None:
        marker = trackers.marker_of(operation.session_id, operation.draft_hash)
        found = trackers.choose(self._tracker.find_by_marker(marker))
        return found.key if found is not None else None

    def _record(self, operation: OperationId, jira_key: str, outcome: Outcome) -> Outcome:
        standing = self._operations.mark_success(operation, jira_key)
        if standing != jira_key:
            self._logger.error(
                "second_issue_created", None, session_id=operation.session_id, issue_key=jira_key, stands=standing
            )
            outcome = Outcome.SECOND
        self._spread(operation, standing)
        return outcome

    def _spread(self, operation: OperationId, jira_key: str) -> None:
        """Let the rest of the world know of the issue. Each part may fail, and none repeats or undoes the issue."""
        self._show(operation)
        if trackers.is_dry(jira_key):
            return
        try:
            self._sync(jira_key)
        except errors.SwitchboardError as error:
            self._logger.error("issue_sync_failed", error, issue_key=jira_key)

    def _show(self, operation: OperationId) -> None:
        self._send(UpdatePreview(session_id=operation.session_id, draft_hash=operation.draft_hash), 0)

    def _create_later(self, operation: OperationId, pause: timedelta, tries: int) -> None:
        message = CreateIssue(session_id=operation.session_id, draft_hash=operation.draft_hash, tries=tries)
        self._send(message, _seconds(pause))

    def _look_delay(self, looks: int) -> timedelta:
        delays = self._policy.look_delays
        return delays[looks] if looks < len(delays) else timedelta(0)


def _seconds(pause: timedelta) -> int:
    """``pause`` in whole seconds, rounded up, within what the queue can hold a message back. A message that comes before
    its time waits again."""
    return min(max(0, -(-pause // timedelta(seconds=1))), MAX_DELAY_SECONDS)
