"""Previews are posted once, kept true, and no failure of Slack touches the issue."""

import pytest

from lib import errors
from lib.approvals import drafts, preview
from lib.approvals.messages import AnswerClick, PostPreview, UpdatePreview
from lib.approvals.operations import OperationId
from lib.approvals.records import Approval
from tests.support.approvals import make_draft
from tests.support.approvals_world import JIRA_URL, World
from tests.support.slack_limits import shown

DRAFT = make_draft()
HASH = drafts.draft_hash(DRAFT)
POST = PostPreview(session_id="sess-1", draft_hash=HASH)
UPDATE = UpdatePreview(session_id="sess-1", draft_hash=HASH)


@pytest.fixture
def world() -> World:
    world = World()
    world.desk.submit(DRAFT)
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
        world.worker.handle(POST)
    assert "Draft for Jira" in only(world)
    assert world.store.read("sess-1", HASH).draft.preview_channel == "C1"


def test_the_drafts_own_channel_comes_before_the_configured_one(world) -> None:
    other = make_draft(session_id="sess-2", channel="C0OWN")
    world.desk.submit(other)
    world.worker.handle(PostPreview(session_id="sess-2", draft_hash=drafts.draft_hash(other)))
    assert world.store.read("sess-2", drafts.draft_hash(other)).draft.preview_channel == "C0OWN"


def test_a_preview_whose_draft_has_changed_before_it_was_posted_is_not_posted(world) -> None:
    world.desk.submit(make_draft(title="Another"))
    world.worker.handle(POST)
    assert world.slack == {}


def test_a_post_that_failed_is_posted_by_the_next_delivery(world) -> None:
    world.post = failing(times=1)(world.post)
    with pytest.raises(errors.ConnectionLostError):
        world.worker.handle(POST)
    world.worker.handle(POST)
    assert "Draft for Jira" in only(world)


def test_while_another_attempt_posts_the_message_comes_again(world) -> None:
    refused = []

    def post_while_another_comes(*args, **kwargs):
        with pytest.raises(errors.UnavailableError, match="another attempt") as caught:
            world.worker.handle(POST)
        refused.append(caught.value)
        return World.post(world, *args, **kwargs)

    world.post = post_while_another_comes
    world.worker.handle(POST)

    assert len(refused) == 1
    assert len(world.slack) == 1


def test_a_preview_that_was_decided_on_while_it_was_being_posted_ends_up_true(world) -> None:
    def post_slowly(*args, **kwargs):
        decide(world)
        return World.post(world, *args, **kwargs)

    world.post = post_slowly
    world.worker.handle(POST)
    assert "Draft approved" in only(world)


def test_a_draft_that_is_submitted_again_heals_a_preview_that_shows_an_earlier_state(world) -> None:
    world.worker.handle(POST)
    decide(world, approved=False)  # and nobody updated the preview
    world.worker.handle(POST)
    assert "Draft rejected" in only(world)


def test_an_update_shows_what_is_true_when_it_comes(world) -> None:
    world.worker.handle(POST)
    decide(world, approved=False)
    world.worker.handle(UPDATE)
    assert "Draft rejected" in only(world)


def test_an_update_overtaken_by_a_later_state_ends_in_the_later_state(world) -> None:
    world.worker.handle(POST)
    decide(world)
    original = world.update

    def slow(posted, message):
        world.update = original
        create(world)
        world.worker.handle(UPDATE)  # the later one overtakes
        original(posted, message)  # and the earlier one arrives last

    world.update = slow
    world.worker.handle(UPDATE)
    assert "Ticket Created: PROJ-1" in only(world)


def test_an_update_of_a_preview_that_is_not_posted_does_nothing(world) -> None:
    decide(world)
    world.worker.handle(UPDATE)
    assert world.slack == {}


def test_a_preview_that_somebody_deleted_is_left_alone(world) -> None:
    world.worker.handle(POST)
    decide(world)
    world.update = failing(times=9, error=errors.NotFoundError("message_not_found"))(world.update)
    world.worker.handle(UPDATE)
    assert "preview_gone" in world.logger.messages()


def test_a_created_issue_is_confirmed_in_the_thread_once(world) -> None:
    world.worker.handle(POST)
    decide(world)
    create(world)
    for _ in range(3):
        world.worker.handle(UPDATE)
    assert [message.text for message in world.threads] == [
        "Created <https://jira.example.com/browse/PROJ-1|PROJ-1> for <@U0REQUEST>."
    ]


def test_a_draft_that_comes_again_after_its_issue_is_pointed_to_it_once(world) -> None:
    world.worker.handle(POST)
    decide(world)
    create(world)
    world.worker.handle(UPDATE)
    for _ in range(2):
        world.desk.submit(DRAFT)
        world.worker.handle(world.queue[-1].message)
    assert len(world.threads) == 2
    assert "has its ticket already" in world.threads[1].text


def test_slacks_failure_leaves_the_issue_as_it_is_and_is_made_good_later(world) -> None:
    world.worker.handle(POST)
    decide(world)
    create(world)
    world.update = failing(times=1)(world.update)
    with pytest.raises(errors.ConnectionLostError):
        world.worker.handle(UPDATE)
    assert world.operations.was_already_created(OperationId("sess-1", HASH)) == "PROJ-1"
    world.worker.handle(UPDATE)
    assert "Ticket Created" in only(world)


class Answers:
    """Where answers go."""

    def __init__(self, world: World, *, url: Exception | None = None, api: Exception | None = None) -> None:
        self.by_url: list[tuple[str, str, list]] = []
        self.by_api: list[tuple[str, str]] = []

        def respond(response_url, text, blocks):
            if url is not None:
                raise url
            self.by_url.append((response_url, text, list(blocks)))

        def ephemeral(channel, user, text, blocks):
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
    world.worker.handle(click())
    assert (answers.by_url, answers.by_api) == ([("u", "Told.", [])], [])


@pytest.mark.parametrize("url", [None, errors.NotFoundError("used_url")])
def test_a_click_whose_url_is_missing_or_used_up_is_answered_by_the_api(world, url) -> None:
    answers = Answers(world, url=url)
    world.worker.handle(click(response_url="u" if url else ""))
    assert answers.by_api == [("U0ANN", "Told.")]


def test_a_click_that_nobody_can_be_told_of_is_logged_and_done(world) -> None:
    Answers(world, url=errors.NotFoundError("used_url"), api=errors.PermanentError("user_not_in_channel"))
    world.worker.handle(click())
    assert "click_not_answered" in world.logger.messages()


def test_an_answer_that_slack_is_too_busy_for_comes_again(world) -> None:
    Answers(world, url=errors.ThrottledError("ratelimited"))
    with pytest.raises(errors.ThrottledError):
        world.worker.handle(click())


def test_the_answer_to_a_click_on_a_changed_draft_shows_the_current_one(world) -> None:
    answers = Answers(world)
    new = make_draft(title="Another")
    world.desk.submit(new)
    world.worker.handle(click(show_current=True))
    ((_, text, blocks),) = answers.by_url
    current = preview.render(world.store.read("sess-1", drafts.draft_hash(new)), JIRA_URL)
    assert blocks == [preview.text_block("Told."), *current.blocks]
    assert text == "Told."
