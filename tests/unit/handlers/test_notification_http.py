"""POST /events: a signed event over HTTP, and the answer to every other request."""

import base64
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from lib.notifications import service
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_cloud import MotoCloud
from tests.support.leases.builders import USER_EMAIL, lease_event, lease_item
from tests.support.observability.log_lines import LogLines
from tests.support.web.events import http_event, signature, status_and_body

SECRET = "shared with the sender"
EVENT_ID = lease_event()["id"]


def post(notification: ModuleType, body: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """The answer to a body, rightly signed unless ``headers`` are given."""
    event = http_event("POST", "/events", body, signature(SECRET, body) if headers is None else headers)
    answer: dict[str, Any] = notification.lambda_handler(event, LambdaContext("run-1"))
    return answer


def test_a_signed_event_is_accepted_enriched_and_sent(notification: ModuleType, cloud: MotoCloud) -> None:
    cloud.put_lease(lease_item())

    assert status_and_body(post(notification, json.dumps(lease_event()))) == (
        202,
        {
            "status": "accepted",
            "event_id": EVENT_ID,
            "detail_type": "LeaseExpired",
            "enrichment": {"status": "enriched", "reason": None},
            "channels": {"sns": "sent"},
        },
    )
    assert [message["enriched"] for message in cloud.published()] == [True]


def test_an_event_from_eventbridge_and_over_http_is_a_duplicate(notification: ModuleType, cloud: MotoCloud) -> None:
    notification.lambda_handler(lease_event(), LambdaContext())

    status, body = status_and_body(post(notification, json.dumps(lease_event())))

    assert (status, body["status"], body["channels"]) == (202, "duplicate", {"sns": "duplicate"})
    assert len(cloud.published()) == 1


FORMS: dict[str, dict[str, Any]] = {
    "HTTP API 2.0 or Function URL": {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/events",
        "rawQueryString": "",
        "requestContext": {"http": {"method": "POST", "path": "/events"}, "stage": "$default", "requestId": "gateway-1"},
    },
    "load balancer": {
        "httpMethod": "POST",
        "path": "/events",
        "queryStringParameters": {},
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-west-2:1:targetgroup/x/1"}},
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoded", [True, False], ids=["base64", "plain"])
def test_an_event_arrives_through_any_kind_of_gateway(
    notification: ModuleType, cloud: MotoCloud, form: str, encoded: bool
) -> None:
    body = json.dumps(lease_event(detail={"comments": "façade"}), ensure_ascii=False)
    request = {
        **FORMS[form],
        "headers": signature(SECRET, body),
        "body": base64.b64encode(body.encode()).decode() if encoded else body,
        "isBase64Encoded": encoded,
    }

    assert status_and_body(notification.lambda_handler(request, LambdaContext()))[0] == 202
    assert len(cloud.published()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature": ""},
        {"X-Hub-Signature": "sha256"},
        {"X-Hub-Signature": "sha256=00"},
        {"X-Hub-Signature": "sha256=" + "é" * 64},
        {"X-Hub-Signature": "md5=" + "0" * 32},
        signature("another secret", json.dumps(lease_event())),
        signature(SECRET, json.dumps(lease_event()) + " "),
    ],
    ids=["none", "empty", "no digest", "short", "not hex", "unknown method", "another secret", "another body"],
)
def test_nothing_is_sent_without_a_valid_signature(notification: ModuleType, cloud: MotoCloud, headers: dict[str, str]) -> None:
    status, body = status_and_body(post(notification, json.dumps(lease_event()), headers))

    assert (status, body["error"]) == (401, "unauthenticated")
    assert cloud.published() == []


def test_the_signature_is_checked_before_the_body_is_parsed(notification: ModuleType) -> None:
    assert status_and_body(post(notification, "not JSON", {}))[0] == 401


def test_every_event_is_refused_without_a_secret(load_notification: Callable[..., ModuleType]) -> None:
    notification = load_notification(EVENT_WEBHOOK_SECRET_ARN="")

    assert status_and_body(post(notification, json.dumps(lease_event()), signature("", json.dumps(lease_event()))))[0] == 401


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "the body is empty: send a JSON object"),
        ("{", "the body is not JSON (line 1, column 2): send a JSON object in UTF-8"),
        ("NaN", "the body is not JSON: send a JSON object in UTF-8"),
        ("[" * 100_000, "the body is not JSON: send a JSON object in UTF-8"),
        ("null", "the event is null, not a JSON object"),
        ("[]", "the event is a list, not a JSON object"),
        ('"x"', "the event is text, not a JSON object"),
        ("{}", "the event has no detail-type"),
        ('{"detail-type": "LeaseExpired"}', "the event has no detail object"),
        ('{"detail-type": "LeaseExpired", "detail": "x"}', "the event has no detail object"),
        ('{"detail-type": "x", "detail": {"a": ' + "[" * 500 + "]" * 500 + "}}", "the event nests deeper than 64 levels"),
    ],
    ids=["empty", "cut", "NaN", "brackets", "null", "list", "text", "no type", "no detail", "detail is text", "deep"],
)
def test_a_malformed_event_is_400_with_a_sentence(notification: ModuleType, body: str, sentence: str) -> None:
    assert status_and_body(post(notification, body)) == (400, {"error": "malformed", "message": sentence})


