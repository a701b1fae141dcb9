"""Previews are posted once and kept up to date, and no failure of Slack touches the issue."""

import itertools
from datetime import timedelta

import pytest

from lib.approvals import drafts, preview, repository
from lib.approvals.messages import AnswerClick, PostPreview, UpdatePreview
from lib.approvals.operations import OperationId
from lib.approvals.records import Approval, SessionState
from lib.platform import errors
from lib.slack.errors import refusal
from tests.support.approvals.builders import make_draft
from tests.support.approvals.cloud import buttons_of
from tests.support.approvals.world import World
from tests.support.web.slack_limits import shown

DRAFT = make_draft()
HASH = drafts.draft_hash(DRAFT)
POST = PostPreview(session_id="sess-1", draft_hash=HASH)
UPDATE = UpdatePreview(session_id="sess-1", draft_hash=HASH)


@pytest.fixture
def world() -> World:
    world = World()
    world.service.submit(DRAFT)
    return world


def decide(world: World, *, approved: bool = True) -> None:
    approval = Approval(draft_hash=HASH, approved=approved, decided_by="U0ANN", at=world.time)
    assert world.store.record_decision("sess-1", approval)


def create(world: World, key: str = "PROJ-1") -> None:
    operation = OperationId("sess-1", HASH)
    world.operations.record_operation_start(operation, owner="x", created_by="U0ANN", approved_by="U0ANN", looks_needed=1)
    world.operations.mark_success(operation, key)


def only(world: World) -> str:
    (message,) = world.slack.values()
    return shown(message.blocks)


def failing(*, times: int, after: bool = False, error: Exception | None = None):
    """A method that fails so often, before or after it did its work."""

    def wrap(method):
        left = [times]

        def call(*args, **kwargs):
            if left[0] > 0:
                left[0] -= 1
                if after:
                    method(*args, **kwargs)
                raise error or errors.ConnectionLostError("Slack")
            return method(*args, **kwargs)

        return call

    return wrap


def test_a_preview_is_posted_once_however_often_it_is_asked_for(world) -> None:
    for _ in range(3):
        world.handle(POST)
    assert "Draft for Jira" in only(world)
    assert world.store.read("sess-1", HASH).draft.preview_channel == "C1"


def test_the_drafts_own_channel_comes_before_the_configured_one(world) -> None:
    other = make_draft(session_id="sess-2", channel="C0OWN")
    world.service.submit(other)
    world.handle(PostPreview(session_id="sess-2", draft_hash=drafts.draft_hash(other)))
    assert world.store.read("sess-2", drafts.draft_hash(other)).draft.preview_channel == "C0OWN"


def test_a_preview_of_a_replaced_draft_is_not_posted(world) -> None:
    world.service.submit(make_draft(title="Another"))
    world.handle(POST)
    assert world.slack == {}


def test_a_post_that_failed_is_posted_by_the_next_delivery(world) -> None:
    world.post = failing(times=1)(world.post)
    with pytest.raises(errors.ConnectionLostError):
        world.handle(POST)
    world.handle(POST)
    assert "Draft for Jira" in only(world)


def test_a_message_is_received_again_while_another_attempt_posts(world) -> None:
    refused = []

    def post_while_another_comes(*args, **kwargs):
        with pytest.raises(errors.UnavailableError, match="another attempt") as caught:
            world.handle(POST)
        refused.append(caught.value)
        return World.post(world, *args, **kwargs)

    world.post = post_while_another_comes
    world.handle(POST)

    assert len(refused) == 1
    assert len(world.slack) == 1


def test_a_decision_during_posting_is_shown(world) -> None:
    def post_slowly(*args, **kwargs):
        decide(world)
        return World.post(world, *args, **kwargs)

    world.post = post_slowly
    world.handle(POST)
    assert "Draft approved" in only(world)


def test_submitting_again_updates_a_stale_preview(world) -> None:
    world.handle(POST)
    decide(world, approved=False)  # and nobody updated the preview
    world.handle(POST)
    assert "Draft rejected" in only(world)


def test_an_update_shows_the_current_state(world) -> None:
    world.handle(POST)
    decide(world, approved=False)
    world.handle(UPDATE)
    assert "Draft rejected" in only(world)


