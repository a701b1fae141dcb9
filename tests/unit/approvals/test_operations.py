"""One attempt claims an operation, its owner settles it, and the row records everything."""

from datetime import timedelta

import pytest

from lib.approvals.operations import OperationId
from lib.approvals.records import KEEP, OperationStatus, SessionState
from lib.platform import clock
from lib.platform.claims import Claims
from tests.support.approvals.builders import NOON


def state(stores) -> str:
    return stores.row("SESSION")["state"]


def operation_of(stores, operation):
    return stores.operations.get_operation(operation)


def test_the_first_start_is_true_and_every_later_one_false(stores) -> None:
    operation = stores.approved()
    assert [stores.start(operation, owner) for owner in ("one", "two", "three")] == [True, False, False]
    assert state(stores) == "creating"


def test_a_repeated_start_of_the_same_attempt_wins(stores) -> None:
    operation = stores.approved()
    assert stores.start(operation, "one")
    assert stores.start(operation, "one")


def test_operations_on_other_drafts_sessions_or_names_are_free(stores) -> None:
    first = stores.approved()
    assert stores.start(first)
    assert stores.start(stores.approved(session_id="sess-2"))
    assert stores.start(OperationId("sess-1", first.draft_hash, "link_issue"), "two")


def test_a_start_records_people_times_and_the_lease(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one", by="U0BOB")

    found = operation_of(stores, operation)

    assert (found.created_by, found.approved_by, found.claim_owner, found.attempts) == ("U0BOB", "U0ANN", "one", 1)
    assert found.claim_expires_at == NOON + timedelta(seconds=90)
    assert found.created_at == found.updated_at == NOON


@pytest.mark.parametrize("decided", [None, False])
def test_nothing_starts_without_an_approval(stores, decided) -> None:
    _, of_hash = stores.submitted()
    if decided is not None:
        stores.decide(of_hash, approved=decided)
    assert not stores.start(OperationId("sess-1", of_hash))


def test_nothing_starts_for_a_draft_that_is_not_current(stores) -> None:
    operation = stores.approved()
    stores.start(operation)
    stores.operations.mark_failed(operation, "refused", owner="one")
    stores.operations.request_retry(operation, "ops")
    stores.submitted(title="Another")

    assert not stores.start(operation, "two")


def test_a_claim_expired_before_the_request_is_free(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    stores.advance(seconds=90)

    assert stores.start(operation, "two")
    assert operation_of(stores, operation).attempts == 2


def test_a_claim_expired_after_the_request_becomes_unknown(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    assert stores.post(operation, "one")
    stores.advance(seconds=90)

    assert not stores.start(operation, "two")
    assert stores.operations.mark_unknown(operation, "no outcome", owner=None, next_look_at=stores.time)
    assert state(stores) == "unknown"


@pytest.mark.parametrize("posted", [True, False])
def test_a_valid_claim_or_an_unsent_request_does_not_become_unknown(stores, posted) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    if posted:
        stores.post(operation, "one")
    stores.advance(seconds=89 if posted else 91)
    assert not stores.operations.mark_unknown(operation, "no outcome", owner=None, next_look_at=stores.time)


def test_no_request_is_sent_without_a_claim_that_lasts_long_enough(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    assert not stores.post(operation, "two")
    stores.advance(seconds=60)  # the request may take 30 s, and 30 s are left
    assert not stores.post(operation, "one")
    assert operation_of(stores, operation).posts == 0


def test_success_keeps_the_key_and_moves_the_session_with_it(stores) -> None:
    operation = stores.approved()
    stores.start(operation)
    stores.post(operation)
    assert stores.operations.was_already_created(operation) is None

    assert stores.operations.mark_success(operation, "PROJ-1") == "PROJ-1"

    found = operation_of(stores, operation)
    assert (found.status, found.jira_key, found.settled_at) == (OperationStatus.DONE, "PROJ-1", NOON)
    assert (state(stores), stores.row("SESSION")["jira_key"]) == ("created", "PROJ-1")
    assert stores.operations.was_already_created(operation) == "PROJ-1"
    assert not stores.start(operation, "two")


def test_success_is_recorded_after_the_claim_was_lost(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    stores.advance(seconds=91)
    stores.start(operation, "two")

    stores.operations.mark_success(operation, "PROJ-1")

    assert not stores.post(operation, "two")
    assert not stores.operations.mark_failed(operation, "late", owner="two")
    assert stores.operations.was_already_created(operation) == "PROJ-1"


def test_success_is_recorded_even_if_the_session_is_gone(stores) -> None:
    operation = stores.approved()
    stores.start(operation)
    stores.client.delete_item(
        TableName=stores.table_name, Key={"session_id": {"S": "sess-1"}, "operation_key": {"S": "SESSION"}}
    )

    stores.operations.mark_success(operation, "PROJ-1")

    assert stores.operations.was_already_created(operation) == "PROJ-1"
    assert stores.row("SESSION") == {}


def test_a_second_issue_is_recorded_beside_the_first(stores) -> None:
    operation = stores.approved()
    stores.start(operation)
    stores.operations.mark_success(operation, "PROJ-1")

    assert stores.operations.mark_success(operation, "PROJ-2") == "PROJ-1"
    assert stores.operations.mark_success(operation, "PROJ-1") == "PROJ-1"

    found = operation_of(stores, operation)
    assert (found.jira_key, found.other_keys) == ("PROJ-1", ("PROJ-2",))


def test_a_failed_operation_starts_once_per_requested_retry(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    assert stores.operations.mark_failed(operation, "Jira answered 400", owner="one")
    assert (state(stores), operation_of(stores, operation).error_message) == ("failed", "Jira answered 400")
    assert not stores.start(operation, "two")

    assert stores.operations.request_retry(operation, "ops")

    assert operation_of(stores, operation).retry_by == "ops"
    assert stores.start(operation, "three")
    assert operation_of(stores, operation).error_message is None
    stores.operations.mark_failed(operation, "again", owner="three")
    assert not stores.start(operation, "four")


@pytest.mark.parametrize("how", ["pending", "done", "unknown"])
def test_only_a_failed_operation_can_be_retried(stores, how) -> None:
    operation = stores.approved()
    stores.start(operation)
    if how == "done":
        stores.operations.mark_success(operation, "PROJ-1")
    if how == "unknown":
        stores.operations.mark_unknown(operation, "no answer", owner="one", next_look_at=stores.time)
    assert not stores.operations.request_retry(operation, "ops")


def test_an_unknown_operation_is_free_only_after_all_searches(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    stores.post(operation, "one")
    stores.operations.mark_unknown(operation, "no answer", owner="one", next_look_at=stores.time)
    starts = []
    for looks in range(2):
        starts.append(stores.start(operation, f"early-{looks}"))
        assert stores.operations.count_look(operation, looks=looks, next_look_at=stores.time)
        assert not stores.operations.count_look(
            operation, looks=looks, next_look_at=stores.time
        )  # the same look, twice delivered

    assert starts == [False, False]
    assert stores.start(operation, "two")
    assert operation_of(stores, operation).looks == 0


def test_giving_up_needs_searches_that_found_nothing(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    stores.operations.mark_unknown(operation, "no answer", owner="one", next_look_at=stores.time)
    assert not stores.operations.give_up(operation, "nothing found", looks_needed=1)
    stores.operations.count_look(operation, looks=0, next_look_at=stores.time)

    assert stores.operations.give_up(operation, "nothing found", looks_needed=1)

    assert stores.approvals.read("sess-1", operation.draft_hash).session.state is SessionState.FAILED


def test_only_the_owner_releases_a_claim_which_is_then_free(stores) -> None:
    operation = stores.approved()
    stores.start(operation, "one")
    stores.post(operation, "one")
    assert not stores.operations.release(operation, "busy", owner="two")
    assert stores.operations.release(operation, "Jira answered 429", owner="one")
    assert stores.start(operation, "two")


def test_an_error_is_kept_short(stores) -> None:
    operation = stores.approved()
    stores.start(operation)
    stores.operations.mark_failed(operation, "x" * 5000, owner="one")
    assert len(operation_of(stores, operation).error_message) == 500


def test_the_audit_trail_of_a_session_has_its_operations(stores) -> None:
    operation = stores.approved()
    stores.approved(session_id="sess-10")
    stores.advance(seconds=1)
    stores.start(operation)
    claims = Claims(stores.client, stores.table_name, lease=timedelta(seconds=90), keep=KEEP, now=lambda: NOON)
    claims.complete(claims.claim("sess-1", f"OPERATION#{operation.draft_hash}#post_preview", "w"))

    trail = stores.operations.get_session_operations("sess-1")

    assert [(entry.name, entry.status.value) for entry in trail] == [("post_preview", "done"), ("create_issue", "pending")]


def test_a_plain_claim_reads_an_operation_that_is_done_as_done(stores) -> None:
    """lib/platform/claims.py and this store agree on what a row means."""
    operation = stores.approved()
    stores.start(operation)
    plain = Claims(stores.client, stores.table_name, lease=timedelta(seconds=90), keep=KEEP, now=lambda: NOON)
    assert plain.claim("sess-1", operation.key, "x").verdict.value == "held"
    stores.operations.mark_success(operation, "PROJ-1")
    assert plain.claim("sess-1", operation.key, "x").verdict.value == "done"


def test_stored_times_are_canonical(stores) -> None:
    operation = stores.approved()
    stores.start(operation)
    assert stores.row(operation.key)["claim_expires_at"] == clock.canonical(NOON + timedelta(seconds=90))
