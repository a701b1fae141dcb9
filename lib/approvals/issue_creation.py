"""Creates one Jira issue for an approved draft: carries out what :mod:`lib.approvals.workflow` decides.

docs/adr/0041 lists the guarantees::

    claim ─► search ─► record "request is sent" ─► POST ─► record
               │                                    │
               └ found: record it                   ├ refused: failed, a person may retry
                                                    ├ nothing happened (429, no connection): release, retry later
                                                    └ unknown outcome ─► search ─► search ─► … ─► nothing found: claim …

A crash before "request is sent" leaves a claim that expires; a crash after it leaves an unknown outcome.
"""

import enum
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from lib.approvals import issue_tracker
from lib.approvals.issue_tracker import IssueTracker
from lib.approvals.messages import MAX_DELAY_SECONDS, CreateIssue, LookForMarker, Send, UpdatePreview
from lib.approvals.operations import JiraOperationStore, OperationId
from lib.approvals.repository import ApprovalStore
from lib.approvals.workflow import (
    AlreadyCreated,
    AwaitApproval,
    GiveUp,
    OutcomeUnknown,
    Policy,
    Refusal,
    Refuse,
    Search,
    Start,
    Step,
    Wait,
    next_step,
)
from lib.platform import clock, errors, log


class Outcome(enum.Enum):
    """The result of processing a message."""

    CREATED = "created"
    FOUND = "found"
    SECOND = "second"
    """A duplicate issue: a person has to close it."""
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    STUCK = "stuck"
    """Jira's search failed too often: a person has to request another one."""
    WAITING = "waiting"


