"""The operations table as the approvals use it: strongly consistent reads, and conditional writes that say who lost.

Two rows that must never disagree (a decision and its session, an operation and its session) are written in one
transaction. A transaction costs twice the write units, and one person's click is worth them (docs/adr/0040).
"""

import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lib.approvals.records import Item
from lib.platform import aws, errors

Result = TypeVar("Result")

_ALIAS = re.compile(r"#(\w+)")


class ContendedError(errors.RetryableError):
    """Another transaction held one of the rows at that moment. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Update:
    """A conditional update of one row. In its expressions ``#name`` stands for the attribute ``name``, as words that
    DynamoDB reserves need it."""

    session_id: str
    operation_key: str
    update: str
    condition: str
    values: Mapping[str, Any]

    def request(self, table_name: str) -> dict[str, Any]:
        """The update as DynamoDB takes it, alone or in a transaction."""
        names = {f"#{name}": name for name in _ALIAS.findall(f"{self.update} {self.condition}")}
        return {
            "TableName": table_name,
            "Key": key(self.session_id, self.operation_key),
            "UpdateExpression": self.update,
            "ConditionExpression": self.condition,
            "ExpressionAttributeValues": dict(self.values),
            **({"ExpressionAttributeNames": names} if names else {}),
        }


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row, unless one stands there."""

    item: Item = field(repr=False)

    def request(self, table_name: str) -> dict[str, Any]:
        """The put as DynamoDB takes it in a transaction."""
        return {"TableName": table_name, "Item": self.item, "ConditionExpression": "attribute_not_exists(session_id)"}


class OperationsTable:
    """One operations table.

    Args:
        client: a DynamoDB client of :mod:`lib.platform.aws`.
        table_name: JiraOperations.
        on_throttle: told when a call was throttled, before its one retry.
    """

    def __init__(self, client: Any, table_name: str, *, on_throttle: Callable[[], None] = lambda: None) -> None:
        self._client = client
        self._table_name = table_name
        self._on_throttle = on_throttle

    def read(self, session_id: str, operation_keys: Collection[str]) -> dict[str, Item]:
        """The rows with these keys that exist, by operation_key, each strongly consistent.

        They are no snapshot: a write may fall between two of them. Whoever acts on them must do so by conditional writes.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        keys = [key(session_id, operation_key) for operation_key in operation_keys]
        answer = self._call(
            f"read session {session_id}",
            lambda: self._client.batch_get_item(RequestItems={self._table_name: {"Keys": keys, "ConsistentRead": True}}),
        )
        if answer.get("UnprocessedKeys"):
            raise errors.ThrottledError(f"could not read session {session_id} whole")
        return {item["operation_key"]["S"]: item for item in answer["Responses"].get(self._table_name, [])}

    def rows(self, session_id: str, prefix: str = "") -> Iterator[Item]:
        """The session's rows whose key begins with ``prefix``, in the order of their keys, strongly consistent.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        request: dict[str, Any] = {
            "TableName": self._table_name,
            "KeyConditionExpression": "session_id = :session_id",
            "ExpressionAttributeValues": {":session_id": {"S": session_id}},
            "ConsistentRead": True,
        }
        if prefix:
            request["KeyConditionExpression"] += " AND begins_with(operation_key, :prefix)"
            request["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
        yield from self._pages(f"read session {session_id}", self._client.query, request)

    def scan(self, condition: str, values: Mapping[str, Any]) -> Iterator[Item]:
        """The rows of the whole table that meet ``condition``. It reads every row: for a person at the command line only.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        request = {
            "TableName": self._table_name,
            "FilterExpression": condition,
            "ExpressionAttributeValues": dict(values),
            "ConsistentRead": True,
        }
        yield from self._pages("read the operations", self._client.scan, request)

    def update(self, update: Update) -> bool:
        """Write one row; False if its condition refused.

        Raises:
            SwitchboardError: the table can't be reached or refuses.
        """
        request = update.request(self._table_name)
        try:
            aws.retry_throttled_once(lambda: self._client.update_item(**request), on_retry=self._on_throttle)
        except (ClientError, BotoCoreError) as error:
            if aws.is_condition_failure(error):
                return False
            raise _translate(error, f"write {update.operation_key}") from error
        return True

    def transact(self, *writes: Update | Insert) -> frozenset[int]:
        """Write all or nothing. The positions of the writes whose condition refused; none of them if all is written.

        Raises:
            ContendedError: another transaction was at one of the rows; nothing is written.
            SwitchboardError: the table can't be reached or refuses.
        """
        items = [{"Put" if isinstance(write, Insert) else "Update": write.request(self._table_name)} for write in writes]
        try:
            aws.retry_throttled_once(lambda: self._client.transact_write_items(TransactItems=items), on_retry=self._on_throttle)
        except (ClientError, BotoCoreError) as error:
            refused = aws.refusals(error)
            if aws.is_conflict(error) or not refused:
                raise _translate(error, "write the session") from error
            return frozenset(refused)
        return frozenset()

    def _call(self, doing: str, call: Callable[[], Result]) -> Result:
        return aws.call(doing, call, on_retry=self._on_throttle)

    def _pages(self, doing: str, call: Callable[..., Any], request: dict[str, Any]) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            page = self._call(doing, functools.partial(call, **request, **start))
            yield from page["Items"]
            if not page.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def key(session_id: str, operation_key: str) -> Item:
    """The primary key of a row."""
    return {"session_id": {"S": session_id}, "operation_key": {"S": operation_key}}


def _translate(error: ClientError | BotoCoreError, doing: str) -> errors.SwitchboardError:
    if aws.is_conflict(error):
        return ContendedError(f"could not {doing}: another write was at it")
    return aws.translate(error, doing)
