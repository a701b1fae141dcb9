"""The operations table in memory: moto's own evaluator of conditions and updates, without HTTP and without botocore.

It answers the calls that the approvals make, as a botocore client would, a hundred times faster than a mocked one. What
botocore would check of a request is not checked here: tests/unit/approvals/test_repository.py runs on the full mock.
"""

import copy
import json
from typing import Any

from botocore.exceptions import ClientError
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models import DynamoDBBackend

TABLE = "operations"


class MemoryTable:
    """A DynamoDB client with one table, keyed by ``session_id`` and ``operation_key``. One call at a time."""

    def __init__(self) -> None:
        self._backend = DynamoDBBackend("us-west-2", "123456789012")
        keys = {"session_id": "HASH", "operation_key": "RANGE"}
        self._backend.create_table(
            TABLE,
            schema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            throughput=None,
            attr=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            global_indexes=None,
            indexes=None,
            streams=None,
            billing_mode="PAY_PER_REQUEST",
            sse_specification=None,
            tags=[],
            deletion_protection_enabled=False,
            warm_throughput=None,
        )

    def rows(self) -> list[dict[str, Any]]:
        """Every row there is."""
        items = self._backend.get_table(TABLE).items
        return [copy.deepcopy(item.to_json()["Attributes"]) for rows in items.values() for item in rows.values()]

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        request = RequestItems[TABLE]
        assert request["ConsistentRead"]
        found = [item for item in (self._get(key) for key in request["Keys"]) if item is not None]
        return {"Responses": {TABLE: found}, "UnprocessedKeys": {}}

    def update_item(self, **request: Any) -> dict[str, Any]:
        try:
            self._update(request, request.get("ConditionExpression"))
        except ConditionalCheckFailed as error:
            standing = json.loads(error.description).get("Item")
            raise ClientError(
                {
                    "Error": {"Code": "ConditionalCheckFailedException", "Message": "refused"},
                    **({"Item": standing} if standing else {}),
                },
                "UpdateItem",
            ) from None
        return {}

    def transact_write_items(self, TransactItems: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803
        writes = [next(iter(item.items())) for item in TransactItems]
        codes = ["None" if self._holds(request) else "ConditionalCheckFailed" for _, request in writes]
        if set(codes) != {"None"}:
            raise ClientError(
                {
                    "Error": {"Code": "TransactionCanceledException", "Message": "refused"},
                    "CancellationReasons": [{"Code": code} for code in codes],
                },
                "TransactWriteItems",
            )
        for kind, request in writes:
            if kind == "Put":
                self._backend.put_item(TABLE, copy.deepcopy(request["Item"]))
            else:
                self._update(request, None)
        return {}

    def query(self, **request: Any) -> dict[str, Any]:
        values = request["ExpressionAttributeValues"]
        prefix = values.get(":prefix", {"S": ""})["S"]
        wanted = (values[":session_id"]["S"], prefix)
        rows = [row for row in self.rows() if row["session_id"]["S"] == wanted[0]]
        return {"Items": [row for row in rows if row["operation_key"]["S"].startswith(prefix)]}

    def _update(self, request: dict[str, Any], condition: str | None) -> None:
        self._backend.update_item(
            TABLE,
            request["Key"],
            request["UpdateExpression"],
            request.get("ExpressionAttributeNames", {}),
            request.get("ExpressionAttributeValues", {}),
            condition_expression=condition,
            return_values_on_condition_check_failure=request.get("ReturnValuesOnConditionCheckFailure"),
        )

    def _holds(self, request: dict[str, Any]) -> bool:
        key = request.get("Key") or {name: request["Item"][name] for name in ("session_id", "operation_key")}
        condition = get_filter_expression(
            request["ConditionExpression"],
            request.get("ExpressionAttributeNames"),
            request.get("ExpressionAttributeValues"),
        )
        return bool(condition.expr(self._backend.get_item(TABLE, key)))

    def _get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        item = self._backend.get_item(TABLE, key)
        return copy.deepcopy(item.to_json()["Attributes"]) if item is not None else None
