"""How far the incremental reconciliation of each project has come: one row each in the operations table."""

from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.platform import aws, clock
from lib.platform.environment import RECONCILIATION_PARTITION

_PREFIX = "WATERMARK#"


class Watermarks:
    """The watermarks in one JiraOperations table. ``client`` is a DynamoDB client of :mod:`lib.platform.aws`.

    Every method raises SwitchboardError if the table can't be reached or refuses.
    """

    def __init__(self, client: Any, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def read(self, project: str) -> datetime | None:
        """What Jira changed before this instant has been looked at; None if nothing ever was."""
        answer = aws.call(
            f"read the watermark of {project}",
            lambda: self._client.get_item(TableName=self._table_name, Key=_key(project), ConsistentRead=True),
        )
        item = answer.get("Item")
        return clock.parse(item["reached"]["S"]) if item else None

    def advance(self, project: str, to: datetime) -> None:
        """Record that everything before ``to`` has been looked at. Never goes back."""
        try:
            aws.retry_throttled_once(
                lambda: self._client.put_item(
                    TableName=self._table_name,
                    Item={**_key(project), "reached": {"S": clock.canonical(to)}},
                    ConditionExpression="attribute_not_exists(session_id) OR reached < :to",
                    ExpressionAttributeValues={":to": {"S": clock.canonical(to)}},
                )
            )
        except (ClientError, BotoCoreError) as error:
            if not aws.is_condition_failure(error):
                raise aws.translate(error, f"advance the watermark of {project}") from error


def _key(project: str) -> dict[str, dict[str, str]]:
    return {"session_id": {"S": RECONCILIATION_PARTITION}, "operation_key": {"S": _PREFIX + project}}
