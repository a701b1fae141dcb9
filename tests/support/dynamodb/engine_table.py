"""JiraIssues on a real engine with the interface of :class:`.fake_table.FakeTable`: the same tests run on both."""

from collections.abc import Callable
from typing import Any

Item = dict[str, dict[str, Any]]

_WRITES = frozenset({"put_item", "delete_item", "batch_write_item"})


class EngineTable:
    """A DynamoDB client that uses one table and ignores the table name of calls."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name
        #: Each call and the capacity units of the table that it took; of the index, for a query of one.
        self.calls: list[tuple[str, float]] = []
        #: Called before and after each write; raises to fail there.
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None

    @property
    def items(self) -> dict[tuple[str, str], Item]:
        """Every row, by its key."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
        rows = [row for page in pages for row in page["Items"]]
        return {(row["issue_key"]["S"], row["updated_at"]["S"]): row for row in rows}

    def indexed(self, index: str) -> list[Item]:
        """The rows that an index shows."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, IndexName=index)
        return [row for page in pages for row in page["Items"]]

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            if operation in _WRITES:
                self.before_write()
            answer = self._send(operation, request)
            if operation in _WRITES:
                self.after_write()
            return answer

        return call

    def _send(self, operation: str, request: dict[str, Any]) -> Any:
        called = request.get("TableName") or next(iter(request["RequestItems"]))
        request = {**request, "ReturnConsumedCapacity": "INDEXES"}
        if "RequestItems" in request:
            request["RequestItems"] = {self._name: request["RequestItems"][called]}
        else:
            request["TableName"] = self._name
        answer = getattr(self._client, operation)(**request)
        consumed = answer.pop("ConsumedCapacity", {})
        for one in consumed if isinstance(consumed, list) else [consumed]:
            whole = "IndexName" in request or "Table" not in one
            self.calls.append((operation, one["CapacityUnits"] if whole else one["Table"]["CapacityUnits"]))
        for part in ("Responses", "UnprocessedKeys", "UnprocessedItems"):
            if self._name in answer.get(part, {}):
                answer[part] = {called: answer[part][self._name]}
        return answer
