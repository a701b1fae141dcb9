"""Accepts drafts and clicks, answers at once, and leaves everything slow to the worker's queue.

A click's message is queued before the decision is recorded. In the other order, a crash between the two would leave an
approval that nobody acts on; in this order it leaves a message that finds no approval and does nothing. The worker waits for
an approval longer than this function can take to write it. It does not wait for a rejection, so a second message follows
the write: the first may have been processed before it.

A click on Retry, which the preview has while its issue could not be created, does what ``operations retry`` does: it makes the
failed operation claimable once more, in the name of who clicked, and wakes the worker, which searches for the marker before it
creates an issue. If the message is lost, the operation is still failed, and another click sends it again.
"""

from datetime import timedelta
from typing import Any

from lib.approvals import preview_pages, records, wording
from lib.approvals.drafts import Draft
from lib.approvals.interactions import Decision, Verb
from lib.approvals.messages import AnswerClick, CreateIssue, PostPreview, Send, UpdatePreview, sender
from lib.approvals.operations import JiraOperationStore, OperationId
from lib.approvals.records import Approval, SessionState, View
from lib.approvals.repository import ApprovalStore, Submitted, make_table
from lib.approvals.rules import Rules
from lib.approvals.wording import Verdict
from lib.platform import clock, errors
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.queues import Queue

RECORDING_SECONDS = 1
"""The delay of a click's message, so that it usually finds the decision recorded."""

TRY_AGAIN_WITHIN_SECONDS = 1.0
"""A write with an unknown outcome is repeated only within this time. Slack waits 3 s for the answer, and another try may take
most of the other 2 s: a read, a message, and up to four writes with half a second of waiting."""

_TRIES = 3


def judge(view: View, decision: Decision, rules: Rules) -> Verdict | None:
    """Why the click does not count; None if it does."""
    is_retry = decision.verb is Verb.RETRY
    if view.session is None or view.draft is None:
        return Verdict.NOT_KNOWN
    if not view.is_current:
        return Verdict.CHANGED
    if view.approval is not None and not is_retry:
        return Verdict.DECIDED
    if records.preview_name(decision.channel, decision.message_ts) not in view.draft.previews:
        return Verdict.NOT_A_PREVIEW
    refused = _judge_person(decision, view.draft.draft.requested_by, rules)
    return Verdict.NOTHING_TO_RETRY if refused is None and is_retry and not view.can_retry else refused


def _judge_person(decision: Decision, requested_by: str, rules: Rules) -> Verdict | None:
    """Why this person's click does not count. The requester may retry: the approval remains valid."""
    if rules.approvers and decision.user not in rules.approvers:
        return Verdict.NOT_ALLOWED
    is_own = decision.user == requested_by and decision.verb is Verb.APPROVE
    return Verdict.OWN if is_own and rules.require_other_approver else None


def make_service(environment: ApprovalsEnvironment, *, dynamodb: Any, sqs: Any) -> "ApprovalService":
    """The service of a function with this environment and these AWS clients."""
    table = make_table(dynamodb, environment.operations_table_name)
    return ApprovalService(
        store=ApprovalStore(table),
        operations=JiraOperationStore(table, lease=timedelta(0)),  # nothing is claimed here
        send=sender(Queue(sqs, environment.approval_queue_url)),
        rules=Rules.of(environment),
        jira_base_url=environment.jira_base_url,
    )


