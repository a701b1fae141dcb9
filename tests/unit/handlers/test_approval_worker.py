"""The approvals' part of the Jira worker: each message fails alone, and claims outlive their invocation."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from lib.approvals import messages
from lib.approvals import worker as approval_worker
from lib.approvals.interactions import Decision, Verb
from lib.approvals.issue_tracker import FoundIssue
from lib.approvals.operations import JiraOperationStore
from lib.approvals.records import OperationStatus
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.approvals.service import ApprovalService
from lib.approvals.workflow import Policy
from lib.platform import aws, clock
from lib.platform.dynamodb import Table
from lib.slack.blocks import Posted, SlackMessage
from lib.slack.client import SlackClient
from tests.support.approvals.builders import PLACE, make_draft, show_whole
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import BUCKET, ISSUES, OPERATIONS, create_bucket, create_tables, moto_inside

HASH = "0" * 64


@pytest.fixture
def queue_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with moto_inside(monkeypatch):
        create_tables()
        create_bucket()
        yield str(aws.make_client("sqs").create_queue(QueueName="approval-work")["QueueUrl"])


@pytest.fixture
def load_worker(queue_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Loads the function; keywords are environment variables that differ."""
    variables = {
        "JIRA_ISSUES_TABLE_NAME": ISSUES,
        "OPERATIONS_TABLE_NAME": OPERATIONS,
        "ARTIFACT_BUCKET_NAME": BUCKET,
        "APPROVAL_QUEUE_URL": queue_url,
        "HISTORY_DAYS": "90",
    }
    return lambda **changes: load(monkeypatch, "jira_worker", variables | changes)


@pytest.fixture
def worker(load_worker: Callable[..., ModuleType]) -> ModuleType:
    return load_worker()


def service_sending(send: messages.Send) -> ApprovalService:
    table = Table(aws.make_client("dynamodb"), OPERATIONS)
    operations = JiraOperationStore(table, lease=timedelta(0))
    return ApprovalService(store=ApprovalStore(table), operations=operations, send=send, rules=Rules())


def record(
    identifier: str, body: str, receipt: str = "none", receives: int = 1, queue: str = "approval-work"
) -> dict[str, Any]:
    return {
        "messageId": identifier,
        "body": body,
        "receiptHandle": receipt,
        "eventSourceARN": f"arn:aws:sqs:us-west-2:123456789012:{queue}",
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }


def message(kind: str, **fields: Any) -> str:
    return json.dumps({"version": 1, "kind": kind, "session_id": "sess-1", "draft_hash": HASH, **fields})


def test_each_message_fails_alone(worker: ModuleType) -> None:
    records = [
        record("unknown kind", '{"kind": "poem"}'),
        record("no JSON", "{"),
        record("no such session", message("post_preview")),  # nothing to post: done
        record("wrong version", message("post_preview", version=2)),
        record("a task of Jira's", '{"kind": "jira", "touched": ["OPS-1"]}', queue="jira-work"),
        record("not approved", message("create_issue")),  # sends itself on, for a while
    ]
    answer = worker.lambda_handler({"Records": records}, LambdaContext())

    failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
    assert failed == {"unknown kind", "no JSON", "wrong version"}


def test_a_failed_message_is_received_again_after_ten_seconds(
    worker: ModuleType, queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, int]] = []
    monkeypatch.setattr(
        worker._sqs,
        "change_message_visibility",
        lambda **given: shown.append((given["ReceiptHandle"], given["VisibilityTimeout"])),
    )
    records = [record(str(n), "{", receipt=f"receipt {n}", receives=n) for n in (1, 2, 3, 4, 9)]
    worker.lambda_handler({"Records": [*records, record("jira's", "{", queue="jira-work")]}, LambdaContext())

    assert shown == [(f"receipt {n}", pause) for n, pause in ((1, 10), (2, 60), (3, 300), (4, 900), (9, 900))]


def test_a_failed_task_of_jira_does_not_load_slack(worker: ModuleType) -> None:
    answer = worker.lambda_handler({"Records": [record("jira's", "{", queue="jira-work")]}, LambdaContext())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "jira's"}]}
    assert worker._approvals.cache_info().currsize == 0, "lib.approvals.worker imports Slack's SDK"


