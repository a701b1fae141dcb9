"""Sessions, drafts and decisions: the same draft is one draft, the first decision wins, and only on the current draft."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lib.approvals import records
from lib.approvals.records import KEEP, SessionState
from lib.approvals.repository import ApprovalStore
from lib.platform import clock, errors
from lib.platform.claims import Claims
from lib.platform.dynamodb import ContendedError, Table
from tests.support.approvals.builders import NOON, make_draft
from tests.support.approvals.stores import Stores
from tests.support.aws.wire import aws_error
from tests.support.present import present


def test_a_submitted_draft_becomes_the_current_one(stores: Stores) -> None:
    draft, of_hash = stores.submitted()

    view = stores.approvals.read("sess-1", of_hash)

    assert view.is_current
    assert present(view.session).state is SessionState.PREVIEW
    assert present(present(view).draft).draft == draft
    assert (view.approval, view.operation) == (None, None)


def test_the_same_draft_again_changes_nothing(stores: Stores) -> None:
    draft, of_hash = stores.submitted()
    before = stores.row("SESSION"), stores.row(f"DRAFT#{of_hash}")
    stores.advance(hours=1)

    again = stores.approvals.submit(draft)

    assert (again.draft_hash, again.state) == (of_hash, SessionState.PREVIEW)
    assert (stores.row("SESSION"), stores.row(f"DRAFT#{of_hash}")) == before


def test_another_draft_replaces_the_current_one_and_names_it(stores: Stores) -> None:
    _, first = stores.submitted()

    second = stores.approvals.submit(make_draft(title="Another"))

    assert second.replaced == first
    assert not stores.approvals.read("sess-1", first).is_current
    assert stores.approvals.submit(make_draft(title="Another")).replaced == first  # so that a lost answer can be made good


def test_sessions_are_listed_by_state_oldest_change_first(stores: Stores) -> None:
    for name in ("late", "early", "approved"):
        stores.submitted(session_id=name)
        stores.advance(minutes=-1)
    approved = stores.approved(session_id="approved")
    stores.start(approved)
    stores.operations.mark_success(approved, "PROJ-7")

    waiting = list(stores.approvals.sessions_in(SessionState.PREVIEW))
    [created] = stores.approvals.sessions_in(SessionState.CREATED)

    assert [session.session_id for session in waiting] == ["early", "late"]
    assert (created.session_id, created.jira_key) == ("approved", "PROJ-7")
    assert list(stores.approvals.sessions_in(SessionState.FAILED)) == []


def test_every_row_expires_long_after_it_changed(stores: Stores) -> None:
    operation = stores.approved()
    stores.start(operation)
    for key in ("SESSION", f"DRAFT#{operation.draft_hash}", f"APPROVAL#{operation.draft_hash}", operation.key):
        assert int(stores.row(key)["expires_at"]) == clock.epoch_s(NOON + KEEP)


@pytest.mark.parametrize(
    ("approved", "state", "decider"), [(True, "approved", "approved_by"), (False, "rejected", "rejected_by")]
)
def test_a_decision_has_a_person_and_a_time_and_moves_the_session(
    stores: Stores, approved: bool, state: str, decider: str
) -> None:
    _, of_hash = stores.submitted()

    assert stores.decide(of_hash, approved=approved)

    row = stores.row(f"APPROVAL#{of_hash}")
    assert (row["status"], row[decider], row["at"]) == (state, "U0ANN", clock.canonical(NOON))
    assert stores.row("SESSION")["state"] == state


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_the_first_decision_wins_whatever_the_second_is(stores: Stores, first: bool, second: bool) -> None:
    _, of_hash = stores.submitted()
    assert stores.decide(of_hash, approved=first, by="U0ANN")

    assert not stores.decide(of_hash, approved=second, by="U0BOB")

    approval = stores.approvals.read("sess-1", of_hash).approval
    assert (present(approval).approved, present(approval).decided_by) == (first, "U0ANN")


def test_a_decision_on_a_draft_that_has_changed_is_not_recorded(stores: Stores) -> None:
    _, first = stores.submitted()
    _, second = stores.submitted(title="Another")

    assert not stores.decide(first)

    assert stores.approvals.read("sess-1", first).approval is None
    assert present(stores.approvals.read("sess-1", second).session).state is SessionState.PREVIEW


def test_a_decision_on_a_missing_session_is_not_recorded(stores: Stores) -> None:
    assert not stores.decide("0" * 64, session_id="nobody")
    assert stores.row("SESSION", "nobody") == {}


@pytest.mark.parametrize("far", ["approved", "creating", "unknown"])
def test_a_draft_whose_issue_is_being_created_cant_be_replaced(stores: Stores, far: str) -> None:
    operation = stores.approved()
    if far != "approved":
        stores.start(operation)
    if far == "unknown":
        stores.operations.mark_unknown(operation, "no answer", owner="one", next_look_at=stores.time)
    assert stores.row("SESSION")["state"] == far

    with pytest.raises(errors.InvalidInputError, match="is being created"):
        stores.approvals.submit(make_draft(title="Another"))

    assert stores.approvals.submit(make_draft()).state.value == far


def test_a_draft_that_is_approved_during_a_submission_is_not_replaced(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    _, of_hash = stores.submitted()
    read = stores.approvals.read

    def read_and_approve(*given: Any) -> Any:
        view = read(*given)
        stores.decide(of_hash)
        return view

    monkeypatch.setattr(stores.approvals, "read", read_and_approve)
    with pytest.raises(errors.InvalidInputError, match="is being created"):
        stores.approvals.submit(make_draft(title="Another"))
    assert stores.row("SESSION")["draft_hash"] == of_hash


@pytest.mark.parametrize("end", [SessionState.REJECTED, SessionState.CREATED, SessionState.FAILED])
def test_a_decided_draft_submitted_again_leaves_a_newer_one_alone(stores: Stores, end: SessionState) -> None:
    if end is SessionState.REJECTED:
        _, of_hash = stores.submitted()
        stores.decide(of_hash, approved=False)
    else:
        operation = stores.approved()
        stores.start(operation)
        if end is SessionState.CREATED:
            stores.operations.mark_success(operation, "PROJ-1")
        else:
            stores.operations.mark_failed(operation, "Jira says no", owner="one")
    _, newer = stores.submitted(title="Another")
    before = stores.row("SESSION")

    again = stores.approvals.submit(make_draft())

    assert (again.state, again.replaced) == (end, None)
    assert again.reason == ("Jira says no" if end is SessionState.FAILED else "")
    assert stores.row("SESSION") == before
    assert stores.decide(newer)
    assert stores.approvals.submit(make_draft()).state is end  # even while the newer one's issue is created


def test_a_preview_is_remembered_and_the_draft_stays_as_it_was(stores: Stores) -> None:
    draft, of_hash = stores.submitted()

    assert stores.approvals.set_preview("sess-1", of_hash, "C1", "1.2")

    stored = stores.approvals.read("sess-1", of_hash).draft
    assert (present(stored).preview_channel, present(stored).preview_ts, present(stored).draft) == ("C1", "1.2", draft)
    assert not present(stored).is_shown


def test_of_two_previews_the_first_is_remembered(stores: Stores) -> None:
    _, of_hash = stores.submitted()
    assert stores.approvals.set_preview("sess-1", of_hash, "C1", "1.2")
    assert not stores.approvals.set_preview("sess-1", of_hash, "C1", "1.3")
    assert not stores.approvals.set_preview("sess-1", "0" * 64, "C1", "1.2")
    assert present(stores.approvals.read("sess-1", of_hash).draft).preview_ts == "1.2"


def test_the_open_preview_is_shown_and_every_earlier_one_still_counts(stores: Stores) -> None:
    _, of_hash = stores.submitted()
    for ts in ("1.2", "1.3"):
        assert stores.approvals.set_preview("sess-1", of_hash, "C1", ts)
        assert not present(stores.approvals.read("sess-1", of_hash).draft).is_shown
        stores.approvals.open_preview("sess-1", of_hash, "C1", ts)
        assert present(stores.approvals.read("sess-1", of_hash).draft).is_shown
        assert not stores.approvals.forget_preview("sess-1", of_hash, "0.9")  # another message
        assert stores.approvals.forget_preview("sess-1", of_hash, ts)
        assert not stores.approvals.forget_preview("sess-1", of_hash, ts)
    stored = present(stores.approvals.read("sess-1", of_hash).draft)
    assert (stored.previews, stored.preview_ts, stored.preview_number) == (
        frozenset({"C1/1.2", "C1/1.3"}),
        "",
        2,
    )


def test_replies_are_counted_by_the_owner_of_the_claim(stores: Stores) -> None:
    _, of_hash = stores.submitted()
    claims = Claims(stores.client, stores.table_name, lease=KEEP)
    key = records.operation_key(of_hash, records.POST_PREVIEW)
    claims.claim("sess-1", key, "one")

    assert stores.approvals.count_replies("sess-1", of_hash, records.POST_PREVIEW, "one", 3)
    assert not stores.approvals.count_replies("sess-1", of_hash, records.POST_PREVIEW, "two", 4)

    draft, replies = stores.approvals.preview_progress("sess-1", of_hash, records.POST_PREVIEW)
    assert (present(draft).draft_hash, replies) == (of_hash, 3)
    assert stores.approvals.preview_progress("nobody", of_hash, records.POST_PREVIEW) == (None, 0)


def test_a_draft_and_its_session_are_failed_until_the_draft_is_shown(stores: Stores) -> None:
    draft, of_hash = stores.submitted()

    stores.approvals.fail_preview("sess-1", of_hash, "Slack says is_archived")
    view = present(stores.approvals.read_current("sess-1"))
    assert (present(view.session).state, view.failure) == (SessionState.FAILED, "Slack says is_archived")
    assert not stores.decide(of_hash)

    stores.approvals.open_preview("sess-1", of_hash, "C1", "1.2")
    again = stores.approvals.submit(draft)
    assert (again.state, again.reason) == (SessionState.PREVIEW, "")
    assert stores.decide(of_hash)


def test_a_refused_draft_that_is_submitted_again_is_a_preview_again(stores: Stores) -> None:
    draft, of_hash = stores.submitted()
    stores.approvals.fail_preview("sess-1", of_hash, "Slack says is_archived")

    again = stores.approvals.submit(draft)

    assert (again.state, again.reason) == (
        SessionState.PREVIEW,
        "Slack refused the last preview, which is now posted again: Slack says is_archived",
    )
    view = present(stores.approvals.read_current("sess-1"))
    assert (present(view.session).state, view.failure) == (SessionState.PREVIEW, "")
    assert stores.approvals.submit(draft).reason == ""
    stores.approvals.fail_preview("sess-1", of_hash, "Slack says not_in_channel")
    assert stores.row("SESSION")["state"] == "failed"


def test_a_refused_draft_that_returns_is_a_preview_again(stores: Stores) -> None:
    draft, of_hash = stores.submitted()
    stores.approvals.fail_preview("sess-1", of_hash, "Slack says is_archived")
    _, other = stores.submitted(title="Another")

    again = stores.approvals.submit(draft)

    assert (again.state, again.replaced) == (SessionState.PREVIEW, other)
    assert present(stores.approvals.read_current("sess-1")).failure == ""


def test_a_replaced_draft_does_not_change_the_session(stores: Stores) -> None:
    _, first = stores.submitted()
    stores.approvals.fail_preview("sess-1", first, "Slack says is_archived")
    _, second = stores.submitted(title="Another")

    stores.approvals.fail_preview("sess-1", first, "Slack says not_in_channel")
    stores.approvals.open_preview("sess-1", first, "C1", "1.2")

    session = present(stores.approvals.read_current("sess-1")).session
    assert (present(session).draft_hash, present(session).state) == (second, SessionState.PREVIEW)
    assert present(stores.approvals.read("sess-1", first).draft).previews == {"C1/1.2"}


def test_a_preview_refused_after_the_decision_leaves_the_session_alone(stores: Stores) -> None:
    _, of_hash = stores.submitted()
    stores.approvals.open_preview("sess-1", of_hash, "C1", "1.2")
    stores.decide(of_hash)

    stores.approvals.fail_preview("sess-1", of_hash, "Slack says is_archived")
    stores.approvals.open_preview("sess-1", of_hash, "C1", "1.3")

    assert stores.row("SESSION")["state"] == "approved"


def test_the_current_draft_of_a_session_is_found_without_its_hash(stores: Stores) -> None:
    _, of_hash = stores.submitted()
    assert present(stores.approvals.read_current("sess-1")).draft_hash == of_hash
    assert stores.approvals.read_current("nobody") is None


class Refusing:
    """A client whose every call fails so."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(**request: object) -> None:
            raise self._error

        return call