def test_an_update_overtaken_by_a_later_state_ends_in_the_later_state(world) -> None:
    world.handle(POST)
    decide(world)
    original = world.update

    def slow(posted, message):
        world.update = original
        create(world)
        world.handle(UPDATE)  # the later one overtakes
        original(posted, message)  # and the earlier one arrives last

    world.update = slow
    world.handle(UPDATE)
    assert "Ticket Created: PROJ-1" in only(world)


def test_an_update_of_a_preview_that_is_not_posted_does_nothing(world) -> None:
    decide(world)
    world.handle(UPDATE)
    assert world.slack == {}


def test_a_deleted_preview_of_a_decided_draft_is_left_alone(world) -> None:
    world.handle(POST)
    decide(world)
    world.update = failing(times=9, error=errors.NotFoundError("message_not_found"))(world.update)
    world.handle(UPDATE)
    assert "preview_gone" in world.logger.messages()
    assert world.store.read("sess-1", HASH).draft.preview_number == 0  # no other is posted: the draft is decided


def test_a_created_issue_is_confirmed_in_the_thread_once(world) -> None:
    world.handle(POST)
    decide(world)
    create(world)
    for _ in range(3):
        world.handle(UPDATE)
    assert [message.text for message in world.threads] == [
        "Created <https://jira.example.com/browse/PROJ-1|PROJ-1> for <@U0REQUEST>."
    ]


def test_a_resubmitted_draft_is_pointed_to_its_issue_once(world) -> None:
    world.handle(POST)
    decide(world)
    create(world)
    world.handle(UPDATE)
    for _ in range(2):
        world.service.submit(DRAFT)
        world.handle(world.queue[-1].message)
    assert len(world.threads) == 2
    assert "already has a Jira issue" in world.threads[1].text


def test_a_failure_of_slack_does_not_touch_the_issue(world) -> None:
    world.handle(POST)
    decide(world)
    create(world)
    world.update = failing(times=1)(world.update)
    with pytest.raises(errors.ConnectionLostError):
        world.handle(UPDATE)
    assert world.operations.was_already_created(OperationId("sess-1", HASH)) == "PROJ-1"
    world.handle(UPDATE)
    assert "Ticket Created" in only(world)


class Answers:
    """Where answers go."""

    def __init__(self, world: World, *, url: Exception | None = None, api: Exception | None = None) -> None:
        self.by_url: list[tuple[str, str]] = []
        self.by_api: list[tuple[str, str]] = []

        def respond(response_url, text):
            if url is not None:
                raise url
            self.by_url.append((response_url, text))

        def ephemeral(channel, user, text):
            if api is not None:
                raise api
            self.by_api.append((user, text))

        world.respond, world.post_ephemeral = respond, ephemeral


def click(**given) -> AnswerClick:
    return AnswerClick(
        session_id="sess-1", draft_hash=HASH, user="U0ANN", text="Told.", **{"response_url": "u", "channel": "C1", **given}
    )


def test_a_click_is_answered_by_its_url(world) -> None:
    answers = Answers(world)
    world.handle(click())
    assert (answers.by_url, answers.by_api) == ([("u", "Told.")], [])


@pytest.mark.parametrize("url", [None, errors.NotFoundError("used_url")])
def test_a_click_without_a_usable_url_is_answered_by_the_api(world, url) -> None:
    answers = Answers(world, url=url)
    world.handle(click(response_url="u" if url else ""))
    assert answers.by_api == [("U0ANN", "Told.")]


def test_an_answer_that_cant_be_delivered_is_logged(world) -> None:
    Answers(world, url=errors.NotFoundError("used_url"), api=errors.PermanentError("user_not_in_channel"))
    world.handle(click())
    assert "click_not_answered" in world.logger.messages()


def test_an_answer_is_retried_if_slack_is_too_busy(world) -> None:
    Answers(world, url=errors.ThrottledError("ratelimited"))
    with pytest.raises(errors.ThrottledError):
        world.handle(click())


# A draft that is longer than a message

LONG = make_draft(session_id="sess-2", problem="p" * 9_000, solution="s" * 9_000, risks=["r" * 1_000] * 9)
LONG_HASH = drafts.draft_hash(LONG)
POST_LONG = PostPreview(session_id="sess-2", draft_hash=LONG_HASH)
REPLIES = preview.thread(LONG)


def stored(world: World):
    return world.store.read("sess-2", LONG_HASH).draft


