"""Requests as the HTTP API hands them to a function (payload format 1.0), and the answers a function gives."""

import hashlib
import hmac
import json
from typing import Any


def http_event(method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """An API Gateway event with the request id ``gateway-1``."""
    return {
        "version": "1.0",
        "resource": "$default",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "switchboard.test", "X-Forwarded-Proto": "https", **(headers or {})},
        "multiValueHeaders": None,
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"requestId": "gateway-1", "stage": "$default", "path": path, "httpMethod": method},
        "body": body,
        "isBase64Encoded": False,
    }


def sign(secret: str, body: str | bytes) -> str:
    """The HMAC-SHA256 of ``body`` in hex."""
    return hmac.new(secret.encode(), body.encode() if isinstance(body, str) else body, hashlib.sha256).hexdigest()


def signature(secret: str, body: str | bytes) -> dict[str, str]:
    """The header that a sender who knows ``secret`` puts on ``body``."""
    return {"X-Hub-Signature": f"sha256={sign(secret, body)}"}


def slack_signature(secret: str, body: str | bytes, timestamp: str) -> dict[str, str]:
    """The headers that Slack puts on ``body``: with the time, in seconds, it is signed too."""
    text = body.encode() if isinstance(body, str) else body
    return {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={sign(secret, f'v0:{timestamp}:'.encode() + text)}",
    }


def status_and_body(answer: dict[str, Any]) -> tuple[int, Any]:
    """The status of an answer and its JSON body."""
    return answer["statusCode"], json.loads(answer["body"])