class ApprovalService:
    """Accepts drafts and clicks.

    Args:
        store: sessions, drafts and decisions.
        operations: the failed operations, which may be retried.
        send: queues a message.
        rules: who may decide on what, and retry.
        jira_base_url: where people see issues; may be empty.
        now: the clock.
        monotonic: measures the duration of a try.
    """

    def __init__(
        self,
        *,
        store: ApprovalStore,
        operations: JiraOperationStore,
        send: Send,
        rules: Rules,
        jira_base_url: str = "",
        now: clock.Clock = clock.utc_now,
        monotonic: clock.Monotonic = clock.monotonic,
    ) -> None:
        self._store = store
        self._operations = operations
        self._send = send
        self._rules = rules
        self._jira_base_url = jira_base_url
        self._now = now
        self._monotonic = monotonic

    def submit(self, draft: Draft) -> Submitted:
        """Make ``draft`` its session's current one, and have its preview posted. The same draft again has the same preview.

        Raises:
            InvalidInputError: the project is not allowed, the draft is too long to be shown, or the issue of the session's
                current draft is being created.
            SwitchboardError: the table or the queue can't be reached. Submit again: it repairs what is missing.
        """
        if self._rules.projects and draft.project not in self._rules.projects:
            raise errors.InvalidInputError(f"project must be one of {', '.join(sorted(self._rules.projects))}")
        preview_pages.check(draft)
        submitted = self._store.submit(draft)
        again = submitted.state is SessionState.CREATED
        self._send(PostPreview(session_id=draft.session_id, draft_hash=submitted.draft_hash, again=again), 0)
        if submitted.replaced is not None:
            self._send(UpdatePreview(session_id=draft.session_id, draft_hash=submitted.replaced), 0)
        return submitted

    def decide(self, decision: Decision) -> Verdict:
        """Record a click if it counts, and queue the answer to the person.

        Raises:
            SwitchboardError: the table or the queue can't be reached. The decision may not be recorded: the person must click
                again.
        """
        is_retry = decision.verb is Verb.RETRY
        verdict, view = self._retry(decision) if is_retry else self._decide(decision)
        # A preview with a button that no longer counts has missed an update.
        rejected = verdict is Verdict.RECORDED and decision.verb is Verb.REJECT
        if rejected or verdict in {Verdict.DECIDED, Verdict.CHANGED, Verdict.NOTHING_TO_RETRY}:
            self._send(UpdatePreview(session_id=decision.session_id, draft_hash=decision.draft_hash), 0)
        if verdict is Verdict.CHANGED and view.session is not None and not is_retry:
            self._send(PostPreview(session_id=decision.session_id, draft_hash=view.session.draft_hash), 0)
        answer = AnswerClick(
            session_id=decision.session_id,
            draft_hash=decision.draft_hash,
            user=decision.user,
            channel=decision.channel,
            response_url=decision.response_url or "",
            text=wording.answer(verdict, decision, view, self._jira_base_url),
        )
        self._send(answer, 0)
        return verdict

    def _retry(self, decision: Decision) -> tuple[Verdict, View]:
        view = self._store.read(decision.session_id, decision.draft_hash)
        verdict = judge(view, decision, self._rules)
        if verdict is not None:
            return verdict, view
        if not self._operations.request_retry(OperationId(decision.session_id, decision.draft_hash), decision.user):
            return Verdict.NOTHING_TO_RETRY, self._store.read(decision.session_id, decision.draft_hash)
        self._send(CreateIssue(session_id=decision.session_id, draft_hash=decision.draft_hash), 0)
        return Verdict.RECORDED, view

    def _decide(self, decision: Decision) -> tuple[Verdict, View]:
        approved = decision.verb is Verb.APPROVE
        mine = Approval(
            draft_hash=decision.draft_hash,
            approved=approved,
            decided_by=decision.user,
            at=self._now(),
            reason=decision.reason,
        )
        started = self._monotonic()
        for attempt in range(_TRIES):
            if self._monotonic() - started > TRY_AGAIN_WITHIN_SECONDS:
                break
            view = self._store.read(decision.session_id, decision.draft_hash)
            if attempt > 0 and view.approval == mine:
                return Verdict.RECORDED, view  # the answer to our own write was lost
            verdict = judge(view, decision, self._rules)
            if verdict is not None:
                return verdict, view
            self._queue_work(decision)
            try:
                if self._store.record_decision(decision.session_id, mine):
                    return Verdict.RECORDED, view
            except errors.AmbiguousError:
                continue
        raise errors.UnavailableError(f"session {decision.session_id} could not be written")

    def _queue_work(self, decision: Decision) -> None:
        work = CreateIssue if decision.verb is Verb.APPROVE else UpdatePreview
        self._send(work(session_id=decision.session_id, draft_hash=decision.draft_hash), RECORDING_SECONDS)