def buttons(world: World) -> dict[str, str]:
    (message,) = world.slack.values()
    return buttons_of({"blocks": message.blocks})


@pytest.fixture
def long_draft(world) -> World:
    world.service.submit(LONG)
    return world


def test_a_long_draft_is_posted_whole_before_its_buttons_appear(long_draft) -> None:
    seen = []
    send = long_draft.post

    def post(*args, **kwargs):
        seen.append(bool(long_draft.slack) and buttons(long_draft))
        return send(*args, **kwargs)

    long_draft.post = post
    long_draft.handle(POST_LONG)

    assert long_draft.threads == REPLIES
    assert len(REPLIES) > 1
    assert seen == [False, *[{}] * len(REPLIES)]
    assert buttons(long_draft).keys() == {"approve_draft", "reject_draft"}
    assert stored(long_draft).previews == {f"C1/{stored(long_draft).preview_ts}"}


def test_the_messages_of_a_preview_are_a_second_apart(long_draft) -> None:
    times = []
    send = long_draft.post
    long_draft.post = lambda *args, **kwargs: (times.append(long_draft.time), send(*args, **kwargs))[1]
    long_draft.handle(POST_LONG)
    assert {(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)} == {1.0}


@pytest.mark.parametrize("fails_at", range(len(REPLIES) + 1))
@pytest.mark.parametrize("after", [False, True])
def test_an_interrupted_preview_continues_where_it_stopped(long_draft, fails_at, after) -> None:
    posts = itertools.count()
    send = long_draft.post

    def post(*args, **kwargs):
        breaks = next(posts) == fails_at
        if not breaks or after:
            posted = send(*args, **kwargs)
        if breaks:
            raise errors.ConnectionLostError("Slack")
        return posted

    long_draft.post = post
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


def test_a_reply_whose_record_was_lost_is_not_posted_again(long_draft) -> None:
    record = long_draft.store.count_replies
    long_draft.store.count_replies = failing(times=1, after=True)(record)
    with pytest.raises(errors.ConnectionLostError):
        long_draft.handle(POST_LONG)
    long_draft.handle(POST_LONG)
    assert long_draft.threads == REPLIES


def test_an_attempt_that_lost_its_claim_posts_no_more_replies(long_draft) -> None:
    send = long_draft.post

    def post_slowly(*args, **kwargs):
        long_draft.post = send
        posted = send(*args, **kwargs)
        long_draft.advance(timedelta(minutes=10))  # the lease is over
        long_draft.handle(POST_LONG)
        return posted

    long_draft.post = post_slowly
    with pytest.raises(errors.SwitchboardError):
        long_draft.handle(POST_LONG)

    assert long_draft.threads == REPLIES
    overtaken, current = long_draft.slack.values()
    assert buttons_of({"blocks": overtaken.blocks}) == {}
    assert buttons_of({"blocks": current.blocks})


def test_a_deleted_preview_is_posted_again_with_its_thread(long_draft) -> None:
    long_draft.handle(POST_LONG)
    first = stored(long_draft).preview_ts
    update = long_draft.update
    long_draft.slack.clear()

    def gone(posted, message):
        if posted.ts == first:
            raise errors.NotFoundError("message_not_found")
        update(posted, message)

    long_draft.update = gone
    long_draft.service.submit(LONG)
    long_draft.handle(POST_LONG)

    second = stored(long_draft).preview_ts
    assert long_draft.replies == {first: REPLIES, second: REPLIES}
    assert stored(long_draft).previews == {f"C1/{first}", f"C1/{second}"}
    assert buttons(long_draft)


def test_a_preview_that_is_deleted_while_it_is_posted_is_posted_again(long_draft) -> None:
    send = long_draft.post

    def post(channel, message, *, thread_ts=""):
        if thread_ts:
            long_draft.post = send
            long_draft.slack.clear()
            raise errors.NotFoundError("thread_not_found")
        return send(channel, message)

    long_draft.post = post
    with pytest.raises(errors.UnavailableError, match="was deleted"):
        long_draft.handle(POST_LONG)
    long_draft.handle(POST_LONG)
    assert long_draft.replies == {stored(long_draft).preview_ts: REPLIES}
    assert buttons(long_draft)


