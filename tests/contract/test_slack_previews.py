"""Slack's API as previews use it: the right calls, and an error class for each failure."""

from collections.abc import Iterator

import pytest

from lib.platform import errors
from lib.platform.secrets import Secret
from lib.slack.blocks import Posted, SlackMessage, section
from lib.slack.client import SlackClient
from tests.support.aws.secrets import SecretsManager
from tests.support.web.server import Server, http_server

MESSAGE = SlackMessage("What notifications say", (section("What people read"),))


@pytest.fixture
def slack() -> Iterator[Server]:
    with http_server() as server:
        yield server


def chat(slack: Server, token: str = "xoxb-1", rotated_to: str = "") -> SlackClient:
    """A client whose cached token may have been rotated since."""
    manager = SecretsManager(token)
    secret = Secret(manager, "arn")
    secret.current()
    if rotated_to:
        manager.rotate(rotated_to)
    return SlackClient(f"{slack.url}/api", secret)


def says(**content):
    return lambda asked: (200, content, {})


def test_a_preview_is_posted_and_identified_as_slack_does(slack) -> None:
    slack.answer = says(ok=True, channel="C0ID", ts="1.2")

    assert chat(slack).post("drafts", MESSAGE) == Posted("C0ID", "1.2")

    (asked,) = slack.asked
    assert asked.path == "/api/chat.postMessage"
    assert asked.headers["Authorization"] == "Bearer xoxb-1"
    sent = asked.json()
    assert (sent["channel"], sent["text"], sent["blocks"]) == ("drafts", MESSAGE.text, list(MESSAGE.blocks))
    assert "thread_ts" not in sent


def test_a_confirmation_goes_into_the_thread(slack) -> None:
    slack.answer = says(ok=True, channel="C0ID", ts="1.3")
    chat(slack).post("C0ID", MESSAGE, thread_ts="1.2")
    assert slack.asked[0].json()["thread_ts"] == "1.2"


def test_a_preview_is_edited_in_place(slack) -> None:
    chat(slack).update(Posted("C0ID", "1.2"), MESSAGE)
    assert slack.asked[0].path == "/api/chat.update"
    assert (slack.asked[0].json()["channel"], slack.asked[0].json()["ts"]) == ("C0ID", "1.2")


def test_the_url_of_a_preview_is_requested(slack) -> None:
    slack.answer = says(ok=True, channel="C0ID", permalink="https://x.slack.com/archives/C0ID/p12")
    assert chat(slack).permalink(Posted("C0ID", "1.2")) == "https://x.slack.com/archives/C0ID/p12"
    assert slack.asked[0].path == "/api/chat.getPermalink"
    assert slack.asked[0].form() == {"channel": "C0ID", "message_ts": "1.2"}


def test_an_answer_is_ephemeral_and_keeps_the_preview(slack) -> None:
    slack.answer = lambda asked: (200, b"ok", {"Content-Type": "text/plain"})

    chat(slack).respond(f"{slack.url}/actions/1", "Only you see this")

    sent = slack.asked[0].json()
    assert (slack.asked[0].path, sent["response_type"], sent["replace_original"]) == ("/actions/1", "ephemeral", False)
    assert sent["text"] == "Only you see this"
    assert "Authorization" not in slack.asked[0].headers


def test_an_answer_by_the_api_names_the_person(slack) -> None:
    chat(slack).post_ephemeral("C0ID", "U0ANN", "Only you")
    assert slack.asked[0].path == "/api/chat.postEphemeral"
    assert slack.asked[0].json()["user"] == "U0ANN"


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        ((200, {"ok": False, "error": "channel_not_found"}, {}), errors.PermanentError),
        ((200, {"ok": False, "error": "invalid_blocks"}, {}), errors.PermanentError),
        ((200, {"ok": False, "error": "message_not_found"}, {}), errors.NotFoundError),
        ((429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "1"}), errors.ThrottledError),
        ((200, {"ok": False, "error": "internal_error"}, {}), errors.AmbiguousError),
        ((502, b"upstream", {"Content-Type": "text/html"}), errors.AmbiguousError),
        ((200, b"{cut", {}), errors.AmbiguousError),
        (None, errors.AmbiguousError),
    ],
)
def test_each_failure_has_its_class_and_nothing_is_sent_twice(slack, answer, means) -> None:
    slack.answer = lambda asked: answer
    with pytest.raises(means):
        chat(slack).post("C0ID", MESSAGE)
    assert len(slack.asked) == 1


@pytest.mark.parametrize(
    ("status", "means"),
    [(404, errors.NotFoundError), (410, errors.NotFoundError), (429, errors.ThrottledError), (500, errors.AmbiguousError)],
)
def test_each_failure_of_an_answer_has_its_class(slack, status, means) -> None:
    slack.answer = lambda asked: (status, b"used_url", {"Content-Type": "text/plain"})
    with pytest.raises(means):
        chat(slack).respond(f"{slack.url}/actions/1", "text")
    assert len(slack.asked) == 1


def test_a_missing_server_is_unavailable() -> None:
    with http_server() as gone:
        pass
    with pytest.raises(errors.UnavailableError):
        chat(gone).post("C0ID", MESSAGE)


def test_a_rotated_token_is_read_again_and_used(slack) -> None:
    def only_new(asked):
        fine = asked.headers["Authorization"] == "Bearer xoxb-new"
        return 200, ({"ok": True, "channel": "C", "ts": "1"} if fine else {"ok": False, "error": "invalid_auth"}), {}

    slack.answer = only_new
    assert chat(slack, "xoxb-old", "xoxb-new").post("C", MESSAGE).ts == "1"
    with pytest.raises(errors.PermanentError):
        chat(slack, "xoxb-old").post("C", MESSAGE)


def test_no_error_contains_a_token_or_a_response_url(slack) -> None:
    slack.answer = lambda asked: (500, b"xoxb-1 hooks", {"Content-Type": "text/plain"})
    for call in (
        lambda: chat(slack).post("C", MESSAGE),
        lambda: chat(slack).respond(f"{slack.url}/actions/secret", "text"),
    ):
        with pytest.raises(errors.SwitchboardError) as caught:
            call()
        assert "xoxb-1" not in str(caught.value)
        assert "secret" not in str(caught.value)
