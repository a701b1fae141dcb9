"""What a DynamoDB request needs. A transaction needs its items' actions, a batch its own action, each on every table named.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
"""

from collections.abc import Iterable
from typing import Any

from stack.local.iam.call import Call, MalformedRequestError, UnknownOperationError, text_of
from stack.local.iam.policy import Access

_ON_ONE_TABLE = frozenset(
    {
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "Scan",
        "DescribeTable",
        "DescribeTimeToLive",
        "DescribeContinuousBackups",
        "UpdateTable",
        "DeleteTable",
        "CreateTable",
    }
)
_ON_AN_INDEX = frozenset({"Query", "Scan"})
_ON_SEVERAL = frozenset({"BatchGetItem", "BatchWriteItem"})
_IN_A_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def needs_of(call: Call) -> list[Access]:
    """What a request to DynamoDB needs. Raises as :func:`stack.local.iam.needs.needs_of` does."""
    operation = call.operation()
    parameters = call.parameters()
    if operation in _ON_ONE_TABLE:
        resource = _table(call, text_of(parameters, "TableName"))
        if operation in _ON_AN_INDEX and parameters.get("IndexName"):
            resource = f"{resource}/index/{text_of(parameters, 'IndexName')}"
        return [Access(f"dynamodb:{operation}", resource)]
    if operation in _ON_SEVERAL:
        items = parameters.get("RequestItems")
        if not isinstance(items, dict):
            raise MalformedRequestError("RequestItems is missing")
        return _all_of((operation, _table(call, name)) for name in items)
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        return _all_of(_in_transaction(call, item) for item in parameters.get("TransactItems") or ())
    raise UnknownOperationError(f"dynamodb: {operation}")


def _in_transaction(call: Call, item: Any) -> tuple[str, str]:
    if not isinstance(item, dict) or len(item) != 1:
        raise MalformedRequestError("an item of the transaction is not one action")
    [(kind, request)] = item.items()
    if kind not in _IN_A_TRANSACTION or not isinstance(request, dict):
        raise UnknownOperationError(f"dynamodb: {kind} in a transaction")
    return _IN_A_TRANSACTION[kind], _table(call, text_of(request, "TableName"))


def _all_of(pairs: Iterable[tuple[str, str]]) -> list[Access]:
    needed = [Access(f"dynamodb:{action}", resource) for action, resource in dict.fromkeys(pairs)]
    if not needed:
        raise MalformedRequestError("the request names no table")
    return needed


def _table(call: Call, name: str) -> str:
    return name if name.startswith("arn:") else call.arn(f"table/{name}")
