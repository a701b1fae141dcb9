"""How Git hosts prove who they are: a WebSub signature, GitLab's token, and Standard Webhooks. Nothing fails open."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from lib.platform import errors
from lib.platform.secrets import Secret
from lib.web.signatures import verify_git
from tests.support.aws.secrets import SecretsManager
from tests.support.stopwatch import Stopwatch

BODY = b'{"object_kind": "push"}'
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = b"a key of 24 bytes, more."
SECRET = "whsec_" + base64.b64encode(KEY).decode()

# From the reference implementation of Standard Webhooks (libraries/python/tests/test_webhooks.py).
VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "Webhook-Timestamp": "1614265330",
    "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def secret_of(*values: str) -> Secret:
    return Secret(SecretsManager(*values), "arn", Stopwatch())


def standard(key: bytes = KEY, *, at: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    digest = hmac.digest(key, f"msg_1.{timestamp}.".encode() + body, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": timestamp, "Webhook-Signature": signature}


def websub(secret: str) -> dict[str, str]:
    return {"X-Hub-Signature": "sha256=" + hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()}


def refused(headers: dict[str, str], secret: Secret, match: str | None = None, body: bytes = BODY) -> None:
    with pytest.raises(errors.UnauthenticatedError, match=match):
        verify_git(headers, body, secret, NOW)


def test_the_published_vector_is_accepted() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    verify_git(VECTOR, VECTOR_BODY, secret_of(VECTOR_SECRET), at)


def test_each_proof_is_accepted() -> None:
    verify_git(websub(SECRET), BODY, secret_of(SECRET), NOW)
    verify_git({"X-Gitlab-Token": SECRET}, BODY, secret_of(SECRET), NOW)
    verify_git(standard(), BODY, secret_of(SECRET), NOW)


@pytest.mark.parametrize("raw", ["a secret", "whsec_not base64", "whsec_", "whsec_gehe\u00edm"])
def test_a_secret_that_is_not_base64_is_the_key_itself(raw: str) -> None:
    verify_git(standard(raw.encode()), BODY, secret_of(raw), NOW)
    refused(standard(b""), secret_of(raw), "does not match")


def test_one_valid_signature_of_several_is_enough() -> None:
    headers = standard()
    headers["Webhook-Signature"] = f"v1,{'A' * 43}= v1a,x {headers['Webhook-Signature']} \u00e9"
    verify_git(headers, BODY, secret_of(SECRET), NOW)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_signature_of_five_minutes_ago_or_ahead_is_accepted(seconds: int) -> None:
    verify_git(standard(at=NOW + timedelta(seconds=seconds)), BODY, secret_of(SECRET), NOW)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_signature_further_off_in_time_is_refused(seconds: int) -> None:
    refused(standard(at=NOW + timedelta(seconds=seconds)), secret_of(SECRET), "more than 5 minutes off")


@pytest.mark.parametrize(
    "change",
    [
        {"Webhook-Id": "msg_2"},
        {"Webhook-Id": ""},
        {"Webhook-Timestamp": ""},
        {"Webhook-Timestamp": "soon"},
        {"Webhook-Timestamp": "1772366401"},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,"},
        {"Webhook-Signature": "v2," + standard()["Webhook-Signature"][3:]},
        {"Webhook-Signature": standard()["Webhook-Signature"][3:]},
        {"Webhook-Signature": standard(b"another key")["Webhook-Signature"]},
    ],
)
def test_a_changed_standard_signature_is_refused(change: dict[str, str]) -> None:
    refused(standard() | change, secret_of(SECRET))


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp"])
def test_a_standard_signature_without_a_header_is_refused(name: str) -> None:
    headers = standard()
    del headers[name]
    refused(headers, secret_of(SECRET), "missing")


def test_a_changed_body_is_refused() -> None:
    refused(standard(), secret_of(SECRET), body=BODY + b" ")


@pytest.mark.parametrize("token", ["", "wrong", SECRET[:-1], SECRET + "x", "\u00e9", "\udc80"])
def test_a_wrong_token_is_refused(token: str) -> None:
    refused({"X-Gitlab-Token": token}, secret_of(SECRET), "does not match")


def test_no_proof_is_refused() -> None:
    refused({}, secret_of(SECRET), "missing")


@pytest.mark.parametrize("headers", [{"X-Gitlab-Token": ""}, {"X-Gitlab-Token": "x"}, standard(b""), standard()])
def test_without_a_secret_everything_is_refused(headers: dict[str, str]) -> None:
    refused(headers, Secret(SecretsManager(""), ""))
    refused(headers, secret_of(""))


def test_a_valid_token_beside_a_wrong_signature_does_not_count() -> None:
    refused({"X-Gitlab-Token": SECRET, **standard(b"another key")}, secret_of(SECRET))
    refused({"X-Gitlab-Token": SECRET, **websub("another")}, secret_of(SECRET))


def test_after_a_rotation_both_values_are_accepted_by_each_proof() -> None:
    manager = SecretsManager("first")
    secret = Secret(manager, "arn", Stopwatch())
    verify_git({"X-Gitlab-Token": "first"}, BODY, secret, NOW)
    manager.rotate("second")
    for value in ("second", "first"):
        verify_git({"X-Gitlab-Token": value}, BODY, secret, NOW)
        verify_git(standard(value.encode()), BODY, secret, NOW)
