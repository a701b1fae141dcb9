"""POST /webhooks/jira by token: the issue data that a rule of Jira Automation sends, which can't sign."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from lib.jira.snapshot_codec import decode
from lib.jira.tasks import Task
from lib.jira.webhooks import NeedsFetch
from lib.platform import clock
from tests.support.aws.lambda_context import LambdaContext
from tests.support.jira.bodies import UPDATED_AT, digest, issue_event, move_event
from tests.support.jira.cloud import AUTOMATION_TOKEN, JIRA_SECRET, JiraCloud
from tests.support.observability.log_lines import LogLines
from tests.support.web.events import http_event, signature, status_and_body

ISSUE = issue_event()["issue"]
TOKEN = {"X-Switchboard-Token": AUTOMATION_TOKEN}


@pytest.fixture
def webhooks(load_webhooks: Callable[..., ModuleType], jira_cloud: JiraCloud) -> ModuleType:
    """The function of a stack that takes issue data of Jira Automation."""
    return load_webhooks(JIRA_AUTOMATION_TOKEN_ARN=jira_cloud.automation_token_arn)


def post(webhooks: ModuleType, body: dict[str, Any] | str, headers: dict[str, str]) -> tuple[int, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return status_and_body(webhooks.lambda_handler(http_event("POST", "/webhooks/jira", text, headers), LambdaContext()))


@pytest.mark.parametrize("body", [ISSUE, {"issue": ISSUE}], ids=["bare", "wrapped"])
def test_issue_data_is_stored_as_a_change(webhooks: ModuleType, jira_cloud: JiraCloud, body: dict[str, Any]) -> None:
    status, answer = post(webhooks, body, TOKEN)

    assert (status, answer["status"], answer["event_type"], answer["issue_key"]) == (202, "stored", "automation", "OPS-7")
    rows = jira_cloud.rows("OPS-7")
    assert rows["HEAD"]["status"] == {"S": "Done"}
    assert json.loads(decode(rows[UPDATED_AT]["snapshot"]["B"])) == body
    assert jira_cloud.tasks() == [Task(("OPS-7",))]


def test_issue_data_again_is_a_duplicate(webhooks: ModuleType) -> None:
    assert [post(webhooks, ISSUE, TOKEN)[1]["status"] for _ in range(2)] == ["stored", "duplicate"]


def test_issue_data_without_updated_is_queued(
    webhooks: ModuleType, jira_cloud: JiraCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.parse("2026-03-01T13:00:00Z")
    monkeypatch.setattr(clock, "utc_now", lambda: now)
    body = {"key": "OPS-7", "fields": {"summary": "Disk full"}}

    assert post(webhooks, body, TOKEN)[1] == {"status": "accepted", "event_type": "automation", "fetching": ["OPS-7"]}
    assert jira_cloud.tasks() == [Task(fetch=NeedsFetch(("OPS-7",), "automation", clock.epoch_ms(now), digest(body)))]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Switchboard-Token": ""},
        {"X-Switchboard-Token": "guessed"},
        {"X-Switchboard-Token": AUTOMATION_TOKEN[:-1]},
        {"X-Switchboard-Token": AUTOMATION_TOKEN.upper()},
        {"X-Switchboard-Token": JIRA_SECRET},
        {"X-Switchboard-Token": "é"},
        {"Authorization": f"Bearer {AUTOMATION_TOKEN}"},
        {**TOKEN, "X-Hub-Signature": "sha256=" + "0" * 64},
        {**TOKEN, "X-Hub-Signature": ""},
    ],
    ids=["none", "empty", "guessed", "cut", "case", "secret", "not ASCII", "bearer", "bad signature", "empty signature"],
)
def test_without_the_right_token_nothing_is_stored(
    webhooks: ModuleType, jira_cloud: JiraCloud, headers: dict[str, str]
) -> None:
    assert post(webhooks, ISSUE, headers)[0] == 401
    assert (jira_cloud.row_count(), jira_cloud.tasks()) == (0, [])


def test_without_the_secret_the_header_is_ignored(load_webhooks: Callable[..., ModuleType], jira_cloud: JiraCloud) -> None:
    for token in ("", AUTOMATION_TOKEN):
        assert post(load_webhooks(), ISSUE, {"X-Switchboard-Token": token})[0] == 401
    assert jira_cloud.row_count() == 0


@pytest.mark.parametrize("token", [AUTOMATION_TOKEN, "guessed"])
def test_the_token_of_a_signed_body_is_ignored(webhooks: ModuleType, token: str) -> None:
    for body, event_type in ((issue_event(event="jira:issue_deleted"), "jira:issue_deleted"), (ISSUE, "automation")):
        text = json.dumps(body)
        headers = {"X-Switchboard-Token": token, **signature(JIRA_SECRET, text)}

        assert post(webhooks, text, headers)[1]["event_type"] == event_type


@pytest.mark.parametrize(
    "body",
    [
        issue_event(),
        issue_event(event="jira:issue_deleted"),
        move_event("OPS-6", "OPS-7"),
        {"transition": {}, "issue": ISSUE},
        {"webhookEvent": None, "issue": ISSUE},
    ],
    ids=["update", "deletion", "move", "transition", "null"],
)
def test_a_token_permits_no_webhook(webhooks: ModuleType, jira_cloud: JiraCloud, body: dict[str, Any]) -> None:
    assert post(webhooks, body, TOKEN)[0] == 401
    assert jira_cloud.row_count() == 0


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"issue": {"fields": {}}}', '{"key": "no key"}'])
def test_what_is_not_an_issue_is_malformed(webhooks: ModuleType, body: str) -> None:
    assert post(webhooks, body, TOKEN)[0] == 400


def test_the_token_before_a_rotation_stays_valid(webhooks: ModuleType, jira_cloud: JiraCloud) -> None:
    assert post(webhooks, ISSUE, TOKEN)[0] == 202
    jira_cloud.rotate(jira_cloud.automation_token_arn, "second")
    assert [post(webhooks, ISSUE, {"X-Switchboard-Token": token})[0] for token in ("second", AUTOMATION_TOKEN)] == [202, 202]


def test_neither_token_is_logged(webhooks: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    lines = LogLines("webhooks")
    post(webhooks, ISSUE, TOKEN)
    post(webhooks, ISSUE, {"X-Switchboard-Token": "guessed-7f3a"})

    text = lines.text + capsys.readouterr().out
    assert AUTOMATION_TOKEN not in text
    assert "guessed-7f3a" not in text
