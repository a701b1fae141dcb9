"""A request is Slack's if its signature and its time are right, and otherwise nobody's."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from lib.platform import errors
from lib.platform.secrets import Secret
from lib.web.signatures import verify_slack
from tests.support.aws.secrets import SecretsManager

# Slack's own vector: https://docs.slack.dev/authentication/verifying-requests-from-slack
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TIMESTAMP = "1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
    b".803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
SENT = datetime.fromtimestamp(int(TIMESTAMP), UTC)


def verify(timestamp=TIMESTAMP, signature=SIGNATURE, body=BODY, secret=None, now=SENT) -> None:
    headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}
    given = {name: value for name, value in headers.items() if value is not None}
    verify_slack(given, body, secret or Secret(SecretsManager(SECRET), "arn"), now)


def sign(timestamp: str, body: bytes, secret: str = SECRET) -> str:
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()


def test_slacks_own_vector_passes() -> None:
    verify()


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_request_within_five_minutes_passes(seconds) -> None:
    verify(now=SENT + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [301, 86_400, -301, -86_400])
def test_a_signed_request_too_far_off_in_time_is_refused(seconds) -> None:
    with pytest.raises(errors.UnauthenticatedError, match="5 minutes"):
        verify(now=SENT + timedelta(seconds=seconds))


def test_a_replay_with_a_new_timestamp_is_refused() -> None:
    now = SENT + timedelta(hours=1)
    with pytest.raises(errors.UnauthenticatedError, match="does not match"):
        verify(timestamp=str(int(now.timestamp())), now=now)


@pytest.mark.parametrize(
    "timestamp", ["", "now", "1531420618.5", " 1531420618", "-1531420618", "1_531_420_618", "١٥", "1e9", "9" * 400]
)
def test_a_timestamp_that_is_not_a_number_is_refused(timestamp) -> None:
    with pytest.raises(errors.UnauthenticatedError, match="not a number"):
        verify(timestamp=timestamp, signature=sign(timestamp, BODY))


@pytest.mark.parametrize("missing", ["timestamp", "signature"])
def test_a_missing_header_is_refused(missing) -> None:
    with pytest.raises(errors.UnauthenticatedError, match="missing"):
        verify(**{missing: None})


@pytest.mark.parametrize(
    "signature",
    ["", "v0", "v0=", "v1=" + SIGNATURE[3:], SIGNATURE[3:], "v0=" + "0" * 64, SIGNATURE + "0", "v0=ü"],
)
def test_a_wrong_signature_is_refused(signature) -> None:
    with pytest.raises(errors.UnauthenticatedError):
        verify(signature=signature)


def test_one_changed_byte_of_the_body_is_refused() -> None:
    with pytest.raises(errors.UnauthenticatedError):
        verify(body=BODY.replace(b"roadrunner", b"roadrunneR"))


def test_nothing_passes_without_a_secret() -> None:
    for secret in (Secret(SecretsManager(), ""), Secret(SecretsManager(""), "arn")):
        with pytest.raises(errors.UnauthenticatedError):
            verify(signature=sign(TIMESTAMP, BODY, ""), secret=secret)


def test_the_previous_secret_still_counts() -> None:
    verify(secret=Secret(SecretsManager(SECRET, "new"), "arn"))


def test_a_secret_rotated_since_it_was_cached_is_read_again() -> None:
    manager = SecretsManager("old")
    secret = Secret(manager, "arn")
    secret.values()
    manager.rotate(SECRET)

    verify(secret=secret)
