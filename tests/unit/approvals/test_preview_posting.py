"""Previews are posted once and kept up to date, and no failure of Slack touches the issue."""

from typing import Any

import pytest

from lib.approvals import drafts, repository
from lib.approvals.messages import PostPreview
from lib.approvals.operations import OperationId
from lib.platform import errors
from lib.slack.blocks import Posted, SlackMessage
from tests.support.approvals.builders import make_draft
from tests.support.approvals.previews import DRAFT, HASH, POST, UPDATE, create, decide, failing, only
from tests.support.approvals.world import World, link_to
from tests.support.present import present
from tests.support.web.slack_limits import shown


def test_a_preview_is_posted_once_however_often_it_is_requested(world: World) -> None:
    for _ in range(3):
        world.handle(POST)
    assert "Draft for Jira" in only(world)
    assert present(world.store.read("sess-1", HASH).draft).preview_channel == "C1"


def test_the_drafts_own_channel_comes_before_the_configured_one(world: World) -> None:
    other = make_draft(session_id="sess-2", channel="C0OWN")
    world.service.submit(other)
    world.handle(PostPreview(session_id="sess-2", draft_hash=drafts.draft_hash(other)))
    assert present(world.store.read("sess-2", drafts.draft_hash(other)).draft).preview_channel == "C0OWN"


def test_a_preview_of_a_replaced_draft_is_not_posted(world: World) -> None:
    world.service.submit(make_draft(title="Another"))
    world.handle(POST)
    assert world.slack == {}


def test_a_post_that_failed_is_posted_by_the_next_delivery(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "post", failing(times=1)(world.post))
    with pytest.raises(errors.ConnectionLostError):
        world.handle(POST)
    world.handle(POST)
    assert "Draft for Jira" in only(world)


def test_a_message_is_received_again_while_another_attempt_posts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def post_while_another_comes(*args: Any, **kwargs: Any) -> Posted:
        with pytest.raises(errors.UnavailableError, match="another attempt") as caught:
            world.handle(POST)
        refused.append(caught.value)
        return World.post(world, *args, **kwargs)

    monkeypatch.setattr(world, "post", post_while_another_comes)
    world.handle(POST)

    assert len(refused) == 1
    assert len(world.slack) == 1


def test_a_decision_during_posting_is_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def post_slowly(*args: Any, **kwargs: Any) -> Posted:
        decide(world)
        return World.post(world, *args, **kwargs)

    monkeypatch.setattr(world, "post", post_slowly)
    world.handle(POST)
    assert "Draft approved" in only(world)


def test_submitting_again_updates_a_stale_preview(world: World) -> None:
    world.handle(POST)
    decide(world, approved=False)  # and nobody updated the preview
    world.handle(POST)
    assert "Draft rejected" in only(world)


def test_an_update_shows_the_current_state(world: World) -> None:
    world.handle(POST)
    decide(world, approved=False)
    world.handle(UPDATE)
    assert "Draft rejected" in only(world)


def test_an_update_overtaken_by_a_later_state_ends_in_the_later_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.handle(POST)
    decide(world)
    original = world.update

    def slow(posted: Posted, message: SlackMessage) -> None:
        monkeypatch.setattr(world, "update", original)
        create(world)
        world.handle(UPDATE)  # the later one overtakes
        original(posted, message)  # and the earlier one arrives last

    monkeypatch.setattr(world, "update", slow)
    world.handle(UPDATE)
    assert "Ticket Created: PROJ-1" in only(world)


def test_an_update_of_a_preview_that_is_not_posted_does_nothing(world: World) -> None:
    decide(world)
    world.handle(UPDATE)
    assert world.slack == {}


def test_a_deleted_preview_of_a_decided_draft_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.handle(POST)
    decide(world)
    monkeypatch.setattr(world, "update", failing(times=9, error=errors.NotFoundError("message_not_found"))(world.update))
    world.handle(UPDATE)
    assert "preview_gone" in world.logger.messages()
    assert present(world.store.read("sess-1", HASH).draft).preview_number == 0  # no other is posted: the draft is decided


def test_a_created_issue_is_confirmed_in_the_thread_once(world: World) -> None:
    world.handle(POST)
    decide(world)
    create(world)
    for _ in range(3):
        world.handle(UPDATE)
    assert [message.text for message in world.threads] == [
        "Created <https://jira.example.com/browse/PROJ-1|PROJ-1> for <@U0REQUEST>. Approved by <@U0ANN>."
    ]


