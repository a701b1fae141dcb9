"""What a DynamoDB request needs, with its partition keys for conditions on ``dynamodb:LeadingKeys``.

A transaction needs the actions of its items, a batch its own action, each on every table named. The items of one action on
one table are one access with all their partition keys.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
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
_ON_ONE_ITEM = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem"})
_ON_AN_INDEX = frozenset({"Query", "Scan"})
_ON_SEVERAL = frozenset({"BatchGetItem", "BatchWriteItem"})
_IN_A_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_LEADING_KEYS = "dynamodb:leadingkeys"
_EQUALITY = re.compile(r"([#\w.-]+)\s*=\s*(:\w+)")

_Need = tuple[str, str, str | None]
"""An action, a resource, and the partition key of one item, if the request has it."""


def needs_of(call: Call) -> list[Access]:
    """What a request to DynamoDB needs. Raises as :func:`stack.local.iam.needs.needs_of` does."""
    operation = call.operation()
    parameters = call.parameters()
    if operation in _ON_ONE_TABLE:
        return _all_of([_of_one_table(call, operation, parameters)])
    if operation in _ON_SEVERAL:
        items = parameters.get("RequestItems")
        if not isinstance(items, dict):
            raise MalformedRequestError("RequestItems is missing")
        return _all_of(need for name, requests in items.items() for need in _of_batch(call, operation, name, requests))
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        return _all_of(_in_transaction(call, item) for item in parameters.get("TransactItems") or ())
    raise UnknownOperationError(f"dynamodb: {operation}")


def _of_one_table(call: Call, operation: str, parameters: Mapping[str, Any]) -> _Need:
    resource = _table(call, text_of(parameters, "TableName"))
    if operation in _ON_AN_INDEX and parameters.get("IndexName"):
        resource = f"{resource}/index/{text_of(parameters, 'IndexName')}"
    key = None
    if operation in _ON_ONE_ITEM:
        key = _key_of_item(call, resource, parameters)
    elif operation == "Query":
        key = _key_of_query(call, resource, parameters)
    return operation, resource, key


def _of_batch(call: Call, operation: str, name: str, requests: Any) -> Iterator[_Need]:
    resource = _table(call, name)
    if operation == "BatchGetItem":
        items = [{"Key": key} for key in (requests.get("Keys") or () if isinstance(requests, dict) else ())]
    else:
        given = [each for each in requests if isinstance(each, dict)] if isinstance(requests, list) else []
        items = [request for each in given for request in each.values() if isinstance(request, dict)]
    if not items:
        yield operation, resource, None
    for item in items:
        yield operation, resource, _key_of_item(call, resource, item)


def _in_transaction(call: Call, item: Any) -> _Need:
    if not isinstance(item, dict) or len(item) != 1:
        raise MalformedRequestError("an item of the transaction is not one action")
    [(kind, request)] = item.items()
    if kind not in _IN_A_TRANSACTION or not isinstance(request, dict):
        raise UnknownOperationError(f"dynamodb: {kind} in a transaction")
    resource = _table(call, text_of(request, "TableName"))
    return _IN_A_TRANSACTION[kind], resource, _key_of_item(call, resource, request)


def _all_of(needs: Iterable[_Need]) -> list[Access]:
    keys: dict[tuple[str, str], list[str]] = {}
    for action, resource, key in needs:
        keys.setdefault((action, resource), []).extend([] if key is None else [key])
    if not keys:
        raise MalformedRequestError("the request names no table")
    return [
        Access(f"dynamodb:{action}", resource, {_LEADING_KEYS: tuple(values)} if values else {})
        for (action, resource), values in keys.items()
    ]


def _key_of_item(call: Call, resource: str, request: Mapping[str, Any]) -> str | None:
    """The partition key in ``Key`` or ``Item``; if it is missing, an empty text, which DynamoDB refuses."""
    attribute = call.hash_key(resource)
    item = request.get("Key", request.get("Item"))
    return None if attribute is None else _text(item.get(attribute) if isinstance(item, dict) else None)


def _key_of_query(call: Call, resource: str, parameters: Mapping[str, Any]) -> str | None:
    attribute = call.hash_key(resource)
    if attribute is None:
        return None
    names, values, legacy = (
        found if isinstance(found := parameters.get(each), dict) else {}
        for each in ("ExpressionAttributeNames", "ExpressionAttributeValues", "KeyConditions")
    )
    if legacy:
        raise MalformedRequestError("KeyConditions are not supported here")
    for name, value in _EQUALITY.findall(str(parameters.get("KeyConditionExpression", ""))):
        if names.get(name, name) == attribute:
            return _text(values.get(value))
    return ""


def _text(value: Any) -> str:
    """The text of a key attribute (``{"S": "a"}``) for conditions."""
    return str(next(iter(value.values()), "")) if isinstance(value, dict) else ""


def _table(call: Call, name: str) -> str:
    return name if name.startswith("arn:") else call.arn(f"table/{name}")
