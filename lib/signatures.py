"""Webhook signatures: HMAC over the raw body, compared in constant time, and nothing fails open.

Sources: WebSub (https://www.w3.org/TR/websub/#signature-validation) as Atlassian and Bitbucket use it, GitHub's webhook
documentation. The method stands before ``=`` and is read first, since Atlassian's page warns that it may change. Slack
signs a time with the body (https://docs.slack.dev/authentication/verifying-requests-from-slack). A sender that cannot sign
sends the secret itself as a token.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from lib import clock, errors
from lib.secrets import Secret

#: Headers that carry a WebSub signature, newest first. Two are of older Atlassian set-ups.
WEBHOOK_HEADERS = (
    "X-Hub-Signature-256",
    "X-Hub-Signature",
    "X-Atlassian-Webhook-Signature",
    "X-Atlassian-Signature",
)

TOKEN_HEADER = "X-Switchboard-Token"  # noqa: S105 - a name

SLACK_SIGNATURE_HEADER = "X-Slack-Signature"
SLACK_TIMESTAMP_HEADER = "X-Slack-Request-Timestamp"
SLACK_TOLERANCE = timedelta(minutes=5)
"""A request that says it is older, or from further ahead, may be a replay."""

_EPOCH_SECONDS = re.compile(r"[0-9]{1,11}")  # as many digits as the year 5000 needs; int() would take "١٢" and "1_0"

# SHA-1 is in WebSub's registry and refused here: no sender of ours needs it.
_METHODS = frozenset({"sha256", "sha384", "sha512"})


def verify_webhook(headers: Mapping[str, str], body: bytes, secret: Secret) -> None:
    """Check the signature of a raw ``body`` by any of the secret's values, refreshing a stale cache once.

    ``headers`` has its names in title case, as Flask writes every header's.

    Raises:
        UnauthenticatedError: the header is missing or malformed, its method unknown, the signature wrong, or no secret is
            set.
        SwitchboardError: the secret can't be read.
    """
    signature = next((headers[name] for name in WEBHOOK_HEADERS if name in headers), None)
    if signature is None:
        raise errors.UnauthenticatedError("the signature header is missing")
    method, separator, digest = signature.strip().partition("=")
    if not separator or method.lower() not in _METHODS:
        raise errors.UnauthenticatedError("the signature is not of a known method")
    if not _any_value(secret, _signs(method.lower(), digest, body)):
        raise errors.UnauthenticatedError("the signature does not match")


def has_token(headers: Mapping[str, str]) -> bool:
    """Whether a request is to be judged by its token: it has one, and no signature, which always comes first."""
    return TOKEN_HEADER in headers and not any(name in headers for name in WEBHOOK_HEADERS)


def verify_token(headers: Mapping[str, str], secret: Secret) -> None:
    """Check the token of a request against any of the secret's values, refreshing a stale cache once.

    ``headers`` has its names in title case, as Flask writes every header's.

    Raises:
        UnauthenticatedError: the token is missing or wrong, or no secret is set.
        SwitchboardError: the secret can't be read.
    """
    given = headers.get(TOKEN_HEADER, "").strip().encode(errors="replace")
    if not _any_value(secret, lambda value: hmac.compare_digest(value.encode(), given)):
        raise errors.UnauthenticatedError("the token does not match")


def verify_slack(headers: Mapping[str, str], body: bytes, secret: Secret, now: datetime) -> None:
    """Check that Slack sent the raw ``body`` within five minutes of ``now``, refreshing a stale cache once.

    A request replayed within the five minutes passes: what it asks for must be idempotent.

    Raises:
        UnauthenticatedError: a header is missing or malformed, the time too far off, the signature wrong, or no secret is
            set.
        SwitchboardError: the secret can't be read.
    """
    timestamp, signature = headers.get(SLACK_TIMESTAMP_HEADER), headers.get(SLACK_SIGNATURE_HEADER)
    if timestamp is None or signature is None:
        raise errors.UnauthenticatedError("the signature or timestamp header is missing")
    if not _EPOCH_SECONDS.fullmatch(timestamp):
        raise errors.UnauthenticatedError("the timestamp is no number of seconds")
    if abs(clock.epoch_ms(now) - int(timestamp) * 1000) > SLACK_TOLERANCE / timedelta(milliseconds=1):
        raise errors.UnauthenticatedError("the timestamp is more than 5 minutes off")
    version, _, digest = signature.partition("=")
    if version != "v0":
        raise errors.UnauthenticatedError("the signature is not of a known version")
    signed = b"v0:" + timestamp.encode() + b":" + body
    if not _any_value(secret, _signs("sha256", digest, signed)):
        raise errors.UnauthenticatedError("the signature does not match")


def _any_value(secret: Secret, matches: Callable[[str], bool]) -> bool:
    """Whether any value of the secret matches, once it was read again if the ones that are held do not."""
    return _matches_any(secret, matches) or (secret.refresh() and _matches_any(secret, matches))


def _matches_any(secret: Secret, matches: Callable[[str], bool]) -> bool:
    matched = [matches(value) for value in secret.values() if value]  # all of them, whichever matches
    return any(matched)


def _signs(method: str, digest: str, body: bytes) -> Callable[[str], bool]:
    given = digest.strip().lower().encode(errors="replace")  # bytes: compare_digest refuses text that is not ASCII
    return lambda value: hmac.compare_digest(hmac.digest(value.encode(), body, method).hex().encode(), given)