class IssueCreator:
    """Carries out what :func:`lib.approvals.workflow.next_step` decides.

    Args:
        store: sessions, drafts and approvals.
        operations: claims and outcomes.
        tracker: Jira.
        sync: stores a created issue in JiraIssues, by its key. It may fail: the issue's webhook arrives, too.
        send: queues a message.
        logger: of the function.
        policy: times and limits.
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
        """Take the next step for the draft's issue, and queue the messages for the steps after it.

        Raises:
            SwitchboardError: the table or the queue can't be reached. The message must be received again.
        """
        operation = OperationId(message.session_id, message.draft_hash)
        view = self._store.read(message.session_id, message.draft_hash)
        step = next_step(view, self._now(), self._policy)
        outcome = self._do(step, operation, message.tries)
        self._logger.info(
            "issue_creation",
            session_id=message.session_id,
            draft_hash=message.draft_hash,
            marker=issue_tracker.marker_of(message.session_id, message.draft_hash).label,
            step=type(step).__name__,
            outcome=outcome.value,
        )
        return outcome

    def _do(self, step: Step, operation: OperationId, tries: int) -> Outcome:  # noqa: PLR0911 - one per step
        match step:
            case AwaitApproval():
                return self._await_approval(operation, tries)
            case Refuse(refusal):
                self._logger.warning("issue_refused", session_id=operation.session_id, reason=refusal.value)
                self._update_preview(operation)
                return Outcome.REFUSED
            case AlreadyCreated(jira_key):
                self._publish(operation, jira_key)
                return Outcome.DUPLICATE
            case Wait(until):
                return self._wait(operation, until)
            case OutcomeUnknown():
                return self._outcome_unknown(operation, "the attempt ended without an outcome", owner=None)
            case Search(looks):
                return self._search(operation, looks, tries)
            case GiveUp():
                return self._give_up(operation)
            case Start():
                return self._start(operation, step, tries)

    # One method per step

    def _await_approval(self, operation: OperationId, tries: int) -> Outcome:
        if tries >= len(self._policy.approval_delays):
            self._logger.warning("issue_refused", session_id=operation.session_id, reason=Refusal.NOT_APPROVED.value)
            return Outcome.REFUSED
        self._later(CreateIssue, operation, self._policy.approval_delays[tries], tries + 1)
        return Outcome.WAITING

    def _wait(self, operation: OperationId, until: datetime) -> Outcome:
        # If the owner of the claim crashes, this message continues its work.
        self._later(CreateIssue, operation, until - self._now() + timedelta(seconds=1), 0)
        return Outcome.WAITING

    def _outcome_unknown(self, operation: OperationId, error: str, *, owner: str | None) -> Outcome:
        pause = self._look_delay(0)
        self._operations.mark_unknown(operation, error, owner=owner, next_look_at=self._now() + pause)
        self._update_preview(operation)
        self._later(LookForMarker, operation, pause)
        return Outcome.UNKNOWN

    def _search(self, operation: OperationId, looks: int, tries: int) -> Outcome:
        try:
            found = self._find(operation)
        except errors.SwitchboardError as error:
            return self._search_failed(operation, error, tries)
        if found is not None:
            return self._record(operation, found, Outcome.FOUND)
        pause = self._look_delay(looks + 1)
        self._operations.count_look(operation, looks=looks, next_look_at=self._now() + pause)
        self._later(LookForMarker, operation, pause)
        return Outcome.UNKNOWN

    def _search_failed(self, operation: OperationId, error: errors.SwitchboardError, tries: int) -> Outcome:
        # A failed search does not count, and without one nothing may be created: search again.
        self._logger.error("marker_search_failed", error, session_id=operation.session_id)
        if tries >= self._policy.search_retries:
            return Outcome.STUCK
        delays = self._policy.retry_delays
        self._later(LookForMarker, operation, delays[min(tries, len(delays) - 1)], tries + 1)
        return Outcome.UNKNOWN

    def _give_up(self, operation: OperationId) -> Outcome:
        self._operations.give_up(
            operation,
            "Jira gave no clear answer, and no issue with the draft's label was found; search for one before you retry",
            looks_needed=len(self._policy.look_delays),
        )
        self._update_preview(operation)
        return Outcome.FAILED

    def _start(self, operation: OperationId, start: Start, tries: int) -> Outcome:
        owner = self._new_owner()
        claimed = self._operations.record_operation_start(
            operation,
            owner=owner,
            created_by=start.created_by,
            approved_by=start.approval.decided_by,
            looks_needed=len(self._policy.look_delays),
        )
        if not claimed:
            return self._not_claimed(operation, tries)
        self._update_preview(operation)
        try:
            # Rows expire and tables are restored; the marker remains. One search costs less than a duplicate issue.
            found = self._find(operation)
        except errors.SwitchboardError as error:
            return self._nothing_happened(operation, error, owner, tries)
        if found is not None:
            return self._record(operation, found, Outcome.FOUND)
        return self._post(operation, start, owner, tries)

    def _post(self, operation: OperationId, start: Start, owner: str, tries: int) -> Outcome:
        marker = issue_tracker.marker_of(operation.session_id, operation.draft_hash)
        fields = issue_tracker.issue_fields(start.draft, marker, start.approval)
        if not self._operations.begin_post(operation, owner=owner, until=self._now() + self._policy.post_timeout):
            return self._not_claimed(operation, tries)
        try:
            jira_key = self._tracker.create_issue(fields, marker)
        except errors.AmbiguousError as error:
            return self._outcome_unknown(operation, str(error), owner=owner)
        except errors.SwitchboardError as error:
            return self._nothing_happened(operation, error, owner, tries)
        return self._record(operation, jira_key, Outcome.CREATED)

    def _not_claimed(self, operation: OperationId, tries: int) -> Outcome:
        # Another attempt was faster: check its result later, but not forever, should the rows contradict each other.
        if tries >= len(self._policy.retry_delays):
            raise errors.UnavailableError(f"could not claim the issue of session {operation.session_id}")
        self._later(CreateIssue, operation, self._policy.retry_delays[tries], tries + 1)
        return Outcome.WAITING

    def _nothing_happened(self, operation: OperationId, error: errors.SwitchboardError, owner: str, tries: int) -> Outcome:
        if not isinstance(error, errors.PermanentError) and tries < len(self._policy.retry_delays):
            self._operations.release(operation, str(error), owner=owner)
            self._later(CreateIssue, operation, self._policy.retry_delays[tries], tries + 1)
            return Outcome.WAITING
        self._operations.mark_failed(operation, str(error), owner=owner)
        self._update_preview(operation)
        return Outcome.FAILED

    # Used by several steps

    def _find(self, operation: OperationId) -> str | None:
        marker = issue_tracker.marker_of(operation.session_id, operation.draft_hash)
        found = issue_tracker.choose(self._tracker.find_by_marker(marker))
        return found.key if found is not None else None

    def _record(self, operation: OperationId, jira_key: str, outcome: Outcome) -> Outcome:
        recorded = self._operations.mark_success(operation, jira_key)
        if recorded != jira_key:
            self._logger.error(
                "second_issue_created", None, session_id=operation.session_id, issue_key=jira_key, recorded_key=recorded
            )
            outcome = Outcome.SECOND
        self._publish(operation, recorded)
        return outcome

    def _publish(self, operation: OperationId, jira_key: str) -> None:
        """Update the preview and JiraIssues. Either may fail; that neither repeats nor undoes the issue."""
        self._update_preview(operation)
        if issue_tracker.is_dry(jira_key):
            return
        try:
            self._sync(jira_key)
        except errors.SwitchboardError as error:
            self._logger.error("issue_sync_failed", error, issue_key=jira_key)

    def _update_preview(self, operation: OperationId) -> None:
        self._send(UpdatePreview(session_id=operation.session_id, draft_hash=operation.draft_hash), 0)

    def _later(self, kind: type[CreateIssue | LookForMarker], operation: OperationId, pause: timedelta, tries: int = 0) -> None:
        message = kind(session_id=operation.session_id, draft_hash=operation.draft_hash, tries=tries)
        self._send(message, _seconds(pause))

    def _look_delay(self, looks: int) -> timedelta:
        delays = self._policy.look_delays
        return delays[looks] if looks < len(delays) else timedelta(0)


def _seconds(pause: timedelta) -> int:
    """``pause`` in whole seconds, rounded up, at most the queue's limit. A message that arrives too early waits again."""
    return min(max(0, -(-pause // timedelta(seconds=1))), MAX_DELAY_SECONDS)
