"""What to do next about a draft, from what the table knows of it: a pure decision, and the times and bounds it goes by.

The checks come in this order: the approval is there and is a yes; the hash is the session's current one; there is no issue
yet; the claim is free.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from lib.approvals.records import Operation, OperationStatus, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Times and bounds of creating an issue. docs/adr/0041 gives the reasons.

    Attributes:
        post_timeout: the longest that one request to create can take; the claim must still hold then.
        look_delays: how long after an unclear outcome to look for the marker, each counted from the look before. Jira's
            search lags by seconds, at times by minutes; all of them together are the lag that is allowed for.
        max_posts: how many requests to create may go out without a person asking for another.
        retry_delays: how long to wait when nothing could be done, each time again.
        approval_delays: how long to wait for an approval that is still being written.
        search_retries: how often a search that fails is tried again before it is left to a person.
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
    REJECTED = "the draft was rejected"
    CHANGED = "the draft has changed since it was approved"
    FAILED = "it failed before, and nobody has asked to try again"


@dataclass(frozen=True, slots=True)
class AwaitApproval:
    """The approval may be on its way: the message is sent before it is recorded."""


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
    """Another attempt has the claim, or it is too soon to look."""

    until: datetime


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """A claim ran out after its request went out."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look for the marker; ``looks`` have found nothing."""

    looks: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """All looks found nothing, and no more requests may go out by themselves."""


@dataclass(frozen=True, slots=True)
class Start:
    """Claim, and create."""


Step = AwaitApproval | Refuse | AlreadyCreated | Wait | OutcomeUnknown | Look | GiveUp | Start


def next_step(view: View, now: datetime, policy: Policy) -> Step:
    """What to do about a draft, given what the table knows of it."""
    if view.approval is None:
        return AwaitApproval()
    if not view.approval.approved:
        return Refuse(Refusal.REJECTED)
    if not view.is_current or view.draft is None:
        return Refuse(Refusal.CHANGED)
    return Start() if view.operation is None else _go_on(view.operation, now, policy)


def _go_on(operation: Operation, now: datetime, policy: Policy) -> Step:
    if operation.status is OperationStatus.DONE:
        return AlreadyCreated(operation.jira_key or "")
    if operation.status is OperationStatus.FAILED:
        return Start() if operation.retry_by else Refuse(Refusal.FAILED)
    if operation.status is OperationStatus.UNKNOWN:
        return _after_unclear(operation, now, policy)
    if operation.claim_expires_at is not None and operation.claim_expires_at > now:
        return Wait(operation.claim_expires_at)
    return OutcomeUnknown() if operation.posted_at is not None else Start()


def _after_unclear(operation: Operation, now: datetime, policy: Policy) -> Step:
    if operation.looks >= len(policy.look_delays):
        return Start() if operation.posts < policy.max_posts else GiveUp()
    if operation.next_look_at is not None and operation.next_look_at > now:
        return Wait(operation.next_look_at)
    return Look(operation.looks)
