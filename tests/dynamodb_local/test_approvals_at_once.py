"""Many workers and many clicks at the same moment: one worker creates the issue, one click decides.

Each test runs twice: as DynamoDB Local has it, which lets transactions wait for one another, and as AWS has it, which
refuses those that meet.
"""

import functools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from lib.approvals import records
from lib.approvals.records import OperationStatus, SessionState
from lib.platform import errors
from tests.support.approvals.stores import Stores
from tests.support.concurrency import at_once
from tests.support.dynamodb.transaction_conflicts import ConflictingClient
from tests.support.project.examples import examples

THREADS = examples(24, thorough=64)
ROUNDS = range(examples(1, thorough=3))


@pytest.fixture(params=["transactions wait", "transactions conflict"])
def crowded(request: pytest.FixtureRequest, stores: Stores) -> Iterator[Stores]:
    if request.param == "transactions wait":
        yield stores
        return
    client = ConflictingClient(stores.client, ("session_id", "operation_key"))
    yield Stores(client, stores.table_name)
    assert client.conflicts > 0, "no two transactions met: nothing was shown"


def starts(stores: Stores, operation: Any) -> list[Any]:
    """What came of ``THREADS`` starts at the same moment, each its own attempt."""
    return at_once([partial(stores.start, operation, f"worker-{number}") for number in range(THREADS)])


@pytest.mark.parametrize("race", ROUNDS)
def test_one_of_many_starts_wins(crowded: Stores, race: int) -> None:
    operation = crowded.approved()

    results = starts(crowded, operation)

    assert (results.count(True), results.count(False)) == (1, THREADS - 1)
    found = crowded.operations.get_operation(operation)
    assert found is not None
    assert (found.claim_owner, found.attempts) == (f"worker-{results.index(True)}", 1)
    assert crowded.row("SESSION")["state"] == "creating"


def test_one_of_many_starts_wins_the_claim_of_a_crashed_worker(crowded: Stores) -> None:
    operation = crowded.approved()
    assert crowded.start(operation, "crashed")
    crowded.advance(seconds=90)

    assert starts(crowded, operation).count(True) == 1


def test_one_of_many_starts_wins_after_a_retry_was_requested(crowded: Stores) -> None:
    operation = crowded.approved()
    crowded.start(operation, "one")
    crowded.operations.mark_failed(operation, "Jira answered 400", owner="one")
    assert crowded.operations.request_retry(operation, "ops")

    assert starts(crowded, operation).count(True) == 1


@pytest.mark.parametrize("race", ROUNDS)
def test_the_first_of_many_concurrent_decisions_wins(crowded: Stores, race: int) -> None:
    _, of_hash = crowded.submitted()

    results = at_once([partial(crowded.decide, of_hash, approved=number % 2 == 0, by=f"U{number}") for number in range(32)])

    assert (results.count(True), results.count(False)) == (1, 31)
    first = results.index(True)
    view = crowded.approvals.read("sess-1", of_hash)
    assert view.approval is not None
    assert view.session is not None
    assert (view.approval.approved, view.approval.decided_by) == (first % 2 == 0, f"U{first}")
    assert view.session.state.value == ("approved" if view.approval.approved else "rejected")


@pytest.mark.parametrize("race", ROUNDS)
def test_one_of_many_concurrent_previews_is_recorded(stores: Stores, race: int) -> None:
    _, of_hash = stores.submitted()

    results = at_once([partial(stores.approvals.set_preview, "sess-1", of_hash, "C1", f"{number}.0") for number in range(32)])

    assert (results.count(True), results.count(False)) == (1, 31)
    stored = stores.approvals.read("sess-1", of_hash).draft
    assert stored is not None
    assert stored.preview_ts == f"{results.index(True)}.0"


@pytest.mark.parametrize("race", ROUNDS)
def test_draft_and_session_agree_after_concurrent_preview_results(crowded: Stores, race: int) -> None:
    _, of_hash = crowded.submitted()

    def repeat(change: Callable[[], None]) -> None:
        while True:  # as the queue delivers again
            try:
                return change()
            except errors.RetryableError:
                continue

    show = functools.partial(crowded.approvals.open_preview, "sess-1", of_hash, "C1", "1.0")
    fail = functools.partial(crowded.approvals.fail_preview, "sess-1", of_hash, "Slack says is_archived")
    at_once([lambda: repeat(show), *[lambda: repeat(fail)] * 8])

    view = crowded.approvals.read("sess-1", of_hash)
    assert view.draft is not None
    assert view.session is not None
    assert view.draft.previews == {"C1/1.0"}
    assert view.session.state is records.state_of(view.draft, view.approval, view.operation) is SessionState.PREVIEW
    assert crowded.decide(of_hash)


@pytest.mark.parametrize("race", ROUNDS)
def test_operation_and_session_agree_if_an_outcome_meets_an_expiry(crowded: Stores, race: int) -> None:
    """The worker records its issue while the sweep takes it for lost: the issue is never forgotten."""
    operation = crowded.approved()
    crowded.start(operation, "one")
    crowded.post(operation, "one")
    crowded.advance(seconds=90)

    def record() -> str:
        while True:  # as the queue delivers again
            try:
                return crowded.operations.mark_success(operation, "PROJ-1")
            except errors.RetryableError:
                continue

    def sweep() -> bool:
        try:
            return crowded.operations.mark_unknown(operation, "no outcome", owner=None, next_look_at=crowded.time)
        except errors.RetryableError:
            return False

    at_once([record, *[sweep] * 8])

    found = crowded.operations.get_operation(operation)
    assert found is not None
    assert (found.status, found.jira_key) == (OperationStatus.DONE, "PROJ-1")
    assert crowded.row("SESSION")["state"] == "created"
