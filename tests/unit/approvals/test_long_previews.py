"""A preview that is longer than a message: posted whole before its buttons appear, and continued after an interruption."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from lib.platform import errors
from lib.slack.blocks import Posted, SlackMessage
from tests.support.approvals.cloud import buttons_of
from tests.support.approvals.previews import (
    LONG,
    POST_LONG,
    REPLIES,
    buttons,
    failing,
    stored,
)
from tests.support.approvals.world import World


def test_a_long_draft_is_posted_whole_before_its_buttons_appear(long_draft: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    send = long_draft.post

    def post(*args: Any, **kwargs: Any) -> Posted:
        seen.append(bool(long_draft.slack) and buttons(long_draft))
        return send(*args, **kwargs)

    monkeypatch.setattr(long_draft, "post", post)
    long_draft.handle(POST_LONG)

    assert long_draft.threads == REPLIES
    assert len(REPLIES) > 1
    assert seen == [False, *[{}] * len(REPLIES)]
    assert buttons(long_draft).keys() == {"approve_draft", "reject_draft"}
    assert stored(long_draft).previews == {f"C1/{stored(long_draft).preview_ts}"}


def test_the_messages_of_a_preview_are_a_second_apart(long_draft: World, monkeypatch: pytest.MonkeyPatch) -> None:
    times = []
    send = long_draft.post

    def post(*args: Any, **kwargs: Any) -> Posted:
        times.append(long_draft.time)
        return send(*args, **kwargs)

    monkeypatch.setattr(long_draft, "post", post)
    long_draft.handle(POST_LONG)
    assert {(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)} == {1.0}


@pytest.mark.parametrize("fails_at", range(len(REPLIES) + 1))
@pytest.mark.parametrize("after", [False, True])
def test_an_interrupted_preview_continues_where_it_stopped(
    long_draft: World, monkeypatch: pytest.MonkeyPatch, fails_at: int, after: bool
) -> None:
    posts = itertools.count()
    send = long_draft.post

    def post(*args: Any, **kwargs: Any) -> Posted:
        breaks = next(posts) == fails_at
        if not breaks or after:
            posted = send(*args, **kwargs)
        if breaks:
            raise errors.ConnectionLostError("Slack")
        return posted

    monkeypatch.setattr(long_draft, "post", post)
    with pytest.raises(errors.ConnectionLostError):
        long_draft.handle(POST_LONG)
    assert all(not buttons_of({"blocks": message.blocks}) for message in long_draft.slack.values())
    long_draft.handle(POST_LONG)

    # What Slack took without answering can't be known, and is posted once more.
    twice = [REPLIES[fails_at - 1]] if after and fails_at > 0 else []
    assert len(long_draft.threads) == len(REPLIES) + len(twice)
    assert list(dict.fromkeys(message.text for message in long_draft.threads)) == [message.text for message in REPLIES]
    assert len(long_draft.slack) == (2 if after and fails_at == 0 else 1)
    assert sum(bool(buttons_of({"blocks": message.blocks})) for message in long_draft.slack.values()) == 1


def test_a_reply_whose_record_was_lost_is_not_posted_again(long_draft: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record = long_draft.store.count_replies
    monkeypatch.setattr(long_draft.store, "count_replies", failing(times=1, after=True)(record))
    with pytest.raises(errors.ConnectionLostError):
        long_draft.handle(POST_LONG)
    long_draft.handle(POST_LONG)
    assert long_draft.threads == REPLIES


def test_an_attempt_that_lost_its_claim_posts_no_more_replies(long_draft: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send = long_draft.post

    def post_slowly(*args: Any, **kwargs: Any) -> Posted:
        monkeypatch.setattr(long_draft, "post", send)
        posted = send(*args, **kwargs)
        long_draft.advance(timedelta(minutes=10))  # the lease is over
        long_draft.handle(POST_LONG)
        return posted

    monkeypatch.setattr(long_draft, "post", post_slowly)
    with pytest.raises(errors.SwitchboardError):
        long_draft.handle(POST_LONG)

    assert long_draft.threads == REPLIES
    overtaken, current = long_draft.slack.values()
    assert buttons_of({"blocks": overtaken.blocks}) == {}
    assert buttons_of({"blocks": current.blocks})


def test_a_deleted_preview_is_posted_again_with_its_thread(long_draft: World, monkeypatch: pytest.MonkeyPatch) -> None:
    long_draft.handle(POST_LONG)
    first = stored(long_draft).preview_ts
    update = long_draft.update
    long_draft.slack.clear()

    def gone(posted: Posted, message: SlackMessage) -> None:
        if posted.ts == first:
            raise errors.NotFoundError("message_not_found")
        update(posted, message)

    monkeypatch.setattr(long_draft, "update", gone)
    long_draft.service.submit(LONG)
    long_draft.handle(POST_LONG)

    second = stored(long_draft).preview_ts
    assert long_draft.replies == {first: REPLIES, second: REPLIES}
    assert stored(long_draft).previews == {f"C1/{first}", f"C1/{second}"}
    assert buttons(long_draft)


def test_a_preview_that_is_deleted_while_it_is_posted_is_posted_again(
    long_draft: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = long_draft.post

    def post(channel: str, message: SlackMessage, *, thread_ts: str = "") -> Posted:
        if thread_ts:
            monkeypatch.setattr(long_draft, "post", send)
            long_draft.slack.clear()
            raise errors.NotFoundError("thread_not_found")
        return send(channel, message)

    monkeypatch.setattr(long_draft, "post", post)
    with pytest.raises(errors.UnavailableError, match="was deleted"):
        long_draft.handle(POST_LONG)
    long_draft.handle(POST_LONG)
    assert long_draft.replies == {stored(long_draft).preview_ts: REPLIES}
    assert buttons(long_draft)