def test_a_body_of_5_mb_is_413(notification: ModuleType) -> None:
    body = json.dumps(lease_event(detail={"comment": "x" * 5_000_000}))

    status, answer = status_and_body(post(notification, body))

    assert (status, answer["error"]) == (413, "too_large")


@pytest.mark.parametrize("comment", ["\u0000", "x" * 400_000, "\ud800"], ids=["NUL", "400 kB", "surrogate"])
def test_odd_text_is_accepted(notification: ModuleType, comment: str) -> None:
    body = json.dumps(lease_event(detail={"comments": comment}))

    assert status_and_body(post(notification, body))[0] == 202


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/events", 405), ("PUT", "/events", 405), ("POST", "/other", 404)]
)
def test_other_methods_and_paths_are_refused_as_json(notification: ModuleType, method: str, path: str, status: int) -> None:
    answer_status, body = status_and_body(notification.lambda_handler(http_event(method, path, "{}"), LambdaContext()))

    assert answer_status == status
    assert body.keys() == {"error", "message"}


def test_a_failed_channel_is_503_so_that_the_sender_retries(load_notification: Callable[..., ModuleType]) -> None:
    notification = load_notification(NOTIFY_CHANNELS="slack")

    answer = post(notification, json.dumps(lease_event()))

    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (503, "unavailable")
    assert int(answer["headers"]["Retry-After"]) > 0


def test_a_defect_is_503_without_a_trace(notification: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "compose", lambda *_: 1 / 0)

    answer = post(notification, json.dumps(lease_event()))

    assert answer["statusCode"] == 503
    assert "Traceback" not in answer["body"]
    assert "ZeroDivision" not in answer["body"]


def test_the_lines_carry_the_invocation_the_event_and_the_request(notification: ModuleType, lines: LogLines) -> None:
    post(notification, json.dumps(lease_event()))

    for message in ("lease_event", "http_request"):
        line = lines.only(message)
        assert (line["run_id"], line["event_id"], line["correlation_id"]) == ("run-1", EVENT_ID, "gateway-1")
        assert 0 <= line["duration_ms"] < 5000


def test_neither_address_nor_secret_nor_signature_is_logged(notification: ModuleType, lines: LogLines) -> None:
    body = json.dumps(lease_event())
    post(notification, body)
    post(notification, body, signature("another secret", body))

    assert lines.named("request_refused")
    for private in (USER_EMAIL, SECRET, *signature(SECRET, body).values(), *signature("another secret", body).values()):
        assert private.removeprefix("sha256=") not in lines.text


def test_flask_is_loaded_only_for_requests_over_http(notification: ModuleType) -> None:
    notification.lambda_handler(lease_event(), LambdaContext())
    assert notification._http_app.cache_info().currsize == 0

    post(notification, json.dumps(lease_event()))
    post(notification, json.dumps(lease_event()))
    assert notification._http_app.cache_info().misses == 1
