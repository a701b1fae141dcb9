"""``operations retry``: retries an issue that was not created, or a preview that was not posted.

It skips no check and creates nothing: it makes a failed operation claimable again and wakes the worker, which searches for
the marker before it creates an issue.
"""

from lib.approvals.drafts import SLACK_USER_ID
from lib.approvals.messages import CreateIssue, PostPreview, Send
from lib.approvals.operations import JiraOperationStore, OperationId
from lib.approvals.records import SessionState
from lib.approvals.repository import ApprovalStore
from lib.platform import errors

_NOTHING_TO_RETRY = {
    SessionState.PREVIEW: "nobody has approved its draft",
    SessionState.REJECTED: "its draft was rejected",
    SessionState.EXPIRED: "its draft has expired",
}


def retry_session(
    session_id: str, by: str, *, store: ApprovalStore, operations: JiraOperationStore, send: Send
) -> SessionState:
    """Retry the issue of the session's current draft, in the name of ``by``, or its preview. Returns the session's state.

    Raises:
        NotFoundError: there is no such session.
        InvalidInputError: there is nothing to retry, or ``by`` is not a Slack user ID.
        SwitchboardError: the table or the queue can't be reached.
    """
    if not SLACK_USER_ID.fullmatch(by):
        raise errors.InvalidInputError(f"{by[:60]!a} is not a Slack user ID like U0123456789")
    view = store.read_current(session_id)
    if view is None or view.session is None:
        raise errors.NotFoundError(f"there is no session {session_id[:200]!a}")
    state = view.session.state
    operation = OperationId(session_id, view.draft_hash)
    created = operations.was_already_created(operation)
    reason = f"its issue {created} exists" if created else _NOTHING_TO_RETRY.get(state)
    if reason:
        raise errors.InvalidInputError(f"session {session_id} has nothing to retry: {reason}")
    if state is SessionState.FAILED and view.approval is None:
        send(PostPreview(session_id=session_id, draft_hash=view.draft_hash), 0)
        return state
    if state is SessionState.FAILED:
        operations.request_retry(operation, by)
    send(CreateIssue(session_id=session_id, draft_hash=view.draft_hash), 0)
    return state
