"""The next step follows from the rows, and the checks have a fixed order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lib.approvals.records import Approval, Operation, OperationStatus, Session, SessionState, StoredDraft, View
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
    Wait,
    next_step,
)
from tests.support.approvals.builders import NOON, make_draft

HASH = "a" * 64
POLICY = Policy(look_delays=(timedelta(seconds=10), timedelta(minutes=1)), max_posts=2)
LATER, EARLIER = NOON + timedelta(seconds=1), NOON - timedelta(seconds=1)


def view(operation: Operation | None = None, *, approved: bool | None = True, current: str = HASH) -> View:
    approval = None if approved is None else Approval(draft_hash=HASH, approved=approved, decided_by="U0ANN", at=NOON)
    return View(
        session_id="sess-1",
        draft_hash=HASH,
        session=Session(session_id="sess-1", draft_hash=current, state=SessionState.APPROVED, updated_at=NOON),
        draft=StoredDraft(draft=make_draft(), draft_hash=HASH),
        approval=approval,
        operation=operation,
    )


def start(by: str = "U0ANN") -> Start:
    approval = view().approval
    assert approval is not None
    return Start(make_draft(), approval, by)


def operation(status: OperationStatus, **given) -> Operation:
    return Operation(session_id="sess-1", draft_hash=HASH, name="create_issue", status=status, **given)


DONE = operation(OperationStatus.DONE, jira_key="PROJ-1")
FAILED = operation(OperationStatus.FAILED)
PENDING = operation(OperationStatus.PENDING, claim_owner="one", claim_expires_at=LATER)
UNKNOWN = operation(OperationStatus.UNKNOWN, next_look_at=NOON, posts=1)


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        # The approval comes first: whatever the other rows say.
        (view(DONE, approved=None, current="b" * 64), AwaitApproval()),
        (view(DONE, approved=False, current="b" * 64), Refuse(Refusal.REJECTED)),
        # Then the hash.
        (view(DONE, current="b" * 64), Refuse(Refusal.CHANGED)),
        (replace(view(), session=None), Refuse(Refusal.CHANGED)),
        (replace(view(), draft=None), Refuse(Refusal.CHANGED)),
        # Then whether there is an issue.
        (view(DONE), AlreadyCreated("PROJ-1")),
        # Then the claim.
        (view(), start()),
        (view(PENDING), Wait(LATER)),
        (view(replace(PENDING, claim_expires_at=NOON)), start()),
        (view(replace(PENDING, claim_expires_at=NOON, posted_at=EARLIER)), OutcomeUnknown()),
        (view(FAILED), Refuse(Refusal.FAILED)),
        (view(replace(FAILED, retry_by="ops")), start("ops")),
        # An unclear outcome is looked into before anything else may happen.
        (view(UNKNOWN), Search(0)),
        (view(replace(UNKNOWN, next_look_at=LATER)), Wait(LATER)),
        (view(replace(UNKNOWN, looks=1)), Search(1)),
        (view(replace(UNKNOWN, looks=2)), start()),
        (view(replace(UNKNOWN, looks=2, posts=2)), GiveUp()),
    ],
)
def test_the_next_step(seen, step) -> None:
    assert next_step(seen, NOON, POLICY) == step


def test_the_times_are_those_of_adr_41() -> None:
    seconds = {
        name: [delay.total_seconds() for delay in getattr(Policy(), name)]
        for name in ("look_delays", "retry_delays", "approval_delays")
    }
    assert seconds == {"look_delays": [10, 60, 300, 900], "retry_delays": [10, 60, 300, 900], "approval_delays": [5, 30]}
    assert (Policy().post_timeout, Policy().max_posts, Policy().search_retries) == (timedelta(seconds=30), 2, 96)
