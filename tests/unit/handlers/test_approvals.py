"""The approvals function: who has access, what is answered, what is queued, and what is not imported."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest

from lib.approvals import messages
from lib.approvals.messages import AnswerClick, CreateIssue
from lib.platform import aws, clock
from lib.platform.queues import Queue
from tests.support.approvals.builders import PLACE, draft_json, show_whole
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import OPERATIONS, create_secret, create_tables, moto_inside
from tests.support.observability.emf import names_in
from tests.support.web.events import http_event, slack_signature, status_and_body

SECRET = "what Slack signs with"
CALLER = "arn:aws:sts::123456789012:assumed-role/drafts/bot"


@pytest.fixture
def queue_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with moto_inside(monkeypatch):
        create_tables()
        yield str(aws.make_client("sqs").create_queue(QueueName="approval-work")["QueueUrl"])


@pytest.fixture
def load_approvals(queue_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Loads the function; keywords are environment variables that differ."""
    variables = {
        "OPERATIONS_TABLE_NAME": OPERATIONS,
        "APPROVAL_QUEUE_URL": queue_url,
        "SLACK_SIGNING_SECRET_ARN": create_secret("slack-signing-secret", SECRET),
        "HAS_CHANNEL": "true",
        "MISSING_SETTINGS": "",
    }
    return lambda **changes: load(monkeypatch, "approvals", variables | changes)


@pytest.fixture
def approvals(load_approvals: Callable[..., ModuleType]) -> ModuleType:
    return load_approvals()


def submit(approvals: ModuleType, draft: object, caller: str | None = CALLER) -> tuple[int, Any]:
    event = http_event("POST", "/drafts", json.dumps(draft))
    event["requestContext"]["identity"] = {"userArn": caller, "sourceIp": "127.0.0.1"}
    return status_and_body(approvals.lambda_handler(event, LambdaContext()))


def click(draft_hash: str, user: str = "U0ADA", action: str = "approve_draft") -> str:
    payload = {
        "type": "block_actions",
        "user": {"id": user, "username": user.lower()},
        "container": {"message_ts": PLACE["message_ts"], "channel_id": PLACE["channel"]},
        "response_url": "https://hooks.slack.com/actions/T/1/abc",
        "actions": [{"action_id": action, "value": f"sess-1:{draft_hash}"}],
    }
    return urlencode({"payload": json.dumps(payload)})


def interact(approvals: ModuleType, body: str, *, secret: str = SECRET, at: float | None = None) -> dict[str, Any]:
    signed = slack_signature(secret, body, str(int(time.time() if at is None else at)))
    headers = {"Content-Type": "application/x-www-form-urlencoded", **signed}
    # The HTTP API hands over forms in base64.
    event = http_event("POST", "/slack/interactions", base64.b64encode(body.encode()).decode(), headers)
    answer: dict[str, Any] = approvals.lambda_handler({**event, "isBase64Encoded": True}, LambdaContext())
    return answer


