"""docs/runbooks/pruning.md: superseded versions are counted, deleted, and gone."""

from datetime import timedelta
from typing import Any

from lib.platform import clock
from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.operations.runbook import Section, runbook

HEAD, OLD = "HEAD", "2026-03-01T12:00:00.000000Z"


def put_versions(operated: ApprovalsCloud) -> None:
    """An issue, and a version of it that was superseded and received 100 days ago."""
    operated.jira.app.seed("OLD", 1)
    operated.cloud.invoke("reconciliation", {"full": True, "project": "OLD"})
    dynamodb, table = operated.cloud.client("dynamodb"), operated.cloud.outputs["jira_issues_table_name"]
    rows: list[dict[str, Any]] = dynamodb.query(
        TableName=table, KeyConditionExpression="issue_key = :key", ExpressionAttributeValues={":key": {"S": "OLD-1"}}
    )["Items"]
    [version] = [row for row in rows if "received_at" in row]
    received = clock.canonical(clock.utc_now() - timedelta(days=100))
    dynamodb.put_item(
        TableName=table, Item=version | {"updated_at": {"S": OLD}, "event_at": {"N": "1"}, "received_at": {"S": received}}
    )


@runbook("pruning.md#prune")
def test_versions_are_counted_deleted_and_gone(operated: ApprovalsCloud, section: Section) -> None:
    put_versions(operated)

    counted = section.run().succeeded()
    pruned = section.run(answers="y\n").succeeded()
    again = section.do("prune --older-than 90d --dry-run").succeeded()

    assert counted.startswith("1 of ")
    assert counted.endswith("Nothing was deleted.\n")
    assert "Deleted 1 of " in pruned
    assert again.startswith("0 of ")
    assert operated.cloud.jira_row("OLD-1") is not None
    assert operated.cloud.jira_row("OLD-1", OLD) is None
