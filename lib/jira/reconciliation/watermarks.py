"""How far the incremental reconciliation of each project has come: one row each in the operations table."""

from datetime import datetime
from typing import Any

from lib.platform import clock
from lib.platform.contract import RECONCILIATION_PARTITION
from lib.platform.dynamodb import Condition, Item, Put, Table

_PREFIX = "WATERMARK#"


class Watermarks:
    """The watermarks in one JiraOperations table. ``client`` is a DynamoDB client of :mod:`lib.platform.aws`.

    Every method raises SwitchboardError if the table can't be reached or refuses.
    """

    def __init__(self, client: Any, table_name: str) -> None:
        self._table = Table(client, table_name)

    def read(self, project: str) -> datetime | None:
        """The instant before which all changes in Jira were processed; None for a project that was never reconciled."""
        item = self._table.get(_key(project), f"read the watermark of {project}")
        return clock.parse(item["reached"]["S"]) if item else None

    def advance(self, project: str, to: datetime) -> None:
        """Record that all changes before ``to`` were processed. A watermark never goes back."""
        reached = {"S": clock.canonical(to)}
        condition = Condition(expression="attribute_not_exists(session_id) OR reached < :to", values={":to": reached})
        put = Put(item={**_key(project), "reached": reached}, condition=condition)
        self._table.put(put, f"advance the watermark of {project}")


def _key(project: str) -> Item:
    return {"session_id": {"S": RECONCILIATION_PARTITION}, "operation_key": {"S": _PREFIX + project}}
