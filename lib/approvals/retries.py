"""Accepts a click on Retry, which the preview has while its issue could not be created.

It does what ``operations retry`` does and no more: it makes the failed operation claimable once more, in the name of who
clicked, and wakes the worker, which searches for the marker before it creates an issue. If the message is lost, the operation
is still failed, and another click sends it again.
"""

from datetime import timedelta
from typing import Any

from lib.approvals import records
from lib.approvals.interactions import Decision
from lib.approvals.messages import CreateIssue, Send, UpdatePreview, sender
from lib.approvals.operations import JiraOperationStore, OperationId
from lib.approvals.records import View
from lib.approvals.repository import ApprovalStore, make_table
from lib.approvals.rules import Rules
from lib.approvals.service import answer_click
from lib.approvals.wording import Verdict
from lib.platform.environment.approvals import ApprovalsEnvironment
from lib.platform.queues import Queue


def judge_retry(view: View, click: Decision, rules: Rules) -> Verdict | None:
    """Why the click does not count; None if it does. The approval is valid still, so who requested the draft may retry it."""
    if view.session is None or view.draft is None:
        return Verdict.NOT_KNOWN
    if not view.is_current:
        return Verdict.CHANGED
    if records.preview_name(click.channel, click.message_ts) not in view.draft.previews:
        return Verdict.NOT_A_PREVIEW
    if rules.approvers and click.user not in rules.approvers:
        return Verdict.NOT_ALLOWED
    return None if view.can_retry else Verdict.NOTHING_TO_RETRY


def make_retries(environment: ApprovalsEnvironment, *, dynamodb: Any, sqs: Any) -> "IssueRetries":
    """The retries of a function with this environment and these AWS clients."""
    table = make_table(dynamodb, environment.operations_table_name)
    return IssueRetries(
        store=ApprovalStore(table),
        operations=JiraOperationStore(table, lease=timedelta(0)),  # nothing is claimed here
        send=sender(Queue(sqs, environment.approval_queue_url)),
        rules=Rules.of(environment),
        jira_base_url=environment.jira_base_url,
    )


class IssueRetries:
    """Accepts clicks on Retry.

    Args:
        store: sessions, drafts and decisions.
        operations: the failed operations.
        send: queues a message.
        rules: who may retry: the approvers.
        jira_base_url: where people see issues; may be empty.
    """

    def __init__(
        self, *, store: ApprovalStore, operations: JiraOperationStore, send: Send, rules: Rules, jira_base_url: str = ""
    ) -> None:
        self._store = store
        self._operations = operations
        self._send = send
        self._rules = rules
        self._jira_base_url = jira_base_url

    def retry(self, click: Decision) -> Verdict:
        """Have the draft's issue created again if that has failed, and queue the answer to the person.

        Raises:
            SwitchboardError: the table or the queue can't be reached. The person must click again.
        """
        view = self._store.read(click.session_id, click.draft_hash)
        verdict = judge_retry(view, click, self._rules)
        if verdict is None:
            operation = OperationId(click.session_id, click.draft_hash)
            verdict = Verdict.RECORDED
            if not self._operations.request_retry(operation, click.user):
                verdict, view = Verdict.NOTHING_TO_RETRY, self._store.read(click.session_id, click.draft_hash)
        work = {Verdict.RECORDED: CreateIssue, Verdict.NOTHING_TO_RETRY: UpdatePreview, Verdict.CHANGED: UpdatePreview}
        if verdict in work:  # a preview with a button that no longer counts has missed an update
            self._send(work[verdict](session_id=click.session_id, draft_hash=click.draft_hash), 0)
        answer_click(self._send, click, verdict, view, self._jira_base_url)
        return verdict
