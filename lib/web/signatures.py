"""Verifies webhooks: HMAC over the raw body, compared in constant time. Nothing fails open.

``headers`` have their names in title case, as Flask writes them. Each ``verify_…`` accepts any of the secret's values, and
refreshes a stale cache once.

Sources: WebSub (https://www.w3.org/TR/websub/#signature-validation) as Atlassian and Bitbucket use it, and GitHub's webhook
documentation. The method comes before ``=`` and is read first, since Atlassian's page warns that it may change. Slack signs a
time with the body (https://docs.slack.dev/authentication/verifying-requests-from-slack). A sender that cannot sign sends the
secret itself as a token: GitLab does (https://docs.gitlab.com/user/project/integrations/webhooks), or signs as Standard
Webhooks define it (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from lib.platform import clock, errors
from lib.platform.secrets import Secret

# The headers of WebSub signatures, newest first. The last two are from older versions of Atlassian's products.
WEBHOOK_HEADERS = (
    "X-Hub-Signature-256",
    "X-Hub-Signature",
    "X-Atlassian-Webhook-Signature",
    "X-Atlassian-Signature",
)

TOKEN_HEADER = "X-Switchboard-Token"  # noqa: S105 - a name

SLACK_SIGNATURE_HEADER = "X-Slack-Signature"
SLACK_TIMESTAMP_HEADER = "X-Slack-Request-Timestamp"
TOLERANCE = timedelta(minutes=5)
"""A request with a timestamp that differs by more may be a replay."""

GITLAB_TOKEN_HEADER = "X-Gitlab-Token"  # noqa: S105 - a header's name
STANDARD_ID_HEADER = "Webhook-Id"
STANDARD_TIMESTAMP_HEADER = "Webhook-Timestamp"
STANDARD_SIGNATURE_HEADER = "Webhook-Signature"
_STANDARD_SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix

_EPOCH_SECONDS = re.compile(r"[0-9]{1,11}")  # enough digits for the year 5000; int() would accept "١٢" and "1_0"

# SHA-1 is in WebSub's registry, but none of our senders needs it.
_METHODS = frozenset({"sha256", "sha384", "sha512"})


def verify_webhook(headers: Mapping[str, str], body: bytes, secret: Secret) -> None:
    """Verify the WebSub signature of a raw ``body``.

    Raises:
        UnauthenticatedError: the header is missing or malformed, its method unknown, the signature wrong, or no secret is
            configured.
        SwitchboardError: the secret can't be read.
    """
    signature = next((headers[name] for name in WEBHOOK_HEADERS if name in headers), None)
    if signature is None:
        raise errors.UnauthenticatedError("the signature header is missing")
    method, separator, digest = signature.strip().partition("=")
    if not separator or method.lower() not in _METHODS:
        raise errors.UnauthenticatedError("the signature is not of a known method")
    if not secret.any_value(_signs(method.lower(), digest, body)):
        raise errors.UnauthenticatedError("the signature does not match")


def has_token(headers: Mapping[str, str]) -> bool:
    """Whether the token decides about a request: it has one, and no signature, which has priority."""
    return TOKEN_HEADER in headers and not any(name in headers for name in WEBHOOK_HEADERS)


def verify_token(headers: Mapping[str, str], secret: Secret, header: str = TOKEN_HEADER) -> None:
    """Verify the token of a request.

    Raises:
        UnauthenticatedError: the token is missing or wrong, or no secret is configured.
        SwitchboardError: the secret can't be read.
    """
    given = headers.get(header, "").strip().encode(errors="replace")
    if not secret.any_value(lambda value: hmac.compare_digest(value.encode(), given)):
        raise errors.UnauthenticatedError("the token does not match")


def verify_git(headers: Mapping[str, str], body: bytes, secret: Secret, now: datetime) -> None:
    """Verify that a Git host sent the raw ``body``. The first proof in the request decides.

    The order: a WebSub signature (GitHub, Bitbucket), a Standard Webhooks signature within five minutes of ``now`` (GitLab with
    a signing token), the secret itself as a token (GitLab). If the signature is wrong, the token does not count.

    Raises:
        UnauthenticatedError: the proof is missing, malformed, wrong or too far off in time, or no secret is configured.
        SwitchboardError: the secret can't be read.
    """
    if any(name in headers for name in WEBHOOK_HEADERS):
        verify_webhook(headers, body, secret)
    elif STANDARD_SIGNATURE_HEADER in headers:
        _verify_standard(headers, body, secret, now)
    elif GITLAB_TOKEN_HEADER in headers:
        verify_token(headers, secret, GITLAB_TOKEN_HEADER)
    else:
        raise errors.UnauthenticatedError("the signature header is missing")


def _verify_standard(headers: Mapping[str, str], body: bytes, secret: Secret, now: datetime) -> None:
    identifier, timestamp = headers.get(STANDARD_ID_HEADER), headers.get(STANDARD_TIMESTAMP_HEADER)
    if not identifier or timestamp is None:
        raise errors.UnauthenticatedError("the id or timestamp header of the signature is missing")
    _check_time(timestamp, now)
    signed = f"{identifier}.{timestamp}.".encode(errors="replace") + body
    given = [value.encode(errors="replace") for value in headers[STANDARD_SIGNATURE_HEADER].split()]

    def matches(value: str) -> bool:
        signature = b"v1," + base64.b64encode(hmac.digest(_standard_key(value), signed, "sha256"))
        matching = [hmac.compare_digest(signature, one) for one in given]
        return any(matching)

    if not secret.any_value(matches):
        raise errors.UnauthenticatedError("the signature does not match")


def _standard_key(secret: str) -> bytes:
    """The key of a secret: the base64 bytes after ``whsec_``, or any other secret unchanged."""
    if secret.startswith(_STANDARD_SECRET_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_STANDARD_SECRET_PREFIX), validate=True)
        except ValueError:  # not base64, or not ASCII
            return secret.encode()
        return key or secret.encode()
    return secret.encode()


def verify_slack(headers: Mapping[str, str], body: bytes, secret: Secret, now: datetime) -> None:
    """Verify that Slack sent the raw ``body`` within five minutes of ``now``.

    A request replayed within the five minutes passes, so its effect must be idempotent.

    Raises:
        UnauthenticatedError: a header is missing or malformed, the time too far off, the signature wrong, or no secret is
            configured.
        SwitchboardError: the secret can't be read.
    """
    timestamp, signature = headers.get(SLACK_TIMESTAMP_HEADER), headers.get(SLACK_SIGNATURE_HEADER)
    if timestamp is None or signature is None:
        raise errors.UnauthenticatedError("the signature or timestamp header is missing")
    _check_time(timestamp, now)
    version, _, digest = signature.partition("=")
    if version != "v0":
        raise errors.UnauthenticatedError("the signature is not of a known version")
    signed = b"v0:" + timestamp.encode() + b":" + body
    if not secret.any_value(_signs("sha256", digest, signed)):
        raise errors.UnauthenticatedError("the signature does not match")


def _check_time(timestamp: str, now: datetime) -> None:
    if not _EPOCH_SECONDS.fullmatch(timestamp):
        raise errors.UnauthenticatedError("the timestamp is not a number of seconds")
    if abs(clock.epoch_ms(now) - int(timestamp) * 1000) > TOLERANCE / timedelta(milliseconds=1):
        raise errors.UnauthenticatedError("the timestamp is more than 5 minutes off")


def _signs(method: str, digest: str, body: bytes) -> Callable[[str], bool]:
    given = digest.strip().lower().encode(errors="replace")  # bytes: compare_digest refuses text that is not ASCII
    return lambda value: hmac.compare_digest(hmac.digest(value.encode(), body, method).hex().encode(), given)
