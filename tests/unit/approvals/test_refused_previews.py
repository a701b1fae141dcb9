"""A preview that Slack refuses fails its draft, which a retry or another draft repairs."""

from typing import Any

import pytest

from lib.approvals.messages import Message, PostPreview
from lib.approvals.records import SessionState
from lib.platform import errors
from lib.slack.blocks import Posted, SlackMessage
from lib.slack.errors import refusal
from tests.support.approvals.builders import make_draft
from tests.support.approvals.previews import DRAFT, HASH, LONG, POST, POST_LONG, REPLIES, buttons, decide, failing, only
from tests.support.approvals.world import World
from tests.support.present import present

AGAIN = "Slack refused the last preview, which is now posted again: "


def refuse(world: World, message: Message = POST) -> None:
    """Handle a message about a draft for the configured channel, which Slack refuses."""
    with pytest.raises(errors.PermanentError):
        world.handle(message)


def test_a_refused_channel_of_the_draft_fails_it_without_a_dead_letter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make_draft(session_id="sess-3", channel="nowhere")
    of_hash = world.service.submit(own).draft_hash
    monkeypatch.setattr(world, "post", failing(times=1, error=refusal("post a message", 200, "channel_not_found"))(world.post))
    world.handle(PostPreview(session_id="sess-3", draft_hash=of_hash))
    view = present(world.store.read_current("sess-3"))
    assert present(view.session).state is SessionState.FAILED
    assert view.failure == "could not post a message: Slack says channel_not_found"


@pytest.mark.parametrize("code", ["channel_not_found", "not_in_channel", "is_archived", "invalid_blocks"])
def test_a_draft_whose_preview_slack_refuses_fails_and_can_be_retried(
    world: World, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    send = world.post
    monkeypatch.setattr(world, "post", failing(times=1, error=refusal("post a message", 200, code))(send))
    refuse(world)

    view = world.store.read("sess-1", HASH)
    assert (present(view.session).state, view.failure) == (SessionState.FAILED, f"could not post a message: Slack says {code}")
    assert "preview_refused" in world.logger.messages()
    again = world.service.submit(DRAFT)
    assert (again.state, again.reason) == (SessionState.PREVIEW, AGAIN + view.failure)

    world.settle()
    view = world.store.read("sess-1", HASH)
    assert (present(view.session).state, view.failure, present(view.draft).is_shown) == (SessionState.PREVIEW, "", True)
    assert world.service.submit(DRAFT).reason == ""


def test_a_refused_token_fails_the_draft_and_is_retried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "post", failing(times=1, error=refusal("post a message", 200, "invalid_auth"))(world.post))
    with pytest.raises(errors.CredentialRefusedError):
        world.handle(POST)
    assert present(world.store.read("sess-1", HASH).session).state is SessionState.FAILED
    world.handle(POST)
    assert "Draft for Jira" in only(world)


def test_a_reply_that_slack_refuses_fails_the_draft_until_a_retry(long_draft: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send = long_draft.post

    def post(channel: str, message: SlackMessage, *, thread_ts: str = "") -> Posted:
        if thread_ts:
            raise errors.PermanentError("could not post a message: Slack says is_archived")
        return send(channel, message)

    monkeypatch.setattr(long_draft, "post", post)
    refuse(long_draft, POST_LONG)
    assert buttons(long_draft) == {}
    assert long_draft.service.submit(LONG).reason == f"{AGAIN}could not post a message: Slack says is_archived"

    monkeypatch.setattr(long_draft, "post", send)
    long_draft.handle(POST_LONG)
    assert long_draft.threads == REPLIES
    assert buttons(long_draft)
    assert long_draft.service.submit(LONG).state is SessionState.PREVIEW


def test_a_refused_draft_can_be_replaced_and_can_return(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        world, "post", failing(times=1, error=errors.PermanentError("Slack says channel_not_found"))(world.post)
    )
    refuse(world)
    other = make_draft(channel="C0RIGHT")
    assert world.service.submit(other).state is SessionState.PREVIEW
    again = world.service.submit(DRAFT)
    assert (again.state, again.reason) == (SessionState.PREVIEW, f"{AGAIN}Slack says channel_not_found")


def test_a_refusal_of_a_replaced_draft_leaves_the_session_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def post(*args: Any, **kwargs: Any) -> Posted:
        world.service.submit(make_draft(title="Another"))
        raise errors.PermanentError("Slack says channel_not_found")

    monkeypatch.setattr(world, "post", post)
    refuse(world)
    assert present(present(world.store.read_current("sess-1")).session).state is SessionState.PREVIEW


def test_a_refusal_to_post_a_preview_again_leaves_the_first_one_valid(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.handle(POST)
    monkeypatch.setattr(world, "update", failing(times=1, error=errors.NotFoundError("message_not_found"))(world.update))
    monkeypatch.setattr(world, "post", failing(times=1, error=errors.PermanentError("Slack says is_archived"))(world.post))
    refuse(world)
    again = world.service.submit(DRAFT)
    assert (again.state, again.reason) == (SessionState.PREVIEW, f"{AGAIN}Slack says is_archived")
    decide(world)
