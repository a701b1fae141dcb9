"""DynamoDB's refusal of transactions that meet, which DynamoDB Local never gives: it runs them one after another.

As AWS documents it (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling):
a write, in a transaction or alone, to a row that a transaction under way touches is refused and nothing is written.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from tests.support.aws.wire import aws_error

Row = tuple[str, ...]


class ConflictingClient:
    """Passes calls on to ``client``, except writes that meet a transaction under way; any number of threads.

    Args:
        client: a DynamoDB client.
        key: the names of the table's key attributes.
    """

    def __init__(self, client: Any, key: tuple[str, str]) -> None:
        self._client = client
        self._key = key
        self._lock = threading.Lock()
        self._under_way: set[Row] = set()
        self.conflicts = 0

    def transact_write_items(self, **request: Any) -> Any:
        rows = [self._row(next(iter(item.values()))) for item in request["TransactItems"]]
        with self._alone(rows):
            return self._client.transact_write_items(**request)

    def update_item(self, **request: Any) -> Any:
        self._refuse_if_under_way("UpdateItem", request)
        return self._client.update_item(**request)

    def put_item(self, **request: Any) -> Any:
        self._refuse_if_under_way("PutItem", request)
        return self._client.put_item(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @contextmanager
    def _alone(self, rows: list[Row]) -> Iterator[None]:
        with self._lock:
            reasons = [{"Code": "TransactionConflict" if row in self._under_way else "None"} for row in rows]
            if not self._under_way.isdisjoint(rows):
                self.conflicts += 1
                raise aws_error("TransactionCanceledException", CancellationReasons=reasons)
            self._under_way.update(rows)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.difference_update(rows)

    def _refuse_if_under_way(self, operation: str, request: dict[str, Any]) -> None:
        with self._lock:
            if self._row(request) in self._under_way:
                self.conflicts += 1
                raise ClientError({"Error": {"Code": "TransactionConflictException", "Message": ""}}, operation)

    def _row(self, write: dict[str, Any]) -> Row:
        attributes = write.get("Key") or write["Item"]
        return (write["TableName"], *(attributes[name]["S"] for name in self._key))
