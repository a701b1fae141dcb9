"""Checks AWS Signature Version 4 of a request, as API Gateway does on an AWS_IAM route, and of presigned links, as S3 does.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from werkzeug.wrappers import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)/aws4_request"
    r",\s*SignedHeaders=(?P<headers>[a-z0-9;_-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_MAX_SKEW_SECONDS = 300
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key that the local cloud knows.

    Attributes:
        secret: what it signs with.
        token: the session token that must come with it; empty for a long-lived key.
        principal_arn: its owner.
    """

    secret: str
    token: str
    principal_arn: str


def authenticate(
    request: Request,
    find_key: Callable[[str], AccessKey | None],
    *,
    service: str,
    region: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AccessKey | None:
    """The key that signed ``request`` for ``service`` in ``region``; None if the signature is missing or wrong."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", "").strip())
    key = find_key(match["key"]) if match else None
    if match is None or key is None or (match["service"], match["region"]) != (service, region):
        return None
    timestamp = request.headers.get("X-Amz-Date", "")
    signed = match["headers"].split(";")
    if "host" not in signed or not _is_recent(timestamp, match["date"], now()):
        return None
    if key.token and not hmac.compare_digest(request.headers.get("X-Amz-Security-Token", "").encode(), key.token.encode()):
        return None
    payload_hash = _payload_hash(request)
    if payload_hash is None:
        return None
    scope = f"{match['date']}/{region}/{service}/aws4_request"
    # Most signers encode the path twice; S3's do not. The request shows only that the signer knew the secret.
    for path in (quote(_raw_path(request), safe="/~"), _raw_path(request)):
        canonical = "\n".join(
            [
                request.method,
                path,
                _canonical_query(request),
                *_canonical_headers(request, signed),
                match["headers"],
                payload_hash,
            ]
        )
        text = "\n".join(["AWS4-HMAC-SHA256", timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        if hmac.compare_digest(_sign(key.secret, scope, text), match["signature"]):
            return key
    return None


def is_altered_upload(request: Request, find_key: Callable[[str], AccessKey | None]) -> bool:
    """Whether a PUT to a presigned link that is signed for a length does not match its signature.

    The link does not say the length, so this is true of everything that the signature covers. False if the key is unknown.
    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    query = dict(parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True))
    signed = query.get("X-Amz-SignedHeaders", "").split(";")
    identifier, _, scope = query.get("X-Amz-Credential", "").partition("/")
    key = find_key(identifier)
    if request.method != "PUT" or "content-length" not in signed or key is None:
        return False
    canonical = "\n".join(
        [
            request.method,
            _raw_path(request),
            _canonical_query(request, without="X-Amz-Signature"),
            *_canonical_headers(request, signed),
            ";".join(signed),
            _UNSIGNED,
        ]
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", query.get("X-Amz-Date", ""), scope, hashed])
    return not hmac.compare_digest(_sign(key.secret, scope, text).encode(), query.get("X-Amz-Signature", "").encode())


def _is_recent(timestamp: str, date: str, now: datetime) -> bool:
    try:
        moment = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return timestamp.startswith(date) and abs((now - moment).total_seconds()) <= _MAX_SKEW_SECONDS


def _payload_hash(request: Request) -> str | None:
    actual = hashlib.sha256(request.get_data()).hexdigest()
    claimed = request.headers.get("X-Amz-Content-Sha256", actual)
    return claimed if claimed in {actual, _UNSIGNED} else None


def _raw_path(request: Request) -> str:
    return str(request.environ.get("RAW_URI") or request.path).partition("?")[0] or "/"


def _canonical_query(request: Request, without: str | None = None) -> str:
    parsed = parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True)
    pairs = [(name, value) for name, value in parsed if name != without]
    return "&".join(
        f"{name}={value}" for name, value in sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in pairs)
    )


def _canonical_headers(request: Request, signed: list[str]) -> list[str]:
    return [*(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in signed), ""]


def _sign(secret: str, scope: str, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