@pytest.mark.parametrize(
    ("reason", "says"), [("Not planned: <ask me>", "Reason: Not planned: &lt;ask me&gt;"), ("", "No reason was given.")]
)
def test_a_rejection_is_reported_to_the_requester_in_the_thread_once(world: World, reason: str, says: str) -> None:
    world.handle(POST)
    decide(world, approved=False, reason=reason)
    for _ in range(3):
        world.handle(UPDATE)
    assert [message.text for message in world.threads] == [f"<@U0REQUEST>: <@U0ANN> rejected this draft. {says}"]


def test_each_failed_attempt_is_reported_to_the_requester_once(world: World) -> None:
    world.handle(POST)
    decide(world)
    operation = OperationId("sess-1", HASH)
    for owner in ("one", "two"):
        assert world.operations.record_operation_start(
            operation, owner=owner, created_by="U0ANN", approved_by="U0ANN", looks_needed=1
        )
        assert world.operations.mark_failed(operation, f"Jira answered 400 to <{owner}>", owner=owner)
        for _ in range(2):
            world.handle(UPDATE)
        assert world.operations.request_retry(operation, "U0ANN")
    assert [message.text for message in world.threads] == [
        "<@U0REQUEST>: <@U0ANN> approved this draft, but its Jira issue could not be created: "
        f"Jira answered 400 to &lt;{owner}&gt;. The approval remains valid."
        for owner in ("one", "two")
    ]


def test_a_report_in_the_thread_of_a_deleted_preview_is_logged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.handle(POST)
    decide(world, approved=False)
    monkeypatch.setattr(world, "post", failing(times=9, error=errors.NotFoundError("thread_not_found"))(world.post))
    world.handle(UPDATE)
    assert "thread_gone" in world.logger.messages()


def test_a_resubmitted_draft_is_pointed_to_its_issue_once(world: World) -> None:
    world.handle(POST)
    decide(world)
    create(world)
    world.handle(UPDATE)
    for _ in range(2):
        world.service.submit(DRAFT)
        world.handle(world.queue[-1].message)
    assert len(world.threads) == 2
    assert "already has a Jira issue" in world.threads[1].text


def test_a_replaced_preview_links_to_the_current_one_once_that_is_posted(world: World) -> None:
    world.handle(POST)
    newer = make_draft(title="Newer")
    world.service.submit(newer)
    world.handle(UPDATE)
    assert "https://" not in only(world)

    ts = world.show(newer)
    old = next(message for at, message in world.slack.items() if at != ts)
    assert f"<{link_to(ts)}|decide on the new one>" in shown(old.blocks)


@pytest.mark.parametrize("link", [errors.UnavailableError("busy"), "https://slack.example.com/|a b>", ""])
def test_a_preview_whose_url_is_not_known_is_posted_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, link: Exception | str
) -> None:
    def permalink(_: Posted) -> str:
        if isinstance(link, Exception):
            raise link
        return link

    monkeypatch.setattr(world, "permalink", permalink)
    world.handle(POST)
    stored = present(world.store.read("sess-1", HASH).draft)
    assert stored.is_shown
    assert stored.preview_link == ""


def test_the_new_preview_is_posted_if_slack_refuses_to_update_the_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.handle(POST)
    old = next(iter(world.slack))
    newer = make_draft(title="Newer")
    world.service.submit(newer)
    update = world.update

    def refuse_old(posted: Posted, message: SlackMessage) -> None:
        if posted.ts == old:
            raise errors.PermanentError("could not update a message: Slack says is_archived")
        update(posted, message)

    monkeypatch.setattr(world, "update", refuse_old)
    world.show(newer)
    assert "old_preview_not_linked" in world.logger.messages()


def test_a_failure_of_slack_does_not_touch_the_issue(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.handle(POST)
    decide(world)
    create(world)
    monkeypatch.setattr(world, "update", failing(times=1)(world.update))
    with pytest.raises(errors.ConnectionLostError):
        world.handle(UPDATE)
    assert world.operations.was_already_created(OperationId("sess-1", HASH)) == "PROJ-1"
    world.handle(UPDATE)
    assert "Ticket Created" in only(world)


def test_a_preview_is_not_posted_again_forever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "update", failing(times=99, error=errors.NotFoundError("message_not_found"))(world.update))
    for _ in range(repository.MAX_PREVIEWS + 3):
        world.handle(POST)
    assert len(world.slack) == repository.MAX_PREVIEWS
