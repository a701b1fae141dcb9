"""A click on Retry: an issue that could not be created is tried again, once per request, and there is never a second one."""

from typing import Any

import pytest

from lib.approvals.interactions import Decision, Verb
from lib.approvals.issue_tracker import marker_of
from lib.approvals.messages import AnswerClick, CreateIssue, UpdatePreview
from lib.approvals.operations import OperationId
from lib.approvals.records import OperationStatus
from lib.approvals.rules import Rules
from lib.approvals.wording import Verdict
from lib.platform import errors
from tests.support.approvals.builders import make_draft
from tests.support.approvals.previews import DRAFT, HASH, create, decide
from tests.support.approvals.world import World
from tests.support.present import present

OPERATION = OperationId("sess-1", HASH)


def approved(**rules: Any) -> World:
    world = World(rules=Rules(**{"require_other_approver": False, **rules}))
    world.service.submit(DRAFT)
    world.show(DRAFT)
    decide(world)
    world.queue.clear()
    return world


def failed(**rules: Any) -> World:
    world = approved(**rules)
    world.operations.record_operation_start(OPERATION, owner="x", created_by="U0ANN", approved_by="U0ANN", looks_needed=4)
    assert world.operations.mark_failed(OPERATION, "Jira answered 400", owner="x")
    return world


def click(world: World, user: str = "U0BOB", **given: Any) -> tuple[Verdict, str, list[type]]:
    """The verdict, the answer, and the kinds of the other messages."""
    world.queue.clear()
    place = {"channel": "C1", "message_ts": present(world.store.read("sess-1", HASH).draft).preview_ts}
    verdict = world.service.decide(
        Decision(verb=Verb.RETRY, session_id="sess-1", user=user, **{"draft_hash": HASH, **place, **given})
    )
    messages = [queued.message for queued in world.queue]
    (answer,) = [message for message in messages if isinstance(message, AnswerClick)]
    return verdict, answer.text, [type(each) for each in messages if each is not answer]


def test_a_failed_issue_is_created_once_however_often_retry_is_clicked() -> None:
    world = failed()
    for _ in range(3):
        verdict, answer, sent = click(world)
        assert (verdict, sent) == (Verdict.RECORDED, [CreateIssue])
        assert answer.startswith("You retried “Refuse uploads that are too large”.")
    for _ in range(3):
        world.handle(CreateIssue(session_id="sess-1", draft_hash=HASH))
    world.settle()

    operation = present(world.operations.get_operation(OPERATION))
    assert (operation.status, operation.created_by, operation.approved_by) == (OperationStatus.DONE, "U0BOB", "U0ANN")
    assert len(world.issues) == 1
    assert click(world)[::2] == (Verdict.NOTHING_TO_RETRY, [UpdatePreview])


def test_an_issue_that_exists_after_all_is_found_and_not_created_again() -> None:
    world = failed()
    world.create_issue({"project": {"key": "PROJ"}}, marker_of("sess-1", HASH))
    click(world)
    world.settle()
    assert [issue.key for issue in world.issues] == [present(world.operations.get_operation(OPERATION)).jira_key]


def test_only_approvers_retry() -> None:
    world = failed(approvers=frozenset({"U0ANN"}))
    verdict, answer, sent = click(world)
    assert (verdict, sent) == (Verdict.NOT_ALLOWED, [])
    assert "You are not an approver" in answer
    assert present(world.operations.get_operation(OPERATION)).retry_by is None
    assert click(world, "U0ANN")[0] is Verdict.RECORDED


def test_a_click_in_another_message_retries_nothing() -> None:
    assert click(failed(), message_ts="0.7")[::2] == (Verdict.NOT_A_PREVIEW, [])


def test_a_draft_that_was_replaced_is_not_retried() -> None:
    world = failed()
    world.service.submit(make_draft(title="Newer"))
    verdict, _, sent = click(world)
    assert (verdict, sent) == (Verdict.CHANGED, [UpdatePreview])


def test_a_draft_that_does_not_exist_is_not_retried() -> None:
    assert click(failed(), draft_hash="0" * 64)[::2] == (Verdict.NOT_KNOWN, [])


def test_what_has_not_failed_is_not_retried() -> None:
    waiting = World()
    waiting.service.submit(DRAFT)
    waiting.show(DRAFT)
    assert click(waiting)[:2] == (
        Verdict.NOTHING_TO_RETRY,
        "There is nothing to retry for “Refuse uploads that are too large”. Nobody has approved it.",
    )
    decide(waiting, approved=False)
    assert click(waiting)[1].endswith("It was rejected.")
    assert click(approved())[1].endswith("Its Jira issue is being created.")
    done = approved()
    create(done)
    assert "Its Jira issue is <https://jira.example.com/browse/PROJ-1|PROJ-1>." in click(done)[1]


def test_a_retry_that_another_attempt_overtakes_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    world = failed()
    request = world.operations.request_retry

    def late(operation: OperationId, by: str) -> bool:
        world.operations.mark_success(operation, "PROJ-9")
        return request(operation, by)

    monkeypatch.setattr(world.operations, "request_retry", late)
    verdict, answer, _ = click(world)
    assert verdict is Verdict.NOTHING_TO_RETRY
    assert "PROJ-9" in answer


def test_a_click_whose_message_was_lost_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    world = failed()
    send = world.send

    def broken(*_: object) -> None:
        raise errors.UnavailableError("could not queue a message")

    monkeypatch.setattr(world.service, "_send", broken)
    with pytest.raises(errors.UnavailableError):
        click(world)
    monkeypatch.setattr(world.service, "_send", send)
    assert click(world)[::2] == (Verdict.RECORDED, [CreateIssue])
