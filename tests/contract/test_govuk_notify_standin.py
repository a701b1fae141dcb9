"""The GOV.UK Notify stand-in as the official client sees it: the answers, errors and limits of the real API."""

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from notifications_python_client.errors import HTTPError
from notifications_python_client.notifications import NotificationsAPIClient

from stack.local.standins.govuk_notify import GovukNotify, Template
from tests.support.web.standins import Served, served

SERVICE, SECRET = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-000000000000"
KEY = f"switchboard-{SERVICE}-{SECRET}"
TEMPLATE = "9d751e0e-f929-4891-82a1-a3e1c3c18ee3"
EMAIL = {"email_address": "rosa@example.org", "template_id": TEMPLATE}


@pytest.fixture
def standin() -> Iterator[Served[GovukNotify]]:
    with served(GovukNotify(KEY, templates={TEMPLATE: Template("About ((what))", "Dear ((name)), ((what)).")})) as standin:
        yield standin


@pytest.fixture
def client(standin: Served[GovukNotify]) -> Any:
    return NotificationsAPIClient(KEY, standin.url, 5)


def post(standin: Served[GovukNotify], body: Any, token: str | None = None) -> tuple[int, dict[str, str]]:
    if token is None:
        token = jwt.encode({"iss": SERVICE, "iat": int(time.time())}, SECRET)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(f"{standin.url}/v2/notifications/email", json=body, headers=headers, timeout=5)
    assert answer.json()["status_code"] == answer.status_code
    return answer.status_code, answer.json()["errors"][0]


def test_an_email_is_accepted_rendered_and_can_be_read(client: Any) -> None:
    fields = {"name": "Rosa", "what": "your lease"}
    sent = client.send_email_notification("rosa@example.org", TEMPLATE, personalisation=fields, reference="event-1")

    assert sent["reference"] == "event-1"
    assert sent["content"]["subject"] == "About your lease"
    assert sent["content"]["body"] == "Dear Rosa, your lease."
    found = client.get_notification_by_id(sent["id"])
    assert (found["status"], found["email_address"], found["type"]) == ("delivered", "rosa@example.org", "email")


def test_named_fields_lose_their_links_and_markdown(client: Any) -> None:
    fields = {"name": "[x](https://evil.example)", "what": "[y](https://fine.example)"}
    sent = client.send_email_notification("rosa@example.org", TEMPLATE, personalisation=fields, sanitise_content_for=["name"])
    assert sent["content"]["body"] == r"Dear \[x\]\(\), [y](https://fine.example)."
    assert list(sent["sanitised_content"]) == ["name"]


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        ({"template_id": TEMPLATE}, "ValidationError", "email_address is a required property"),
        ({"email_address": "rosa@example.org"}, "ValidationError", "template_id is a required property"),
        ({**EMAIL, "email_address": "rosa"}, "ValidationError", "email_address Not a valid email address"),
        ({**EMAIL, "template_id": "x"}, "ValidationError", "template_id is not a valid UUID"),
        ({**EMAIL, "extra": 1}, "ValidationError", "Additional properties are not allowed (extra was unexpected)"),
        ({**EMAIL, "personalisation": []}, "ValidationError", "personalisation is not of type object"),
        ([], "ValidationError", "payload is not of type object"),
        ({**EMAIL, "template_id": SERVICE}, "BadRequestError", "Template not found"),
        ({**EMAIL, "personalisation": {"what": "x"}}, "BadRequestError", "Missing personalisation: name"),
        ({**EMAIL, "personalisation": {"name": "x", "what": "x" * 2_000_000}}, "BadRequestError", "Emails cannot be longer"),
    ],
)
def test_a_bad_request_is_refused_with_its_name(standin: Served[GovukNotify], body: Any, error: str, says: str) -> None:
    status, refusal = post(standin, body)
    assert (status, refusal["error"]) == (400, error)
    assert refusal["message"].startswith(says)
    assert standin.app.notifications == []


@pytest.mark.parametrize(
    ("token", "status", "says"),
    [
        ("", 401, "authentication token must be provided"),
        ("garbage", 403, "Invalid token"),
        (jwt.encode({"iat": int(time.time())}, SECRET), 403, "iss field not provided"),
        (jwt.encode({"iss": SECRET, "iat": int(time.time())}, SECRET), 403, "service not found"),
        (jwt.encode({"iss": SERVICE, "iat": int(time.time())}, SERVICE), 403, "API key not found"),
        (jwt.encode({"iss": SERVICE, "iat": 1}, SECRET), 403, "clock must be accurate"),
    ],
    ids=("no token", "not a token", "no issuer", "unknown issuer", "unknown key", "old"),  # a token depends on the time
)
def test_a_bad_token_is_refused(standin: Served[GovukNotify], token: str, status: int, says: str) -> None:
    refused = post(standin, EMAIL, token)
    assert (refused[0], refused[1]["error"]) == (status, "AuthError")
    assert says in refused[1]["message"]


def test_another_scheme_is_refused(standin: Served[GovukNotify]) -> None:
    answer = requests.post(f"{standin.url}/v2/notifications/email", headers={"Authorization": "Basic eA=="}, timeout=5)
    assert "bearer scheme" in answer.json()["errors"][0]["message"]


def test_requests_over_the_limit_per_minute_are_refused() -> None:
    class Clock:
        now = time.time()

    with served(GovukNotify(KEY, requests_per_minute=2, now=lambda: Clock.now)) as standin:
        client: Any = NotificationsAPIClient(KEY, standin.url, 5)
        fields = {"title": "t", "text": "x", "link": ""}
        for _ in range(2):
            client.send_email_notification("rosa@example.org", TEMPLATE, personalisation=fields)
        with pytest.raises(HTTPError) as raised:
            client.send_email_notification("rosa@example.org", TEMPLATE, personalisation=fields)
        assert raised.value.status_code == 429
        assert raised.value.message == [
            {"error": "RateLimitError", "message": "Exceeded rate limit for key type LIVE of 2 requests per 60 seconds"}
        ]
        Clock.now += 60
        client.send_email_notification("rosa@example.org", TEMPLATE, personalisation=fields)


@pytest.mark.parametrize(("wanted", "error"), [(SERVICE, "NoResultFound"), ("x", "ValidationError")])
def test_a_missing_notification_is_not_found(client: Any, wanted: str, error: str) -> None:
    with pytest.raises(HTTPError) as raised:
        client.get_notification_by_id(wanted)
    message: Any = raised.value.message  # a list, whatever the client's annotation says
    assert message[0]["error"] == error


def test_the_notifications_can_be_listed_and_reset(standin: Served[GovukNotify], client: Any) -> None:
    client.send_email_notification("rosa@example.org", TEMPLATE, personalisation={"name": "R", "what": "x"})
    taken = requests.get(f"{standin.url}/_standin/notifications", timeout=5).json()["notifications"]
    assert [(each["email_address"], each["personalisation"]["name"]) for each in taken] == [("rosa@example.org", "R")]
    requests.post(f"{standin.url}/_standin/reset", timeout=5)
    assert standin.app.notifications == []
