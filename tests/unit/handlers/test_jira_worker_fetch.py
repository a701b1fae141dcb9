"""The Jira worker asking Jira, over real HTTP: what it fetches is stored like a delivery, and what fails fails alone."""

import functools
import json
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from lib.jira.client import JiraClient
from lib.jira.tasks import Task
from lib.jira.webhooks import NeedsFetch
from stack.local.standins.jira import Jira
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.sqs_events import work
from tests.support.aws.wire import aws_error
from tests.support.jira.bodies import SENT, comment_event, deliver, digest
from tests.support.jira.cloud import API_TOKEN, EMAIL, JiraCloud
from tests.support.observability.emf import metrics_in
from tests.support.observability.log_lines import LogLines
from tests.support.web.standins import Served, served

ISSUE = "/rest/api/3/issue/{}"


@pytest.fixture
def jira() -> Iterator[Served[Jira]]:
    """Jira, with the issues OPS-1 to OPS-3."""
    with served(Jira(accounts={EMAIL: API_TOKEN})) as site:
        site.app.seed("OPS", 3)
        yield site


@pytest.fixture
def waits() -> list[float]:
    """How long the worker waited between its requests, in seconds."""
    return []


@pytest.fixture
def worker(
    load_jira_worker: Callable[..., ModuleType], jira: Served[Jira], waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The worker of a stack that has Jira configured. It never really waits."""
    worker = load_jira_worker(JIRA_BASE_URL=jira.url)
    monkeypatch.setattr("lib.jira.client.JiraClient", functools.partial(JiraClient, sleep=waits.append, timeout=(2.0, 2.0)))
    return worker


def fetch(*issues: str) -> Task:
    """The message that an event leaves which names issues only."""
    return Task(fetch=NeedsFetch(issues, "comment_created", SENT, "d-1"))


def asked(jira: Served[Jira]) -> list[str]:
    """The paths that were asked for, in order."""
    return [request["path"] for request in jira.app.requests]


def test_an_event_without_state_ends_with_the_issue_as_jira_has_it(
    webhooks: ModuleType, worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud
) -> None:
    deliver(webhooks, comment_event("OPS-2"))

    assert work(worker, *jira_cloud.tasks()) == []

    head = jira_cloud.rows("OPS-2")["HEAD"]
    assert head["summary"] == {"S": "Issue 2 of OPS"}
    assert (head["idempotency_key"], head["event_at"]) == ({"S": digest(comment_event("OPS-2"))}, {"N": str(SENT)})
    assert jira_cloud.rows("OPS-2")["CORRELATION"]["state"] == {"S": "without_commits"}
    assert asked(jira) == [ISSUE.format("OPS-2")]


def test_an_issue_fetched_twice_is_stored_once(worker: ModuleType, jira_cloud: JiraCloud) -> None:
    lines = LogLines("jira_worker")
    assert work(worker, fetch("OPS-1"), fetch("OPS-1")) == []

    assert [line["outcomes"] for line in lines.named("issues_fetched")] == [["stored"], ["duplicate"]]
    assert len(jira_cloud.rows("OPS-1")) == 3, "a version, HEAD and the correlation"


def test_both_ends_of_a_link_are_fetched_by_their_ids(worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud) -> None:
    ids = [issue.id for key in ("OPS-1", "OPS-3") if (issue := jira.app.site.find(key))]

    assert work(worker, fetch(*map(str, ids))) == []

    assert all("HEAD" in jira_cloud.rows(key) for key in ("OPS-1", "OPS-3"))


def test_both_keys_of_an_issue_that_moved_meanwhile_are_recomputed(
    worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud
) -> None:
    moved = jira.app.edit("OPS-1", project="GOLD")

    assert work(worker, fetch("OPS-1")) == []

    assert jira_cloud.rows("OPS-1")["HEAD"]["moved_to"] == {"S": moved.key}
    assert jira_cloud.rows("OPS-1")["CORRELATION"]["state"] == {"S": "moved"}
    assert jira_cloud.rows(moved.key)["CORRELATION"]["state"] == {"S": "without_commits"}


def test_an_issue_that_jira_does_not_have_is_skipped(worker: ModuleType, jira_cloud: JiraCloud) -> None:
    assert work(worker, fetch("OPS-99")) == []
    assert jira_cloud.row_count() == 0


def test_fetches_are_counted(worker: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    work(worker, fetch("OPS-1", "OPS-2"))

    assert [metric.value for metric in metrics_in(capsys.readouterr().out) if metric.name == "JiraFetch"] == [2]


# Jira throttles


def test_retry_after_is_honoured(worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud, waits: list[float]) -> None:
    jira.fail(ISSUE.format("OPS-1"), status=429, headers={"Retry-After": "7"}, times=2)

    assert work(worker, fetch("OPS-1")) == []

    assert waits == [7.0, 7.0]
    assert "HEAD" in jira_cloud.rows("OPS-1")


def test_a_wait_longer_than_the_time_left_is_not_started(
    worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud, waits: list[float]
) -> None:
    jira.fail(ISSUE.format("OPS-1"), status=429, headers={"Retry-After": "200"})

    assert work(worker, fetch("OPS-1"), Task(("OPS-9",)), context=LambdaContext(remaining_ms=200_000)) == ["m-1"]

    assert waits == []
    assert jira_cloud.rows("OPS-9").keys() == {"CORRELATION"}
    assert work(worker, fetch("OPS-1")) == []


def test_with_no_time_left_no_request_to_jira_is_made(worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud) -> None:
    assert work(worker, fetch("OPS-1"), Task(("OPS-9",)), context=LambdaContext(remaining_ms=50_000)) == ["m-1"]

    assert asked(jira) == []
    assert jira_cloud.rows("OPS-9").keys() == {"CORRELATION"}


# Jira fails

FAULTS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503},
    "reset": {"reset": True},
    "half an answer": {"error": "half_page"},
    "429": {"error": "rate_limited"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_temporary_failure_is_retried(worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud, fault: str) -> None:
    jira.fail(ISSUE.format("OPS-1"), **FAULTS[fault], times=4)

    assert work(worker, fetch("OPS-1")) == []
    assert "HEAD" in jira_cloud.rows("OPS-1")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lasting_failure_fails_only_its_message_after_five_attempts(
    worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud, waits: list[float], fault: str
) -> None:
    jira.fail(ISSUE.format("OPS-1"), **FAULTS[fault], times=99)

    assert work(worker, fetch("OPS-1"), fetch("OPS-2"), Task(("OPS-9",))) == ["m-1"]

    assert len(waits) == 4
    assert "HEAD" in jira_cloud.rows("OPS-2")
    assert jira_cloud.rows("OPS-9").keys() == {"CORRELATION"}
    assert jira_cloud.rows("OPS-1") == {}


def test_a_token_that_jira_refuses_is_not_tried_again(worker: ModuleType, jira: Served[Jira], waits: list[float]) -> None:
    lines = LogLines("jira_worker")
    jira.fail(ISSUE.format("OPS-1"), error="expired_token")

    assert work(worker, fetch("OPS-1")) == ["m-1"]

    assert waits == []
    assert "the API token is wrong, expired or lacks a permission" in lines.only("task_failed")["error_text"]


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"key": "OPS-1", "fields": {}}', '{"key": "no key", "fields": {"updated": "2026-03-01T12:00:00Z"}}']
)
def test_an_answer_without_an_issue_fails_only_its_message(worker: ModuleType, jira: Served[Jira], body: str) -> None:
    jira.fail(ISSUE.format("OPS-1"), status=200, body=body, headers={"Content-Type": "application/json"}, times=99)

    assert work(worker, fetch("OPS-1"), fetch("OPS-2")) == ["m-1"]


def test_with_the_table_down_the_message_fails_and_its_retry_stores(worker: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail("dynamodb.PutItem", aws_error("InternalServerError", 500), times=1)

    assert work(worker, fetch("OPS-1"), fetch("OPS-2")) == ["m-1"]
    assert work(worker, fetch("OPS-1")) == []
    assert "HEAD" in jira_cloud.rows("OPS-1")


def test_an_issue_too_large_for_a_row_goes_to_the_bucket(worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud) -> None:
    labels = [f"label-{number:06}" for number in range(30_000)]
    jira.app.edit("OPS-1", labels=labels)

    assert work(worker, fetch("OPS-1")) == []

    ((_, stored),) = jira_cloud.objects("snapshots/OPS-1/").items()
    assert stored["fields"]["labels"] == labels


def test_a_rotated_token_is_used_without_a_new_process(worker: ModuleType, jira: Served[Jira], jira_cloud: JiraCloud) -> None:
    assert work(worker, fetch("OPS-1")) == []
    jira.app.accounts = {EMAIL: "the second token"}
    jira_cloud.rotate(jira_cloud.api_token_arn, "the second token")

    assert work(worker, fetch("OPS-2"), fetch("OPS-3")) == []

    assert all("HEAD" in jira_cloud.rows(key) for key in ("OPS-2", "OPS-3"))


# Not configured


@pytest.mark.parametrize(
    ("missing", "name"),
    [("JIRA_BASE_URL", "jiraBaseUrl"), ("JIRA_EMAIL", "jiraEmail"), ("JIRA_API_TOKEN_ARN", "jiraApiToken")],
)
def test_without_jira_configured_a_fetch_fails_and_says_what_to_set(
    load_jira_worker: Callable[..., ModuleType], jira: Served[Jira], jira_cloud: JiraCloud, missing: str, name: str
) -> None:
    worker = load_jira_worker(**{"JIRA_BASE_URL": jira.url, missing: ""})
    lines = LogLines("jira_worker")

    assert work(worker, fetch("OPS-1"), Task(("OPS-9",))) == ["m-1"]

    line = lines.only("task_failed")
    assert (line["error"], line["error_text"]) == ("ConfigurationError", f"Jira is not configured: {name} not set")
    assert "exception" not in line
    assert asked(jira) == []


def test_a_token_that_can_not_be_read_fails_only_the_fetches(worker: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail("secretsmanager.GetSecretValue", aws_error("AccessDeniedException"))

    assert work(worker, fetch("OPS-1"), Task(("OPS-9",))) == ["m-1"]


# What it logs


@pytest.mark.parametrize("fault", [*FAULTS, "expired", "echo"])
def test_no_line_holds_the_token_or_an_address(
    worker: ModuleType, jira: Served[Jira], capfd: pytest.CaptureFixture[str], fault: str
) -> None:
    lines = LogLines("jira_worker")
    echo = {"status": 400, "body": json.dumps({"errorMessages": [f"no such person: {EMAIL}"]})}
    others: dict[str, dict[str, Any]] = {"expired": {"error": "expired_token"}, "echo": echo}
    jira.fail(ISSUE.format("OPS-1"), **{**FAULTS, **others}[fault], times=99)

    assert work(worker, fetch("OPS-1"), fetch("OPS-2")) == ["m-1"]

    captured = capfd.readouterr()
    text = lines.text + captured.out + captured.err
    assert lines.only("task_failed")
    assert API_TOKEN not in text
    assert not re.search(r"[\w.]@[\w]|Basic ", text)
