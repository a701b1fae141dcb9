"""Webhook signatures: HMAC over the raw body, compared in constant time, and nothing fails open.

Sources: WebSub (https://www.w3.org/TR/websub/#signature-validation) as Atlassian and Bitbucket use it, GitHub's webhook
documentation. The method stands before ``=`` and is read first, since Atlassian's page warns that it may change.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from lib import errors
from lib.secrets import Secret

#: Headers that carry a WebSub signature, newest first. Two are of older Atlassian set-ups.
WEBHOOK_HEADERS = (
    "X-Hub-Signature-256",
    "X-Hub-Signature",
    "X-Atlassian-Webhook-Signature",
    "X-Atlassian-Signature",
)

# SHA-1 is in WebSub's registry and refused here: no sender of ours needs it.
_METHODS = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


def verify_webhook(headers: Mapping[str, str], body: bytes, secret: Secret, names: Iterable[str] = WEBHOOK_HEADERS) -> None:
    """Check the signature of a raw ``body`` by any of the secret's values, refreshing a stale cache once.

    ``headers`` must look names up whatever their case, as Flask's do.

    Raises:
        UnauthenticatedError: the header is missing or malformed, its method unknown, the signature wrong, or no secret is
            set.
        SwitchboardError: the secret can't be read.
    """
    signature = next((headers[name] for name in names if name in headers), None)
    if signature is None:
        raise errors.UnauthenticatedError("the signature header is missing")
    method, separator, digest = signature.strip().partition("=")
    if not separator or method.lower() not in _METHODS:
        raise errors.UnauthenticatedError("the signature is not of a known method")
    if not _any_matches(method.lower(), digest, body, secret.values()) and not (
        secret.refresh() and _any_matches(method.lower(), digest, body, secret.values())
    ):
        raise errors.UnauthenticatedError("the signature does not match")


def _any_matches(method: str, digest: str, body: bytes, secrets: Iterable[str]) -> bool:
    given = digest.strip().lower().encode(errors="replace")  # bytes: compare_digest refuses text that is not ASCII
    matches = [
        hmac.compare_digest(hmac.new(secret.encode(), body, _METHODS[method]).hexdigest().encode(), given)
        for secret in secrets
        if secret
    ]
    return any(matches)
