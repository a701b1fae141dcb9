"""What is stored in the end: tables, Jira, catalogues, dead letters, metrics. Read as an operator, with no fault on."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from lib.jira.issue_reader import IssueReader
from tests.bench.soak.checks import JiraState
from tests.bench.soak.load import DRAFTS, PROJECTS
from tests.bench.soak.sampling import logical
from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.cloud import Cloud

_HEAD, _COMMIT, _CORRELATION = "HEAD", "COMMIT#", "CORRELATION"


@dataclass(slots=True)
class Issues:
    """The rows of JiraIssues, by kind."""

    heads: dict[str, JiraState | None] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    links: set[tuple[str, str]] = field(default_factory=set)
    correlated: set[str] = field(default_factory=set)


def issues(cloud: Cloud) -> Issues:
    """Every row of JiraIssues."""
    found = Issues()
    for row in _rows(cloud, "jira_issues_table_name"):
        key, kind = row["issue_key"], row["updated_at"]
        if kind == _HEAD:
            found.heads[key] = None if row["deleted"] else _state(row)
        elif kind.startswith(_COMMIT):
            found.links.add((key, kind.removeprefix(_COMMIT)))
        elif kind == _CORRELATION:
            found.correlated.add(key)
        elif "event_at" in row and kind[0].isdigit():
            found.versions[key, kind] = int(row["event_at"])
    return found


def lists(cloud: Cloud) -> dict[str, set[str]]:
    """The issues of each project, as the index lists them."""
    reader = IssueReader(cloud.client("dynamodb"), cloud.outputs["jira_issues_table_name"])
    return {project: {issue.issue_key for issue in reader.by_project(project)} for project in (*PROJECTS, DRAFTS)}


def decisions(cloud: Cloud) -> dict[str, str]:
    """The decision of each session."""
    rows = _rows(cloud, "jira_operations_table_name")
    return {row["session_id"]: row["status"] for row in rows if row["operation_key"].startswith("APPROVAL#")}


def session_states(cloud: Cloud) -> dict[str, str]:
    """The state of each session."""
    rows = _rows(cloud, "jira_operations_table_name")
    return {row["session_id"]: row["state"] for row in rows if row["operation_key"] == "SESSION"}


def names(cloud: Cloud) -> set[str]:
    """What could name a forged request: keys of issues, commits, events."""
    found: set[str] = set()
    for row in _rows(cloud, "jira_issues_table_name"):
        found |= {row["issue_key"], row["updated_at"].removeprefix(_COMMIT)}
    return found | {row["session_id"].removeprefix("event#") for row in _rows(cloud, "jira_operations_table_name")}


def in_jira(world: ApprovalsCloud, keys: Iterable[str]) -> dict[str, JiraState | None]:
    """The state in Jira of each key; None if it is of no issue."""
    with world.jira.app.lock:
        live = {issue.key: issue for issue in world.jira.app.site.by_id.values()}
        states: dict[str, JiraState | None] = dict.fromkeys(keys)
        return states | {key: (str(each.id), each.status, each.assignee, each.fix_versions) for key, each in live.items()}


def titles(world: ApprovalsCloud) -> Counter[str]:
    """How many issues of drafts have a summary."""
    with world.jira.app.lock:
        return Counter(issue.summary for issue in world.jira.app.site.by_id.values() if issue.project == DRAFTS)


def dead_letters(cloud: Cloud) -> dict[str, list[str]]:
    """The bodies of all dead letters, by queue. They become visible again."""
    sqs = cloud.client("sqs")
    found: dict[str, list[str]] = {}
    for queue in (name for queues in cloud.outputs["dead_letter_queues"].values() for name in queues):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        handles = []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages", []):
            found.setdefault(logical(queue), []).extend(message["Body"] for message in batch)
            handles += [message["ReceiptHandle"] for message in batch]
        for handle in handles:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return found


def failures(cloud: Cloud) -> dict[str, float]:
    """How many failures the metrics of AWS counted, by the alarm that watches them."""
    counts = {
        f"{entry_point}-errors": _sum(cloud, "AWS/Lambda", "Errors", "FunctionName", name)
        for entry_point, name in cloud.outputs["functions"].items()
    }
    metrics = cloud.client("cloudwatch").list_metrics(Namespace="AWS/ApiGateway", MetricName="5xx")["Metrics"]
    for metric in metrics[:1]:
        [dimension] = metric["Dimensions"]
        counts["http-server-errors"] = _sum(cloud, "AWS/ApiGateway", "5xx", dimension["Name"], dimension["Value"])
    return counts


def _sum(cloud: Cloud, namespace: str, name: str, dimension: str, value: str) -> float:
    now = datetime.now(UTC)
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": dimension, "Value": value}],
        StartTime=now - timedelta(hours=12),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(float(point["Sum"]) for point in points)


def _rows(cloud: Cloud, table: str) -> Iterator[dict[str, Any]]:
    deserialise = TypeDeserializer().deserialize
    for page in cloud.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.outputs[table], ConsistentRead=True):
        for item in page["Items"]:
            yield {name: deserialise(value) for name, value in item.items()}


def _state(row: dict[str, Any]) -> JiraState:
    return (row.get("issue_id"), row.get("status"), row.get("assignee"), tuple(row.get("fix_versions") or ()))
