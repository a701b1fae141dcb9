"""What all who talk to Slack share: text that can do nothing, and what each refusal means."""

import pytest

from lib.platform import errors
from lib.slack import text as slack


def test_nothing_in_a_text_is_a_link_or_a_mention() -> None:
    assert slack.escape("<!channel> a&b <https://example.com|ok>") == "&lt;!channel&gt; a&amp;b &lt;https://example.com|ok&gt;"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (200, "ratelimited", errors.ThrottledError),
        (429, None, errors.ThrottledError),
        (200, "service_unavailable", errors.UnavailableError),
        (200, "request_timeout", errors.UnavailableError),
        (503, None, errors.UnavailableError),
        (200, "internal_error", errors.ConnectionLostError),
        (502, None, errors.ConnectionLostError),
        (200, "token_revoked", errors.CredentialRefusedError),
        (404, "no_service", errors.CredentialRefusedError),
        (200, "message_not_found", errors.NotFoundError),
        (200, "channel_not_found", errors.PermanentError),
        (404, None, errors.PermanentError),
    ],
)
def test_a_refusal_is_sorted_by_whether_something_happened_and_whether_it_may_work_later(
    status: int, code: str | None, expected: type[errors.SwitchboardError]
) -> None:
    assert type(slack.refusal("send the message", status, code)) is expected


@pytest.mark.parametrize("body", ["<html>gateway</html>", {"ok": True}, None], ids=["a page", "no text", "nothing"])
def test_an_answer_that_says_nothing_may_have_been_a_yes(body: object) -> None:
    assert isinstance(slack.refusal("post a message", 200, body), errors.AmbiguousError)


def test_the_error_names_what_was_tried_and_slacks_code_and_never_a_body() -> None:
    assert str(slack.refusal("post a message", 200, "not_in_channel")) == "could not post a message: Slack says not_in_channel"
    assert (
        str(slack.refusal("post a message", 500, "<p>xoxb-secret</p>")) == "could not post a message: Slack answered HTTP 500"
    )
