"""The answer to a click: by the URL of the click, else by Slack's API."""

from typing import Any

import pytest

from lib.approvals.messages import AnswerClick
from lib.platform import errors
from tests.support.approvals.previews import HASH
from tests.support.approvals.world import World


class Answers:
    """Where answers go."""

    def __init__(self, world: World, *, url: Exception | None = None, api: Exception | None = None) -> None:
        self.by_url: list[tuple[str, str]] = []
        self.by_api: list[tuple[str, str]] = []

        def respond(response_url: str, text: str) -> None:
            if url is not None:
                raise url
            self.by_url.append((response_url, text))

        def ephemeral(channel: str, user: str, text: str) -> None:
            if api is not None:
                raise api
            self.by_api.append((user, text))

        world.respond, world.post_ephemeral = respond, ephemeral  # type: ignore[method-assign]


def click(**given: Any) -> AnswerClick:
    return AnswerClick(
        session_id="sess-1", draft_hash=HASH, user="U0ANN", text="Recorded.", **{"response_url": "u", "channel": "C1", **given}
    )


def test_a_click_is_answered_by_its_url(world: World) -> None:
    answers = Answers(world)
    world.handle(click())
    assert (answers.by_url, answers.by_api) == ([("u", "Recorded.")], [])


@pytest.mark.parametrize("url", [None, errors.NotFoundError("used_url")])
def test_a_click_without_a_usable_url_is_answered_by_the_api(world: World, url: Exception | None) -> None:
    answers = Answers(world, url=url)
    world.handle(click(response_url="u" if url else ""))
    assert answers.by_api == [("U0ANN", "Recorded.")]


def test_an_answer_that_cant_be_delivered_is_logged(world: World) -> None:
    Answers(world, url=errors.NotFoundError("used_url"), api=errors.PermanentError("user_not_in_channel"))
    world.handle(click())
    assert "click_not_answered" in world.logger.messages()


def test_an_answer_is_retried_if_slack_is_too_busy(world: World) -> None:
    Answers(world, url=errors.ThrottledError("ratelimited"))
    with pytest.raises(errors.ThrottledError):
        world.handle(click())
