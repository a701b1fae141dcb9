"""The stand-in of a Teams workflow: what it accepts, what Teams would not show, its limit and its controls."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from stack.local.standins.teams import MAX_CARD_BYTES, SIGNATURE, WEBHOOK_PATH, Teams
from tests.support.web.standins import Served, served

TEXT = {"type": "TextBlock", "text": "Hello"}


@pytest.fixture
def standin() -> Iterator[Served[Teams]]:
    with served(Teams(SIGNATURE)) as standin:
        yield standin


def request(*elements: Any, **card: Any) -> dict[str, Any]:
    content = {"type": "AdaptiveCard", "version": "1.4", "body": list(elements), **card}
    return {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": content}]}


def post(standin: Served[Teams], body: Any, path: str = WEBHOOK_PATH) -> requests.Response:
    return requests.post(standin.url + path, json=body, timeout=5)


@pytest.mark.parametrize("prefix", ["/powerautomate/automations/direct", ""])
def test_a_card_is_accepted_with_202_and_no_body(standin: Served[Teams], prefix: str) -> None:
    answer = post(standin, request(TEXT), prefix + WEBHOOK_PATH.removeprefix("/powerautomate/automations/direct"))
    assert (answer.status_code, answer.content) == (202, b"")
    [posted] = requests.get(f"{standin.url}/_standin/messages", timeout=5).json()["messages"]
    assert (posted["card"]["body"], posted["problem"]) == ([TEXT], "")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (WEBHOOK_PATH.partition("?")[0], {}, 401, "DirectApiAuthorizationRequired"),
        (WEBHOOK_PATH + "x", {}, 403, "AuthorizationFailed"),
        ("/elsewhere", {}, 404, "WorkflowNotFound"),
        (WEBHOOK_PATH, {"text": "as connectors took it"}, 400, "TriggerInputSchemaMismatch"),
        (WEBHOOK_PATH, [], 400, "TriggerInputSchemaMismatch"),
    ],
)
def test_a_bad_request_is_refused_with_its_code(standin: Served[Teams], path: str, body: Any, status: int, code: str) -> None:
    answer = post(standin, body, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_body_that_is_not_json_is_refused(standin: Served[Teams]) -> None:
    answer = requests.post(standin.url + WEBHOOK_PATH, data=b"{", timeout=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (request(), "the body has one"),
        (request(TEXT, version="2.0"), "a version that Teams shows"),
        (request({"type": "Marquee"}), "unknown type Marquee"),
        (request({"type": "RichTextBlock", "inlines": []}), "without text runs"),
        (request({"type": "Container", "items": []}), "without items"),
        (request({"type": "Container", "style": "loud", "items": [TEXT]}), "unknown style"),
        (request(TEXT, actions=[{"type": "Action.OpenUrl", "title": "x", "url": "javascript:x"}]), "not a link"),
        (request({"type": "TextBlock", "text": "x" * MAX_CARD_BYTES}), "at most"),
        ({"type": "message", "attachments": [{"contentType": "text/html", "content": "x"}]}, "not an Adaptive Card"),
    ],
)
def test_a_card_that_teams_does_not_show_is_accepted_with_a_problem(
    standin: Served[Teams], body: dict[str, Any], problem: str
) -> None:
    assert post(standin, body).status_code == 202
    assert problem in standin.app.messages[0]["problem"]


def test_requests_over_the_limit_are_throttled_until_the_minute_is_over() -> None:
    now = [1000.0]
    with served(Teams(requests_per_minute=2, now=lambda: now[0])) as standin:
        answers = [post(standin, request(TEXT)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert answers[2].headers["Retry-After"] == "10"
        now[0] += 60
        assert post(standin, request(TEXT)).status_code == 202


def test_the_limit_can_be_set_and_everything_reset(standin: Served[Teams]) -> None:
    limits = f"{standin.url}/_standin/limits"
    assert requests.post(limits, json={}, timeout=5).status_code == 400
    assert requests.post(limits, json={"per_minute": 1}, timeout=5).json() == {"ok": True}
    assert [post(standin, request(TEXT)).status_code for _ in range(2)] == [202, 429]
    requests.post(f"{standin.url}/_standin/reset", timeout=5)
    assert standin.app.messages == []
    assert [post(standin, request(TEXT)).status_code for _ in range(2)] == [202, 202]
