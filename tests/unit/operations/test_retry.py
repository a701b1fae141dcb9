"""``operations retry``: which drafts a person can retry, and what happens then."""

import pytest

from lib.approvals.interactions import Decision, Verb
from lib.approvals.messages import CreateIssue, PostPreview
from lib.approvals.operations import OperationId
from lib.approvals.records import SessionState
from lib.operations.retry import retry_session
from lib.platform import errors
from tests.support.approvals.builders import PLACE, make_draft, show_whole
from tests.support.approvals.world import World
from tests.support.present import present


def scene(state: str) -> tuple[World, OperationId]:
    world = World()
    operation = OperationId("sess-1", world.service.submit(make_draft()).draft_hash)
    if state != "preview":
        show_whole(world.store, operation.draft_hash)
        verb = Verb.REJECT if state == "rejected" else Verb.APPROVE
        world.service.decide(Decision(verb=verb, session_id="sess-1", draft_hash=operation.draft_hash, user="U0ANN", **PLACE))
    if state in {"creating", "created", "failed", "unknown"}:
        world.operations.record_operation_start(operation, owner="x", created_by="U0ANN", approved_by="U0ANN", looks_needed=1)
    if state == "created":
        world.operations.mark_success(operation, "PROJ-1")
    if state == "failed":
        world.operations.mark_failed(operation, "no", owner="x")
    if state == "unknown":
        world.operations.mark_unknown(operation, "no", owner="x", next_look_at=world.time)
    world.queue.clear()
    return world, operation


def ask(world: World, session_id: str = "sess-1") -> SessionState:
    return retry_session(session_id, "U0DANA", store=world.store, operations=world.operations, send=world.send)


@pytest.mark.parametrize("state", ["approved", "creating", "failed", "unknown"])
def test_a_retry_of_an_unfinished_creation_wakes_the_worker(state: str) -> None:
    world, operation = scene(state)
    assert ask(world).value == state
    assert [queued.message for queued in world.queue] == [CreateIssue(session_id="sess-1", draft_hash=operation.draft_hash)]


def test_a_preview_that_slack_refused_is_posted_by_a_retry() -> None:
    world, operation = scene("preview")
    world.store.fail_preview("sess-1", operation.draft_hash, "Slack says channel_not_found")

    assert ask(world) is SessionState.FAILED

    assert [queued.message for queued in world.queue] == [PostPreview(session_id="sess-1", draft_hash=operation.draft_hash)]
    world.settle()
    view = world.store.read("sess-1", operation.draft_hash)
    assert (present(view.session).state, view.failure, present(view.draft).is_shown) == (SessionState.PREVIEW, "", True)


@pytest.mark.parametrize("by", ["ada", "", "@U0DANA", "U0DANA "])
def test_a_retry_needs_a_slack_user_id(by: str) -> None:
    world, _ = scene("failed")

    with pytest.raises(errors.InvalidInputError, match="is not a Slack user ID like U0123456789"):
        retry_session("sess-1", by, store=world.store, operations=world.operations, send=world.send)
    assert world.queue == []


def test_a_retried_creation_names_the_person() -> None:
    world, operation = scene("failed")
    ask(world)
    world.settle()
    found = present(world.operations.get_operation(operation))
    assert (found.jira_key, found.created_by, found.approved_by) == ("PROJ-1", "U0DANA", "U0ANN")


@pytest.mark.parametrize(("state", "why"), [("preview", "nobody"), ("rejected", "rejected"), ("created", "exists")])
def test_only_what_failed_or_is_unfinished_can_be_retried(state: str, why: str) -> None:
    world, _ = scene(state)
    with pytest.raises(errors.InvalidInputError, match=why):
        ask(world)
    assert world.queue == []


def test_an_unknown_session_is_not_found() -> None:
    with pytest.raises(errors.NotFoundError):
        ask(World(), "nobody")