def canceled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    return aws_error("TransactionCanceledException", operation="TransactWriteItems", CancellationReasons=reasons)


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (canceled("ThrottlingError", "None"), errors.ThrottledError),
        (canceled("None", "ProvisionedThroughputExceeded"), errors.ThrottledError),
        (canceled("ValidationError", "None"), errors.PermanentError),
        (canceled("None", "None"), errors.PermanentError),
        (ReadTimeoutError(endpoint_url="https://x"), errors.DeadlineExceededError),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "TransactWriteItems"), errors.AccessDeniedError),
        (ClientError({"Error": {"Code": "TransactionInProgressException"}}, "TransactWriteItems"), ContendedError),
    ],
)
def test_the_cause_of_a_failed_transaction_is_distinguished(error: Exception, means: type[Exception]) -> None:
    approval = records.Approval(draft_hash="0" * 64, approved=True, decided_by="U0ANN", at=NOON)
    store = ApprovalStore(Table(Refusing(error), "operations"), now=lambda: NOON)
    if means is ContendedError:
        assert not store.record_decision("sess-1", approval)
        return
    with pytest.raises(means) as caught:
        store.record_decision("sess-1", approval)
    assert type(caught.value) is means


def test_a_transaction_that_met_another_one_counts_as_not_recorded() -> None:
    store = ApprovalStore(Table(Refusing(canceled("TransactionConflict", "None")), "operations"), now=lambda: NOON)
    approval = records.Approval(draft_hash="0" * 64, approved=True, decided_by="U0ANN", at=NOON)
    assert not store.record_decision("sess-1", approval)
