"""The error for each of Slack's refusals, and for a missing answer."""

import http.client
import json
from urllib.error import URLError

import pytest

from lib.platform import errors
from lib.slack.errors import no_answer, refusal


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (200, "ratelimited", errors.ThrottledError),
        (200, "service_unavailable", errors.UnavailableError),
        (200, "request_timeout", errors.UnavailableError),
        (200, "internal_error", errors.ConnectionLostError),
        (502, None, errors.ConnectionLostError),
        (200, "token_revoked", errors.CredentialRefusedError),
        (404, "no_service", errors.CredentialRefusedError),
        (200, "message_not_found", errors.NotFoundError),
        (200, "channel_not_found", errors.PermanentError),
    ],
)
def test_each_refusal_has_its_class(status: int, code: str | None, expected: type[errors.SwitchboardError]) -> None:
    assert type(refusal("send the message", status, code)) is expected


@pytest.mark.parametrize("body", ["<html>gateway</html>", {"ok": True}, None], ids=["a page", "not text", "nothing"])
def test_an_unreadable_success_is_ambiguous(body: object) -> None:
    assert isinstance(refusal("post a message", 200, body), errors.AmbiguousError)


def test_an_error_holds_the_attempt_and_slacks_code_but_no_body() -> None:
    assert str(refusal("post a message", 200, "not_in_channel")) == "could not post a message: Slack says not_in_channel"
    assert str(refusal("post a message", 500, "<p>xoxb-secret</p>")) == "could not post a message: Slack answered HTTP 500"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (URLError(ConnectionRefusedError("xoxb-secret")), errors.UnavailableError),
        (http.client.RemoteDisconnected("xoxb-secret"), errors.ConnectionLostError),
        (json.JSONDecodeError("xoxb-secret", "", 0), errors.ConnectionLostError),
        (http.client.InvalidURL("xoxb-secret"), errors.PermanentError),
        (ValueError("unknown url type: xoxb-secret"), errors.PermanentError),
    ],
)
def test_each_silence_has_its_class_and_shows_no_content(error: Exception, expected: type[errors.SwitchboardError]) -> None:
    raised = no_answer("post a message", error)
    assert type(raised) is expected
    assert "xoxb" not in str(raised)
