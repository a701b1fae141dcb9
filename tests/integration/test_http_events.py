"""``POST /events`` takes the same event over HTTP, signed; ``GET /health`` says that the API answers."""

import hmac
import json
import uuid
from typing import Any

import pytest
import requests

from tests.integration.conftest import EVENT_SECRET
from tests.support.cloud import Cloud, Inbox


def event(**more: Any) -> dict[str, Any]:
    made = {"id": str(uuid.uuid4()), "detail-type": "LeaseExpired", "source": "elsewhere", "detail": {"accountId": "1"}}
    return made | more


def sign(body: bytes, secret: str = EVENT_SECRET, method: str = "sha256") -> str:
    return f"{method}={hmac.new(secret.encode(), body, method).hexdigest()}"


def post(cloud: Cloud, body: bytes, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(
        f"{cloud.http_url}/events", data=body, headers={"Content-Type": "application/json", **named}, timeout=60
    )


def test_a_signed_event_is_accepted_and_sent(cloud: Cloud, inbox: Inbox) -> None:
    sent = event()
    body = json.dumps(sent).encode()

    answer = post(cloud, body, X_Hub_Signature=sign(body))

    assert answer.status_code == 202
    assert answer.json()["status"] == "accepted"
    assert answer.json()["event_id"] == sent["id"]
    assert answer.headers["Content-Type"].startswith("application/json")
    inbox.wait_for_event(sent["id"])


def test_a_senders_retry_is_a_duplicate(cloud: Cloud) -> None:
    body = json.dumps(event()).encode()
    answers = [post(cloud, body, X_Hub_Signature=sign(body)).json()["status"] for _ in range(3)]
    assert answers == ["accepted", "duplicate", "duplicate"]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream", "", "nonsense"])
def test_the_signature_is_of_the_raw_bytes(cloud: Cloud, content_type: str) -> None:
    body = json.dumps(event(source="süd € 🦊"), ensure_ascii=False).encode()
    assert post(cloud, body, X_Hub_Signature=sign(body), Content_Type=content_type).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Hub_Signature": ""},
        {"X_Hub_Signature": "sha256="},
        {"X_Hub_Signature": "sha256"},
        {"X_Hub_Signature": "=" + "0" * 64},
        {"X_Hub_Signature": "sha256=" + "0" * 64},
        {"X_Hub_Signature": "sha256=" + "é" * 3},
        {"X_Hub_Signature": sign(b"another body")},
        {"X_Hub_Signature": "md5=" + "0" * 32},
        {"X_Hub_Signature": "none=" + "0" * 64},
    ],
    ids=lambda headers: str(list(headers.values()))[:30],
)
def test_a_bad_signature_is_401_and_nothing_is_sent(cloud: Cloud, headers: dict[str, str]) -> None:
    encoded = {name: value.encode("utf-8").decode("latin-1") for name, value in headers.items()}
    answer = post(cloud, json.dumps(event()).encode(), **encoded)
    assert answer.status_code == 401
    assert "Traceback" not in answer.text


def test_another_secrets_signature_is_401(cloud: Cloud) -> None:
    body = json.dumps(event()).encode()
    assert post(cloud, body, X_Hub_Signature=sign(body, secret="another")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"17",
        b"[]",
        b'"text"',
        b"{}",
        b'{"detail-type": "X"}',
        b"\xff\xfe",
        b"NaN",
        b"[" * 100_000,
        b'{"a": 1' + b"0" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_signed_body_that_is_not_an_event_is_400(cloud: Cloud, body: bytes) -> None:
    answer = post(cloud, body, X_Hub_Signature=sign(body))
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert "Traceback" not in answer.text


def test_a_body_over_the_limit_is_413(cloud: Cloud) -> None:
    body = json.dumps(event(detail={"text": "x" * 2_000_000})).encode()
    assert post(cloud, body, X_Hub_Signature=sign(body)).status_code == 413
    huge = b"x" * (11 * 1024 * 1024)
    assert post(cloud, huge, X_Hub_Signature=sign(huge)).status_code == 413


def test_other_paths_are_404(cloud: Cloud) -> None:
    for method, path in (("GET", "/events"), ("POST", "/event"), ("POST", "/"), ("GET", "/nothing/here"), ("POST", "/health")):
        assert requests.request(method, cloud.http_url + path, timeout=10).status_code == 404, (method, path)


def test_health_has_the_version_and_phoenix_time(cloud: Cloud) -> None:
    answer = requests.get(f"{cloud.http_url}/health", timeout=10)
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert body["version"]
    assert body["time"].endswith("-07:00")
    assert body["timezone"] == "America/Phoenix"