def test_a_queue_that_cant_be_reached_does_not_lose_the_message(worker: ModuleType) -> None:
    answer = worker.lambda_handler({"Records": [record("1", "{", receipt="expired")]}, LambdaContext())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def test_a_claim_outlives_its_invocation(worker: ModuleType, queue_url: str) -> None:
    sent: list[object] = []
    store = ApprovalStore(Table(aws.make_client("dynamodb"), OPERATIONS))
    service = service_sending(lambda message, _: sent.append(message))
    draft_hash = service.submit(make_draft()).draft_hash
    show_whole(store, draft_hash)
    service.decide(Decision(verb=Verb.APPROVE, session_id="sess-1", draft_hash=draft_hash, user="U0ADA", **PLACE))
    ends_at = clock.utc_now() + timedelta(seconds=300)

    answer = worker.lambda_handler({"Records": [record("1", message("create_issue", draft_hash=draft_hash))]}, LambdaContext())

    operation = store.read("sess-1", draft_hash).operation
    assert answer == {"batchItemFailures": []}
    assert operation is not None
    assert operation.claim_expires_at is not None
    assert operation.claim_expires_at > ends_at + Policy().post_timeout
    assert operation.status is OperationStatus.FAILED
    assert "jiraBaseUrl, jiraEmail, jiraApiToken" in (operation.error_message or "")


def test_the_record_of_a_posted_preview_is_kept_as_long_as_its_session(
    worker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = aws.make_client("dynamodb")
    service = service_sending(lambda *_: None)
    draft_hash = service.submit(make_draft()).draft_hash
    monkeypatch.setattr(SlackClient, "post", lambda *_, **__: Posted("C1", "1.0"))
    monkeypatch.setattr(SlackClient, "update", lambda *_: None)
    monkeypatch.setattr(SlackClient, "permalink", lambda *_: "")

    answer = worker.lambda_handler({"Records": [record("1", message("post_preview", draft_hash=draft_hash))]}, LambdaContext())

    rows = {row["operation_key"]["S"]: int(row["expires_at"]["N"]) for row in table.scan(TableName=OPERATIONS)["Items"]}
    assert answer == {"batchItemFailures": []}
    assert rows[f"OPERATION#{draft_hash}#post_preview"] >= rows["SESSION"]


class NoIssues:
    """A Jira that has no issue and must not get one."""

    def find_by_marker(self, marker: object) -> list[FoundIssue]:
        return []

    def create_issue(self, fields: object, marker: object) -> str:
        raise AssertionError("a dry run creates nothing")


def test_a_dry_run_does_everything_but_create_the_issue(
    load_worker: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = load_worker(JIRA_DRY_RUN="true")
    posts: list[tuple[str, dict[str, str]]] = []
    updates: list[str] = []
    sent: list[messages.Message] = []

    def post(_: object, channel: str, shown: SlackMessage, **where: str) -> Posted:
        posts.append((shown.text, where))
        return Posted("C1", "1.0")

    def work_off() -> None:
        while sent:
            answer = worker.lambda_handler({"Records": [record("1", messages.encode(sent.pop(0)))]}, LambdaContext())
            assert answer == {"batchItemFailures": []}

    monkeypatch.setattr("lib.jira.client.connect", lambda *_, **__: None)
    monkeypatch.setattr(approval_worker, "JiraTracker", lambda *_: NoIssues())
    monkeypatch.setattr(messages, "sender", lambda _: lambda message, _: sent.append(message))
    monkeypatch.setattr(SlackClient, "post", post)
    monkeypatch.setattr(SlackClient, "update", lambda _, where, shown: updates.append(json.dumps(shown.blocks)))
    store = ApprovalStore(Table(aws.make_client("dynamodb"), OPERATIONS))
    service = service_sending(lambda message, *_: sent.append(message))
    draft_hash = service.submit(make_draft()).draft_hash
    work_off()
    service.decide(Decision(verb=Verb.APPROVE, session_id="sess-1", draft_hash=draft_hash, user="U0ADA", **PLACE))

    work_off()

    operation = store.read("sess-1", draft_hash).operation
    assert operation is not None
    assert operation.status is OperationStatus.DONE
    assert re.fullmatch(r"PROJ-DRY\d+", operation.jira_key or "")
    assert f"Ticket Created: {operation.jira_key}" in updates[-1]
    assert "Dry run: there is no such issue in Jira" in updates[-1]
    assert posts[-1] == (
        f"Dry run: {operation.jira_key} would have been created for <@U0REQUEST>. Approved by <@U0ADA>.",
        {"thread_ts": "1.0"},
    )


def test_the_worker_starts_without_the_sdks_of_jira_and_slack() -> None:
    script = "import sys; import handlers.jira_worker; print(*sys.modules)"
    environment = {
        **os.environ,
        "AWS_DEFAULT_REGION": "us-west-2",
        "JIRA_ISSUES_TABLE_NAME": "issues",
        "OPERATIONS_TABLE_NAME": "operations",
        "ARTIFACT_BUCKET_NAME": "artifacts",
        "APPROVAL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/approval-work",
        "HISTORY_DAYS": "90",
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert not {"slack_sdk", "jira", "requests", "tenacity", "flask", "boto3"} & set(done.stdout.split())
