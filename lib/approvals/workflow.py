"""The next step for a draft, decided from its rows alone; and the times and limits for it.

The checks are in this order: the draft is approved; it is the session's current one; its issue does not exist yet; the claim is
free.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from lib.approvals.drafts import Draft
from lib.approvals.records import Approval, Operation, OperationStatus, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Times and limits of creating an issue. docs/adr/0041 gives the reasons.

    Attributes:
        post_timeout: the longest that one request to create can take; the claim must hold until then.
        look_delays: when to search for the marker after an unknown outcome, each counted from the search before. Jira's search
            lags by seconds, sometimes by minutes; the sum of the delays is the longest lag that is allowed for.
        max_posts: how many requests to create may be sent without a person's request.
        retry_delays: how long to wait after each attempt that could do nothing.
        approval_delays: how long to wait for an approval that is still being written.
        search_retries: how often a failed search is repeated before a person has to act.
    """

    post_timeout: timedelta = timedelta(seconds=30)
    look_delays: tuple[timedelta, ...] = (
        timedelta(seconds=10),
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=15),
    )
    max_posts: int = 2
    retry_delays: tuple[timedelta, ...] = (
        timedelta(seconds=10),
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=15),
    )
    approval_delays: tuple[timedelta, ...] = (timedelta(seconds=5), timedelta(seconds=30))
    search_retries: int = 96


class Refusal(enum.Enum):
    """Why no issue may be created."""

    NOT_APPROVED = "nobody has approved the draft"
    REJECTED = "the draft was rejected or has expired"
    CHANGED = "the draft has changed since it was approved"
    FAILED = "it failed before, and nobody has requested a retry"


@dataclass(frozen=True, slots=True)
class AwaitApproval:
    """The approval may not be recorded yet: the message is sent first."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """No issue may be created."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class AlreadyCreated:
    """The issue exists and is recorded."""

    jira_key: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Another attempt has the claim, or it is too early to search."""

    until: datetime


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """A claim expired after its request was sent: the issue may exist."""


@dataclass(frozen=True, slots=True)
class Search:
    """Search for the marker; ``looks`` searches have found nothing."""

    looks: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """All searches found nothing, and no more requests may be sent without a person's request."""


@dataclass(frozen=True, slots=True)
class Start:
    """Claim, and create. ``created_by`` is the approver, or the person who requested a retry."""

    draft: Draft
    approval: Approval
    created_by: str


Step = AwaitApproval | Refuse | AlreadyCreated | Wait | OutcomeUnknown | Search | GiveUp | Start


def next_step(view: View, now: datetime, policy: Policy) -> Step:
    """The next step for a draft with these rows."""
    if view.approval is None:
        return AwaitApproval()
    if not view.approval.approved:
        return Refuse(Refusal.REJECTED)
    if not view.is_current or view.draft is None:
        return Refuse(Refusal.CHANGED)
    by = view.operation.retry_by if view.operation is not None else None
    start = Start(view.draft.draft, view.approval, by or view.approval.decided_by)
    return start if view.operation is None else _continue(view.operation, start, now, policy)


def _continue(operation: Operation, start: Start, now: datetime, policy: Policy) -> Step:
    if operation.status is OperationStatus.DONE:
        return AlreadyCreated(operation.jira_key or "")
    if operation.status is OperationStatus.FAILED:
        return start if operation.retry_by else Refuse(Refusal.FAILED)
    if operation.status is OperationStatus.UNKNOWN:
        return _search_or_start(operation, start, now, policy)
    if operation.claim_expires_at is not None and operation.claim_expires_at > now:
        return Wait(operation.claim_expires_at)
    return OutcomeUnknown() if operation.posted_at is not None else start


def _search_or_start(operation: Operation, start: Start, now: datetime, policy: Policy) -> Step:
    if operation.looks >= len(policy.look_delays):
        return start if operation.posts < policy.max_posts else GiveUp()
    if operation.next_look_at is not None and operation.next_look_at > now:
        return Wait(operation.next_look_at)
    return Search(operation.looks)
