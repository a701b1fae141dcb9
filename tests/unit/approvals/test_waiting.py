"""Waiting drafts: the approvers are reminded once, and a draft on which nobody decides expires once."""

from datetime import timedelta

import pytest

from lib.approvals import records
from lib.approvals.interactions import Verb
from lib.approvals.messages import RemindApprovers, UpdatePreview
from lib.approvals.operations import OperationId
from lib.approvals.records import OperationStatus, SessionState
from lib.approvals.waiting import REMINDABLE_FOR
from lib.approvals.wording import Verdict
from lib.platform import errors
from tests.support.approvals.builders import make_draft
from tests.support.approvals.previews import DRAFT, HASH, POST, decide, only
from tests.support.approvals.world import EXPIRE_AFTER, REMIND_AFTER, World
from tests.support.present import present

NOTHING = {"expired": 0, "reminders": 0, "unfinished": 0}


@pytest.fixture
def world() -> World:
    world = World()
    world.service.submit(DRAFT)
    world.show(DRAFT)
    world.queue.clear()
    return world


def state(world: World) -> SessionState:
    return present(world.store.read("sess-1", HASH).session).state


def test_the_approvers_are_reminded_once(world: World) -> None:
    assert world.waiting.sweep() == NOTHING
    world.advance(REMIND_AFTER)
    for _ in range(2):
        assert world.waiting.sweep() == {**NOTHING, "reminders": 1}  # nobody has sent it yet
    world.settle()
    assert world.waiting.sweep() == NOTHING

    (reminder,) = world.threads
    assert reminder.text == "This draft still waits for a decision. Everybody who sees this message may approve it."
    operation = present(world.operations.get_operation(OperationId("sess-1", HASH, records.REMIND)))
    assert operation.status is OperationStatus.DONE


def test_a_draft_that_was_decided_or_replaced_is_not_reminded_of(world: World) -> None:
    remind = RemindApprovers(session_id="sess-1", draft_hash=HASH)
    world.service.submit(make_draft(title="Newer"))
    world.handle(remind)
    world.service.submit(DRAFT)
    decide(world)
    world.handle(remind)
    assert world.threads == []


def test_a_reminder_that_could_never_be_sent_is_given_up(world: World) -> None:
    world.waiting._expire_after = timedelta(0)
    world.advance(REMIND_AFTER + REMINDABLE_FOR + timedelta(seconds=1))
    assert world.waiting.sweep() == NOTHING


def test_a_draft_on_which_nobody_decides_expires_once(world: World) -> None:
    world.advance(EXPIRE_AFTER)
    assert world.waiting.sweep()["expired"] == 1
    assert world.waiting.sweep() == NOTHING
    world.settle()

    approval = present(world.store.read("sess-1", HASH).approval)
    assert (approval.approved, approval.expired, approval.decided_by, approval.word) == (False, True, "", "expired")
    assert state(world) is SessionState.EXPIRED
    assert "Draft expired" in only(world)
    assert [message.text for message in world.threads if "expired" in message.text] == [
        "<@U0REQUEST>: nobody decided on this draft in time, so it expired. "
        "If it is still needed, change it and submit it again."
    ]
    assert world.service.submit(DRAFT).state is SessionState.EXPIRED
    assert world.service.submit(make_draft(title="Changed")).state is SessionState.PREVIEW


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.REJECT])
def test_a_click_after_the_expiry_comes_too_late(world: World, verb: Verb) -> None:
    world.advance(EXPIRE_AFTER)
    world.waiting.sweep()
    assert world.run(world.click("U0BOB", verb, DRAFT, HASH, world.buttons(DRAFT))).result is Verdict.DECIDED
    world.settle()
    assert world.issues == []
    assert any("expired on 22 Jan 2026" in answer for answer in world.answers)


def test_an_expiry_after_the_approval_comes_too_late(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.advance(EXPIRE_AFTER)
    record = world.store.record_decision

    def overtaken(*args, **kwargs) -> bool:
        monkeypatch.setattr(world.store, "record_decision", record)
        world.run(world.click("U0BOB", Verb.APPROVE, DRAFT, HASH, world.buttons(DRAFT)))
        return record(*args, **kwargs)

    monkeypatch.setattr(world.store, "record_decision", overtaken)
    assert world.waiting.sweep()["expired"] == 0
    world.settle()
    assert len(world.issues) == 1
    assert state(world) is SessionState.CREATED


def test_a_draft_that_became_current_again_does_not_expire_by_its_old_age(world: World) -> None:
    session = present(world.store.read("sess-1", HASH).session)
    world.advance(EXPIRE_AFTER)
    world.service.submit(make_draft(title="Newer"))
    world.service.submit(DRAFT)
    assert world.waiting._expire(session, world.time) is False  # what the index said before
    assert state(world) is SessionState.PREVIEW


def test_an_expiry_whose_last_message_is_lost_is_shown_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.advance(EXPIRE_AFTER)
    sent: list[int] = []

    def send(message: UpdatePreview, delay: int) -> None:
        sent.append(delay)
        if delay == 0:
            raise errors.UnavailableError("could not queue a message")
        world.send(message, delay)

    monkeypatch.setattr(world.waiting, "_send", send)
    with pytest.raises(errors.UnavailableError):
        world.waiting.sweep()
    world.settle()
    assert "Draft expired" in only(world)


def test_a_preview_of_an_expired_draft_is_not_posted() -> None:
    world = World()
    world.service.submit(DRAFT)
    world.advance(EXPIRE_AFTER)
    world.waiting.sweep()
    world.handle(POST)
    world.settle()
    assert world.slack == {}


def test_a_sweep_ends_in_time_and_the_next_one_continues(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.service.submit(make_draft(session_id="sess-2"))
    world.advance(EXPIRE_AFTER)
    seconds = iter([0.0, 1.0, 99.0])
    monkeypatch.setattr(world.waiting, "_monotonic", lambda: next(seconds, 0.0))
    assert world.waiting.sweep() == {"expired": 1, "reminders": 0, "unfinished": 1}
    assert world.waiting.sweep()["expired"] == 1


def test_nothing_is_swept_if_both_are_switched_off(world: World) -> None:
    world.waiting._remind_after = world.waiting._expire_after = timedelta(0)
    world.advance(timedelta(days=300))
    assert world.waiting.sweep() == NOTHING