def kinds_queued(queue_url: str) -> list[str]:
    sqs = aws.make_client("sqs")
    found: list[str] = []
    while batch := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", []):
        for message in batch:
            found.append(json.loads(message["Body"])["kind"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(found)


def test_a_draft_is_stored_and_its_preview_queued(approvals: ModuleType, queue_url: str) -> None:
    status, body = submit(approvals, draft_json())

    assert status == 200
    assert body.keys() == {"session_id", "draft_hash", "state"}
    assert (body["session_id"], body["state"], len(body["draft_hash"])) == ("sess-1", "preview", 64)
    assert kinds_queued(queue_url) == ["post_preview"]


@pytest.mark.parametrize("caller", [None, ""])
def test_a_draft_that_no_authorizer_has_seen_is_refused_unread(
    approvals: ModuleType, queue_url: str, caller: str | None
) -> None:
    status, body = submit(approvals, {"not": "a draft"}, caller)

    assert (status, body["error"]) == (401, "unauthenticated")
    assert kinds_queued(queue_url) == []


def test_the_principal_of_a_format_2_0_event_counts_too(approvals: ModuleType) -> None:
    event = {
        "version": "2.0",
        "rawPath": "/drafts",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": "POST", "path": "/drafts"},
            "authorizer": {"iam": {"userArn": CALLER}},
            "requestId": "1",
        },
        "body": json.dumps(draft_json()),
        "isBase64Encoded": False,
    }

    assert status_and_body(approvals.lambda_handler(event, LambdaContext()))[0] == 200


def test_without_its_settings_no_draft_is_accepted(load_approvals: Callable[..., ModuleType], queue_url: str) -> None:
    approvals = load_approvals(MISSING_SETTINGS="slackBotToken,jiraBaseUrl")

    status, body = submit(approvals, draft_json())

    assert (status, body["error"]) == (503, "misconfigured")
    assert "slackBotToken, jiraBaseUrl" in body["message"]
    assert kinds_queued(queue_url) == []


def test_a_draft_without_a_channel_is_refused_where_none_is_configured(load_approvals: Callable[..., ModuleType]) -> None:
    approvals = load_approvals(HAS_CHANNEL="false")

    assert submit(approvals, draft_json())[1]["message"].startswith("channel is missing")
    assert submit(approvals, draft_json(channel="#here"))[0] == 200


def test_a_project_that_is_not_configured_is_refused(load_approvals: Callable[..., ModuleType]) -> None:
    approvals = load_approvals(JIRA_PROJECTS="OPS,WEB")

    assert submit(approvals, draft_json(project="PROJ")) == (
        400,
        {"error": "malformed", "message": "project must be one of OPS, WEB"},
    )


def test_a_signed_click_is_acknowledged_and_its_work_queued(approvals: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    _, draft = submit(approvals, draft_json())
    show_whole(approvals._service._store, draft["draft_hash"])
    sent: dict[type, int] = {}

    def record(_: Queue, body: str, *, delay_seconds: int = 0) -> None:
        sent[type(messages.decode(body))] = delay_seconds

    monkeypatch.setattr(Queue, "send", record)

    answer = interact(approvals, click(draft["draft_hash"]))

    assert (answer["statusCode"], answer["body"]) == (200, "")
    assert sent == {AnswerClick: 0, CreateIssue: 1}  # held back for a second: the decision is stored by then


@pytest.mark.parametrize("off", [-301.0, 301.0])
def test_a_click_from_more_than_five_minutes_off_is_refused(
    approvals: ModuleType, monkeypatch: pytest.MonkeyPatch, off: float
) -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    monkeypatch.setattr(clock, "utc_now", lambda: now)  # in real time, 301 s ahead is 300 s ahead a second later

    assert interact(approvals, click("0" * 64), at=now.timestamp() + off)["statusCode"] == 401


def test_slacks_check_of_the_certificate_is_answered_if_it_is_signed(approvals: ModuleType) -> None:
    answer = interact(approvals, "ssl_check=1&token=abc")

    assert (answer["statusCode"], answer["body"]) == (200, "")
    assert interact(approvals, "ssl_check=1&token=abc", secret="a guess")["statusCode"] == 401


def test_a_submission_answers_why_slack_refused_the_preview(approvals: ModuleType) -> None:
    _, draft = submit(approvals, draft_json())
    approvals._service._store.fail_preview("sess-1", draft["draft_hash"], "could not post a message: Slack says is_archived")

    _, again = submit(approvals, draft_json())

    refused = "Slack refused the last preview, which is now posted again"
    assert again["state"] == "preview"
    assert again["reason"] == f"{refused}: could not post a message: Slack says is_archived"


def test_the_signature_is_checked_before_the_payload_is_read(approvals: ModuleType) -> None:
    assert interact(approvals, "payload=%7B", secret="a guess")["statusCode"] == 401
    assert interact(approvals, "payload=%7B")["statusCode"] == 400


def test_without_a_secret_every_click_is_refused(load_approvals: Callable[..., ModuleType]) -> None:
    approvals = load_approvals(SLACK_SIGNING_SECRET_ARN="")

    assert interact(approvals, click("0" * 64), secret="")["statusCode"] == 401


def test_a_sweep_counts_itself_so_that_its_absence_is_noticed(
    approvals: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert approvals.lambda_handler({"mode": "sweep"}, LambdaContext()) == {"expired": 0, "reminders": 0, "unfinished": 0}
    assert names_in(capsys.readouterr().out) == ["ApprovalSweep"]


def test_a_click_that_could_not_be_recorded_is_answered_503(approvals: ModuleType, queue_url: str) -> None:
    _, draft = submit(approvals, draft_json())
    aws.make_client("sqs").delete_queue(QueueUrl=queue_url)

    assert interact(approvals, click(draft["draft_hash"]))["statusCode"] == 503
    rows = aws.make_client("dynamodb").scan(TableName=OPERATIONS)["Items"]
    assert not any(row["operation_key"]["S"].startswith("APPROVAL#") for row in rows)


def test_no_sdk_of_slack_or_jira_is_on_this_path() -> None:
    script = "import sys; import handlers.approvals; print(*sys.modules)"
    environment = {
        **os.environ,
        "AWS_DEFAULT_REGION": "us-west-2",
        "OPERATIONS_TABLE_NAME": "operations",
        "APPROVAL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/approval-work",
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert not {"slack_sdk", "jira", "requests", "tenacity", "boto3", "notifications_python_client"} & set(done.stdout.split())
