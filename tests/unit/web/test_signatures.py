"""Webhook signatures: Atlassian's own vector, every way to be wrong, and rotation. Nothing fails open."""

import hashlib
import hmac

import pytest

from lib.platform import errors
from lib.platform.secrets import Secret
from lib.web.signatures import has_token, verify_token, verify_webhook
from tests.support.aws.secrets import SecretsManager
from tests.support.stopwatch import Stopwatch

# From Atlassian's page on webhooks, "Secure admin webhooks".
SECRET = "It's a Secret to Everybody"
BODY = b"Hello World!"
DIGEST = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"


def signed(secret: str, body: bytes = BODY) -> dict[str, str]:
    return {"X-Hub-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@pytest.fixture
def secret() -> Secret:
    return Secret(SecretsManager(SECRET), "arn", Stopwatch())


# What is right


@pytest.mark.parametrize(
    "header", ["X-Hub-Signature", "X-Hub-Signature-256", "X-Atlassian-Webhook-Signature", "X-Atlassian-Signature"]
)
def test_the_published_vector_is_accepted_in_every_header(secret: Secret, header: str) -> None:
    verify_webhook({header: f"sha256={DIGEST}"}, BODY, secret)


@pytest.mark.parametrize("value", [f"SHA256={DIGEST}", f"sha256={DIGEST.upper()}", f" sha256={DIGEST} "])
def test_case_and_surrounding_spaces_do_not_matter(secret: Secret, value: str) -> None:
    verify_webhook({"X-Hub-Signature": value}, BODY, secret)


@pytest.mark.parametrize("method", ["sha384", "sha512"])
def test_stronger_methods_are_accepted(secret: Secret, method: str) -> None:
    digest = hmac.new(SECRET.encode(), BODY, method).hexdigest()
    verify_webhook({"X-Hub-Signature": f"{method}={digest}"}, BODY, secret)


def test_the_newest_of_several_headers_counts(secret: Secret) -> None:
    verify_webhook({"X-Hub-Signature": "sha1=old", "X-Hub-Signature-256": f"sha256={DIGEST}"}, BODY, secret)
    with pytest.raises(errors.UnauthenticatedError):
        verify_webhook({"X-Hub-Signature": f"sha256={DIGEST}", "X-Hub-Signature-256": "sha256=00"}, BODY, secret)


def test_a_body_of_any_bytes_is_signed_unchanged() -> None:
    body = b"\xff\x00\r\n"
    verify_webhook(signed("s", body), body, Secret(SecretsManager("s"), "arn"))


# What is wrong


@pytest.mark.parametrize(
    "value",
    [
        "",
        "=",
        "sha256",
        "sha256=",
        DIGEST,
        f"sha1={hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()}",
        f"md5={hmac.new(SECRET.encode(), BODY, hashlib.md5).hexdigest()}",
        f"none={DIGEST}",
        f"sha256={DIGEST[:-1]}",
        f"sha256={DIGEST}0",
        f"sha256={DIGEST}, sha256={DIGEST}",
        "sha256=é",
        "sha256=\udcff",
        "sha256=" + "0" * 100_000,
    ],
)
def test_a_bad_signature_is_refused(secret: Secret, value: str) -> None:
    with pytest.raises(errors.UnauthenticatedError):
        verify_webhook({"X-Hub-Signature": value}, BODY, secret)


def test_a_missing_header_is_refused(secret: Secret) -> None:
    with pytest.raises(errors.UnauthenticatedError, match="missing"):
        verify_webhook({"Authorization": f"sha256={DIGEST}"}, BODY, secret)


def test_another_body_is_refused(secret: Secret) -> None:
    with pytest.raises(errors.UnauthenticatedError, match="does not match"):
        verify_webhook({"X-Hub-Signature": f"sha256={DIGEST}"}, BODY + b" ", secret)


@pytest.mark.parametrize("unset", [Secret(SecretsManager(""), "arn"), Secret(SecretsManager("x"), "")])
def test_an_unset_secret_does_not_switch_the_check_off(unset: Secret) -> None:
    for headers in (signed(""), {}):
        with pytest.raises(errors.UnauthenticatedError):
            verify_webhook(headers, BODY, unset)


def test_an_empty_value_beside_a_valid_one_verifies_nothing() -> None:
    for values in (("", "good"), ("good", "")):
        secret = Secret(SecretsManager(*values), "arn", Stopwatch())
        verify_webhook(signed("good"), BODY, secret)
        with pytest.raises(errors.UnauthenticatedError):
            verify_webhook(signed(""), BODY, secret)


def test_a_secret_that_cannot_be_read_is_not_the_senders_fault() -> None:
    manager = SecretsManager()
    with pytest.raises(errors.PermanentError) as raised:
        verify_webhook(signed("x"), BODY, Secret(manager, "arn"))
    assert errors.http_answer(raised.value).status == 503


def test_no_error_contains_the_signature_or_the_secret(secret: Secret) -> None:
    with pytest.raises(errors.UnauthenticatedError) as raised:
        verify_webhook({"X-Hub-Signature": "sha256=" + "ab" * 32}, BODY, secret)
    assert "abab" not in str(raised.value)
    assert SECRET not in str(raised.value)


# Rotation


def test_a_signature_with_the_previous_secret_is_accepted() -> None:
    secret = Secret(SecretsManager("old", "new"), "arn")
    verify_webhook(signed("old"), BODY, secret)
    verify_webhook(signed("new"), BODY, secret)


def test_a_signature_newer_than_the_cache_is_accepted() -> None:
    manager, stopwatch = SecretsManager("old"), Stopwatch()
    secret = Secret(manager, "arn", stopwatch)
    verify_webhook(signed("old"), BODY, secret)
    manager.rotate("new")
    stopwatch.seconds += 31

    verify_webhook(signed("new"), BODY, secret)


def test_a_secret_rotated_out_twice_is_refused() -> None:
    with pytest.raises(errors.UnauthenticatedError):
        verify_webhook(signed("one"), BODY, Secret(SecretsManager("one", "two", "three"), "arn"))


def test_bad_signatures_do_not_flood_the_service() -> None:
    manager, stopwatch = SecretsManager("one"), Stopwatch()
    secret = Secret(manager, "arn", stopwatch)
    for _ in range(600):
        stopwatch.seconds += 0.1
        with pytest.raises(errors.UnauthenticatedError):
            verify_webhook(signed("forged"), BODY, secret)
    assert manager.reads <= 3


# Tokens


def with_token(token: str) -> dict[str, str]:
    return {"X-Switchboard-Token": token}


def test_every_value_of_the_secret_is_a_token_through_a_rotation() -> None:
    secret = Secret(SecretsManager("one", "two"), "arn")
    for token in ("one", "two", " two "):
        verify_token(with_token(token), secret)


def test_a_new_token_is_read_at_once() -> None:
    manager, stopwatch = SecretsManager("one"), Stopwatch()
    secret = Secret(manager, "arn", stopwatch)
    verify_token(with_token("one"), secret)
    manager.rotate("two")
    stopwatch.seconds += 1
    verify_token(with_token("two"), secret)


@pytest.mark.parametrize("headers", [{}, *map(with_token, ["", " ", "one", "tw", "two2", "TWO", "é", "\ud800"])])
def test_a_missing_wrong_or_old_token_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(errors.UnauthenticatedError):
        verify_token(headers, Secret(SecretsManager("one", "two", "three"), "arn"))


@pytest.mark.parametrize("arn", ["", "arn"])
@pytest.mark.parametrize("token", ["", "token"])
def test_no_token_is_valid_without_a_secret(arn: str, token: str) -> None:
    with pytest.raises(errors.UnauthenticatedError):
        verify_token(with_token(token), Secret(SecretsManager(""), arn))


def test_bad_tokens_do_not_flood_the_service() -> None:
    manager, stopwatch = SecretsManager("one"), Stopwatch()
    secret = Secret(manager, "arn", stopwatch)
    for _ in range(600):
        stopwatch.seconds += 0.1
        with pytest.raises(errors.UnauthenticatedError):
            verify_token(with_token("guessed"), secret)
    assert manager.reads <= 3


def test_a_signature_has_priority_over_a_token() -> None:
    assert has_token(with_token(""))
    assert not has_token(with_token("t") | {"X-Hub-Signature": ""})
    assert not has_token({})