def test_a_preview_is_not_posted_again_for_ever(world) -> None:
    world.update = failing(times=99, error=errors.NotFoundError("message_not_found"))(world.update)
    for _ in range(repository.MAX_PREVIEWS + 3):
        world.handle(POST)
    assert len(world.slack) == repository.MAX_PREVIEWS


# A preview that Slack refuses


def refuse(world: World, message=POST) -> None:
    """Handle a message about a draft for the configured channel, which Slack refuses."""
    with pytest.raises(errors.PermanentError):
        world.handle(message)


def test_a_refused_channel_of_the_draft_fails_it_without_a_dead_letter(world) -> None:
    own = make_draft(session_id="sess-3", channel="nowhere")
    of_hash = world.service.submit(own).draft_hash
    world.post = failing(times=1, error=refusal("post a message", 200, "channel_not_found"))(world.post)
    world.handle(PostPreview(session_id="sess-3", draft_hash=of_hash))
    again = world.service.submit(own)
    assert (again.state, again.reason) == (SessionState.FAILED, "could not post a message: Slack says channel_not_found")


@pytest.mark.parametrize("code", ["channel_not_found", "not_in_channel", "is_archived", "invalid_blocks"])
def test_a_draft_whose_preview_slack_refuses_fails_and_can_be_retried(world, code) -> None:
    send = world.post
    world.post = failing(times=1, error=refusal("post a message", 200, code))(send)
    refuse(world)

    view = world.store.read("sess-1", HASH)
    assert (view.session.state, view.failure) == (SessionState.FAILED, f"could not post a message: Slack says {code}")
    assert "preview_refused" in world.logger.messages()
    again = world.service.submit(DRAFT)
    assert (again.state, again.reason) == (SessionState.FAILED, view.failure)

    world.settle()
    view = world.store.read("sess-1", HASH)
    assert (view.session.state, view.failure, view.draft.is_shown) == (SessionState.PREVIEW, "", True)
    assert world.service.submit(DRAFT).reason == ""


def test_a_refused_token_fails_the_draft_and_is_retried(world) -> None:
    world.post = failing(times=1, error=refusal("post a message", 200, "invalid_auth"))(world.post)
    with pytest.raises(errors.CredentialRefusedError):
        world.handle(POST)
    assert world.store.read("sess-1", HASH).session.state is SessionState.FAILED
    world.handle(POST)
    assert "Draft for Jira" in only(world)


def test_a_reply_that_slack_refuses_fails_the_draft_until_a_retry(long_draft) -> None:
    send = long_draft.post

    def post(channel, message, *, thread_ts=""):
        if thread_ts:
            raise errors.PermanentError("could not post a message: Slack says is_archived")
        return send(channel, message)

    long_draft.post = post
    refuse(long_draft, POST_LONG)
    assert buttons(long_draft) == {}
    assert long_draft.service.submit(LONG).state is SessionState.FAILED

    long_draft.post = send
    long_draft.handle(POST_LONG)
    assert long_draft.threads == REPLIES
    assert buttons(long_draft)
    assert long_draft.service.submit(LONG).state is SessionState.PREVIEW


def test_a_refused_draft_can_be_replaced_and_is_failed_again(world) -> None:
    world.post = failing(times=1, error=errors.PermanentError("Slack says channel_not_found"))(world.post)
    refuse(world)
    other = make_draft(channel="C0RIGHT")
    assert world.service.submit(other).state is SessionState.PREVIEW
    assert world.service.submit(DRAFT).state is SessionState.FAILED


def test_a_refusal_of_a_replaced_draft_leaves_the_session_alone(world) -> None:
    def post(*args, **kwargs):
        world.service.submit(make_draft(title="Another"))
        raise errors.PermanentError("Slack says channel_not_found")

    world.post = post
    refuse(world)
    assert world.store.read_current("sess-1").session.state is SessionState.PREVIEW


def test_a_refusal_to_post_a_preview_again_leaves_the_first_one_valid(world) -> None:
    world.handle(POST)
    world.update = failing(times=1, error=errors.NotFoundError("message_not_found"))(world.update)
    world.post = failing(times=1, error=errors.PermanentError("Slack says is_archived"))(world.post)
    refuse(world)
    again = world.service.submit(DRAFT)
    assert (again.state, again.reason) == (SessionState.PREVIEW, "Slack says is_archived")
    decide(world)
