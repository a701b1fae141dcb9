"""A DynamoDB client that can reach one shop's rows and no others.

AWS could enforce the same with ``dynamodb:LeadingKeys``, but on the credentials of a role, and one role serves all shops;
a role assumed per request would cost a call to STS each time. So the client itself checks: every request that names a
partition must name one of the tenant's own (:func:`lib.shuttle.keys.tenant_partitions`); a request that names none, or of an
unknown kind, is refused. Authorizing the caller is the handler's task.
"""

from collections.abc import Collection, Mapping
from typing import Any

from lib.platform import errors
from lib.platform.contract import SHUTTLE
from lib.platform.dynamodb import Condition
from lib.shuttle import keys


class TenantViolationError(errors.PermanentError):
    """A request for rows of another tenant, which was not sent: an internal error of ours."""


class PartitionClient:
    """Passes requests on to ``client`` if they only concern ``partitions`` of the table."""

    def __init__(self, client: Any, table_name: str, partitions: Collection[str]) -> None:
        self._client = client
        self._table_name = table_name
        self._partitions = partitions

    def get_item(self, **request: Any) -> Any:
        """GetItem of a row in these partitions."""
        return self._client.get_item(**self._own(request, _partition(request)))

    def put_item(self, **request: Any) -> Any:
        """PutItem of a row in these partitions."""
        return self._client.put_item(**self._own(request, _partition(request)))

    def update_item(self, **request: Any) -> Any:
        """UpdateItem of a row in these partitions."""
        return self._client.update_item(**self._own(request, _partition(request)))

    def delete_item(self, **request: Any) -> Any:
        """DeleteItem of a row in these partitions."""
        return self._client.delete_item(**self._own(request, _partition(request)))

    def batch_write_item(self, **request: Any) -> Any:
        """BatchWriteItem of rows in these partitions only."""
        for table_name, writes in request.get("RequestItems", {}).items():
            for write in writes:
                for statement in write.values():
                    self._own({"TableName": table_name, **statement}, _partition(statement))
        return self._client.batch_write_item(**request)

    def query(self, **request: Any) -> Any:
        """Query of one of these partitions."""
        return self._client.query(**self._own(request, _queried_partition(request)))

    def transact_write_items(self, **request: Any) -> Any:
        """TransactWriteItems of rows in these partitions only."""
        for operation in request.get("TransactItems", []):
            for statement in operation.values():
                self._own(statement, _partition(statement))
        return self._client.transact_write_items(**request)

    def _own(self, request: dict[str, Any], partition: str) -> dict[str, Any]:
        if request.get("TableName") != self._table_name or partition not in self._partitions:
            raise TenantViolationError("a request for rows of another shop")
        return request


class TenantClient(PartitionClient):
    """Passes requests on to ``client`` if they only concern the shop ``domain``.

    Raises:
        InvalidInputError: ``domain`` is not a shop domain.
    """

    def __init__(self, client: Any, table_name: str, domain: str) -> None:
        super().__init__(client, table_name, keys.tenant_partitions(domain))
        self._domain = domain

    def delete_item(self, **request: Any) -> Any:
        """DeleteItem of a row of the tenant, or of a session under the condition :func:`of_shop`: DynamoDB checks its shop."""
        condition = of_shop(self._domain)
        is_conditional = (
            request.get("ConditionExpression") == condition.expression
            and request.get("ExpressionAttributeNames") == {"#ShopDomain": "ShopDomain"}
            and request.get("ExpressionAttributeValues") == condition.values
        )
        if is_conditional and keys.is_session_partition(_partition(request)) and request.get("TableName") == self._table_name:
            return self._client.delete_item(**request)
        return super().delete_item(**request)


def of_shop(domain: str) -> Condition:
    """The row is one of the shop."""
    return Condition(expression="#ShopDomain = :shop", values={":shop": {"S": keys.shop_domain(domain)}})


def _partition(request: Mapping[str, Any]) -> str:
    row: Mapping[str, Any] = request.get("Key") or request.get("Item") or {}
    return str(row.get("PK", {}).get("S", ""))


def _queried_partition(request: Mapping[str, Any]) -> str:
    """The partition that a query reads, if its condition has the one form that this code writes; empty otherwise."""
    hash_name = SHUTTLE.key_of(request.get("IndexName"))[0]
    condition = str(request.get("KeyConditionExpression", ""))
    names = request.get("ExpressionAttributeNames", {})
    if names.get("#pk") != hash_name or not (condition == "#pk = :pk" or condition.startswith("#pk = :pk AND ")):
        return ""
    return str(request.get("ExpressionAttributeValues", {}).get(":pk", {}).get("S", ""))
