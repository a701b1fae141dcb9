"""The reconciliation function against moto and the Jira stand-in, and a Lambda that only records its calls."""

import dataclasses
import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from lib.jira.client import JiraClient
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_reader import IssueReader
from lib.jira.items import Issue
from lib.jira.tasks import read_task
from lib.platform import aws
from stack.local.standins.jira import Jira
from tests.support.aws.functions import load
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.moto_inside import BUCKET, ISSUES, OPERATIONS, create_bucket, create_secret, create_tables, moto_inside
from tests.support.aws.moto_state import made_once
from tests.support.observability.emf import metrics_in
from tests.support.web.standins import served

QUEUE = "jira-work-3c1d"
EMAIL, TOKEN = "switchboard@example.com", "token-of-the-tests"
SEARCH = "/rest/api/3/search/jql"
FUNCTION = "reconciliation-5d1c"


class Lambda:
    """A Lambda client that records the asynchronous calls, or refuses them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - AWS's names
        """Record the event."""
        assert (FunctionName, InvocationType) == (f"{FUNCTION}:live", "Event")
        if self.error is not None:
            raise self.error
        self.events.append(json.loads(Payload))
        return {"StatusCode": 202}


@dataclasses.dataclass(slots=True)
class Reconciliation:
    """The function and its surroundings."""

    jira: Jira
    variables: dict[str, str]
    monkeypatch: pytest.MonkeyPatch
    lambda_: Lambda = dataclasses.field(default_factory=Lambda)
    module: ModuleType | None = None

    def load(self, **changes: str) -> ModuleType:
        """Load the function again, in an environment with ``changes``."""
        self.module = load(self.monkeypatch, "reconciliation", {**self.variables, **changes})
        self.monkeypatch.setattr(self.module._runner.continuations, "_get_lambda", lambda: self.lambda_)
        patient = functools.partial(JiraClient, sleep=lambda _: None, timeout=(2.0, 2.0))
        self.monkeypatch.setattr("lib.jira.client.JiraClient", patient)
        return self.module

    def run(self, event: object = None, *, seconds: float = 900.0, run_id: str = "run-1") -> dict[str, Any]:
        """One invocation that always has ``seconds`` left; by default a full sweep of every project."""
        module = self.module or self.load()
        event = {"mode": "full"} if event is None else event
        context = LambdaContext(run_id, function_name=FUNCTION, remaining_ms=int(seconds * 1000))
        result: dict[str, Any] = module.lambda_handler(event, context)
        json.dumps(result)
        return result

    def run_to_the_end(self, event: object = None, *, seconds: float = 900.0) -> list[dict[str, Any]]:
        """An invocation and those by which the function continues itself, in order."""
        results = [self.run(event, seconds=seconds)]
        while self.lambda_.events:
            number = len(results) + 1
            results.append(self.run(self.lambda_.events.pop(0), seconds=seconds, run_id=f"run-{number}"))
            assert number < 50, "the run does not end"
        return results

    def stored(self, project: str = "OPS") -> list[str]:
        """The keys of the live issues that the store has."""
        return [issue.issue_key for issue in self.reader.by_project(project)]

    def latest(self, issue_key: str) -> Issue:
        """The current state of an issue that the store has."""
        issue = self.reader.latest(issue_key)
        assert issue is not None
        return issue

    @property
    def reader(self) -> IssueReader:
        """The read side of the store."""
        return IssueReader(aws.make_client("dynamodb"), ISSUES)

    def everything(self) -> str:
        """All rows of both tables and all objects' names: what must stay as it is if nothing is written. Left out are the
        claims of continuations, which a dry run writes too."""
        dynamodb = aws.make_client("dynamodb")
        rows: list[Any] = []
        for table in (ISSUES, OPERATIONS):
            rows += [item for page in dynamodb.get_paginator("scan").paginate(TableName=table) for item in page["Items"]]
        kept = [row for row in rows if not row.get("operation_key", {}).get("S", "").startswith("CONTINUATION#")]
        return json.dumps([kept, self.objects()], default=repr)  # bytes of snapshots

    def objects(self) -> list[str]:
        """The names of the objects in the artifact bucket."""
        return [entry["Key"] for entry in aws.make_client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def claim(self, run_id: str, part: int) -> dict[str, Any] | None:
        """The row of the claim on a part of a run."""
        key = {"session_id": {"S": "reconciliation"}, "operation_key": {"S": f"CONTINUATION#{run_id}#{part}"}}
        item: dict[str, Any] | None = aws.make_client("dynamodb").get_item(TableName=OPERATIONS, Key=key).get("Item")
        return item

    def watermark(self, project: str = "OPS") -> str | None:
        """The stored watermark of a project."""
        key = {"session_id": {"S": "reconciliation"}, "operation_key": {"S": f"WATERMARK#{project}"}}
        item = aws.make_client("dynamodb").get_item(TableName=OPERATIONS, Key=key).get("Item")
        return item["reached"]["S"] if item else None

    def recomputes(self) -> list[str]:
        """The issues that were queued for correlation since the last call."""
        sqs = aws.make_client("sqs")
        touched: list[str] = []
        url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in batch:
                touched += read_task(message["Body"]).touched
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return touched

    def correlate(self, issue_key: str) -> None:
        """Do for one issue what the worker does."""
        CorrelationStore(aws.make_client("dynamodb"), ISSUES).recompute(issue_key)

    def record(self, result: dict[str, Any]) -> dict[str, Any]:
        """The run record that a result names."""
        body = aws.make_client("s3").get_object(Bucket=BUCKET, Key=result["record"])["Body"].read()
        record: dict[str, Any] = json.loads(body)
        return record


@made_once
def _create_resources() -> tuple[str, str]:
    """The URL of the queue, and the ARN of Jira's token."""
    create_tables()
    create_bucket()
    return aws.make_client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"], create_secret("jira-api-token", TOKEN)


@contextmanager
def reconciliation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reconciliation]:
    """The function of a stack that sweeps OPS, on empty tables and an empty Jira."""
    with served(Jira(accounts={EMAIL: TOKEN})) as site, moto_inside(monkeypatch):
        queue_url, token_arn = _create_resources()
        variables = {
            "JIRA_ISSUES_TABLE_NAME": ISSUES,
            "OPERATIONS_TABLE_NAME": OPERATIONS,
            "ARTIFACT_BUCKET_NAME": BUCKET,
            "JIRA_QUEUE_URL": queue_url,
            "HISTORY_DAYS": "90",
            "JIRA_PROJECTS": "OPS",
            "JIRA_BASE_URL": site.url,
            "JIRA_EMAIL": EMAIL,
            "JIRA_API_TOKEN_ARN": token_arn,
            "GIT_SHA": "1efc1f6",
        }
        yield Reconciliation(site.app, variables, monkeypatch)


def counts(result: dict[str, Any], project: str = "OPS") -> dict[str, int]:
    """The counts of a project that are not zero."""
    return {name: number for name, number in of(result, project)["counts"].items() if number}


def of(result: dict[str, Any], project: str = "OPS") -> dict[str, Any]:
    """The part of a result that is of one project."""
    return next(entry for entry in result["projects"] if entry["project"] == project)


def metrics(capsys: pytest.CaptureFixture[str], project: str = "OPS") -> dict[str, float]:
    """The metrics of a project since last asked, added up; those that are zero left out."""
    total: dict[str, float] = {}
    for metric in metrics_in(capsys.readouterr().out):
        if metric.dimensions.get("project") == project and metric.value:
            total[metric.name] = total.get(metric.name, 0) + metric.value
    return total
