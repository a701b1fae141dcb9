"""What the webhooks function and the Jira worker work on, in this process: table, bucket, queue and secrets, as the stack
makes them, and what tests read from them.
"""

import dataclasses
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lib.jira.tasks import Task, read_task
from lib.platform import aws
from lib.platform.contract import JIRA_ISSUES
from tests.support.aws.moto_clients import patched_client
from tests.support.aws.moto_inside import BUCKET, ISSUES, OPERATIONS, create_bucket, create_secret, create_table, moto_inside
from tests.support.aws.moto_state import made_once
from tests.support.aws.wire import AwsWire

JIRA_SECRET, COMMIT_SECRET, API_TOKEN = "shared with Jira", "shared with Git", "the token of the API"
AUTOMATION_TOKEN = "shared with a rule of Jira Automation"
EMAIL = "switchboard@example.com"

Item = dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class JiraCloud:
    """The services. ``wire`` sees the calls of the functions and none of the test's own."""

    queue_url: str
    jira_secret_arn: str
    commit_secret_arn: str
    automation_token_arn: str
    api_token_arn: str
    wire: AwsWire
    _dynamodb: Any
    _s3: Any
    _sqs: Any
    _secrets_manager: Any

    def webhooks_variables(self, **changes: str) -> dict[str, str]:
        """The environment of the webhooks function, with the project OPS configured."""
        return {
            "JIRA_ISSUES_TABLE_NAME": ISSUES,
            "ARTIFACT_BUCKET_NAME": BUCKET,
            "JIRA_QUEUE_URL": self.queue_url,
            "HISTORY_DAYS": "90",
            "JIRA_PROJECTS": "OPS",
            "JIRA_WEBHOOK_SECRET_ARN": self.jira_secret_arn,
            "COMMIT_WEBHOOK_SECRET_ARN": self.commit_secret_arn,
            **changes,
        }

    def worker_variables(self, **changes: str) -> dict[str, str]:
        """The environment of the Jira worker, with no Jira to ask and no approvals to work on."""
        return {
            "JIRA_ISSUES_TABLE_NAME": ISSUES,
            "OPERATIONS_TABLE_NAME": OPERATIONS,
            "APPROVAL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/approval-work-9b2e",
            "ARTIFACT_BUCKET_NAME": BUCKET,
            "HISTORY_DAYS": "90",
            "JIRA_BASE_URL": "",
            "JIRA_EMAIL": EMAIL,
            "JIRA_API_TOKEN_ARN": self.api_token_arn,
            "GIT_SHA": "4f2a9c1",
            **changes,
        }

    def rows(self, issue_key: str) -> dict[str, Item]:
        """The rows of an issue by their sort key."""
        answer = self._dynamodb.query(
            TableName=ISSUES,
            KeyConditionExpression="issue_key = :issue",
            ExpressionAttributeValues={":issue": {"S": issue_key}},
        )
        return {item["updated_at"]["S"]: item for item in answer["Items"]}

    def replace(self, issue_key: str, **attributes: dict[str, Any]) -> None:
        """Set attributes of each row of an issue."""
        for row in self.rows(issue_key).values():
            self._dynamodb.put_item(TableName=ISSUES, Item=row | attributes)

    def row_count(self) -> int:
        """How many rows the table has."""
        return int(self._dynamodb.scan(TableName=ISSUES, Select="COUNT")["Count"])

    def tasks(self) -> list[Task]:
        """What was queued since last asked."""
        tasks: list[Task] = []
        while batch := self._sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                tasks.append(read_task(message["Body"]))
                self._sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return tasks

    def objects(self, prefix: str) -> dict[str, Any]:
        """The JSON of the bucket's objects by name."""
        names = [entry["Key"] for entry in self._s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
        return {name: self._object(name) for name in names}

    def rotate(self, secret_arn: str, value: str) -> None:
        """Put a new value: the one before it becomes AWSPREVIOUS."""
        self._secrets_manager.put_secret_value(SecretId=secret_arn, SecretString=value)

    def _object(self, name: str) -> Any:
        answer = self._s3.get_object(Bucket=BUCKET, Key=name)
        data = answer["Body"].read()
        return json.loads(gzip.decompress(data) if answer.get("ContentEncoding") == "gzip" else data)


@contextmanager
def jira_cloud_inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[JiraCloud]:
    """New resources, on which functions that are loaded meanwhile work."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with moto_inside(monkeypatch):
        cloud = JiraCloud(
            **_create_resources(),
            wire=AwsWire(),
            _dynamodb=aws.make_client("dynamodb"),
            _s3=aws.make_client("s3"),
            _sqs=aws.make_client("sqs"),
            _secrets_manager=aws.make_client("secretsmanager"),
        )
        with _all_watched(monkeypatch, cloud.wire):
            yield cloud


@made_once
def _create_resources() -> dict[str, str]:
    create_table(ISSUES, JIRA_ISSUES)
    create_bucket()
    return {
        "queue_url": aws.make_client("sqs").create_queue(QueueName="jira-work-5be2")["QueueUrl"],
        "jira_secret_arn": create_secret("jira-webhook", JIRA_SECRET),
        "automation_token_arn": create_secret("jira-automation-token", AUTOMATION_TOKEN),
        "commit_secret_arn": create_secret("commit-webhook", COMMIT_SECRET),
        "api_token_arn": create_secret("jira-api-token", API_TOKEN),
    }


@contextmanager
def _all_watched(monkeypatch: pytest.MonkeyPatch, wire: AwsWire) -> Iterator[None]:
    """Watch every client made from now on."""
    watched: list[Any] = []

    def make_watched(service: str, **options: Any) -> Any:
        client = patched_client(service, owner="functions", **options)
        if client not in watched:
            wire.watch(client)
            watched.append(client)
        return client

    monkeypatch.setattr(aws, "make_client", make_watched)
    yield
    for client in watched:
        wire.leave(client)
