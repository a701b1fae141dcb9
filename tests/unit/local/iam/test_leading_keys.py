"""The partition keys of a DynamoDB request, for conditions on ``dynamodb:LeadingKeys``."""

import json
from typing import Any

import pytest

from stack.local.iam.call import Call, MalformedRequestError
from stack.local.iam.needs import needs_of

HASH_KEYS = {"table/Operations": "session_id", "table/Shuttle": "PK", "table/Shuttle/index/GSI1": "GSI1PK"}


def request(operation: str, **parameters: Any) -> Call:
    return Call(
        service="dynamodb",
        region="us-west-2",
        account_id="123456789012",
        method="POST",
        path="/",
        query={},
        headers={"x-amz-target": f"DynamoDB_20120810.{operation}"},
        read_body=lambda: json.dumps(parameters).encode(),
        hash_key=lambda resource: HASH_KEYS.get(resource.split(":", 5)[5]),
    )


def leading_keys(operation: str, **parameters: Any) -> dict[str, Any]:
    """The leading keys of each access by its action and table, if the request has them."""
    return {
        f"{access.action.partition(':')[2]} {access.resource.split(':', 5)[5]}": access.context.get("dynamodb:leadingkeys")
        for access in needs_of(request(operation, **parameters))
    }


def row(session_id: str) -> dict[str, Any]:
    return {"session_id": {"S": session_id}, "operation_key": {"S": "SESSION"}}


OPERATIONS = "table/Operations"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("GetItem", {"Key": row("a")}),
        ("PutItem", {"Item": {**row("a"), "PK": {"S": "another attribute"}}}),
        ("UpdateItem", {"Key": row("a"), "UpdateExpression": "SET x = :x"}),
        ("DeleteItem", {"Key": row("a")}),
        ("Query", {"KeyConditionExpression": "session_id = :s", "ExpressionAttributeValues": {":s": {"S": "a"}}}),
        (
            "Query",
            {
                "KeyConditionExpression": "begins_with(operation_key, :o) AND #s=:s",
                "ExpressionAttributeNames": {"#s": "session_id"},
                "ExpressionAttributeValues": {":s": {"S": "a"}, ":o": {"S": "DRAFT#"}},
            },
        ),
    ],
)
def test_a_request_for_one_partition_names_its_key(operation: str, parameters: dict[str, Any]) -> None:
    found = leading_keys(operation, TableName="Operations", **parameters)

    assert found == {f"{operation} {OPERATIONS}": ("a",)}


def test_a_table_named_by_its_arn_is_keyed_as_by_its_name() -> None:
    arn = "arn:aws:dynamodb:us-west-2:123456789012:table/Operations"

    assert leading_keys("GetItem", TableName=arn, Key=row("a")) == {f"GetItem {OPERATIONS}": ("a",)}


def test_a_query_of_an_index_names_the_partition_of_the_index() -> None:
    found = leading_keys(
        "Query",
        TableName="Shuttle",
        IndexName="GSI1",
        KeyConditionExpression="GSI1PK = :p",
        ExpressionAttributeValues={":p": {"S": "JOBS"}},
    )

    assert found == {"Query table/Shuttle/index/GSI1": ("JOBS",)}


def test_a_batch_names_the_key_of_every_item_on_its_table() -> None:
    writes = [{"PutRequest": {"Item": row("a")}}, {"DeleteRequest": {"Key": row("b")}}]

    assert leading_keys("BatchGetItem", RequestItems={"Operations": {"Keys": [row("a"), row("b")]}}) == {
        f"BatchGetItem {OPERATIONS}": ("a", "b")
    }
    assert leading_keys("BatchWriteItem", RequestItems={"Operations": writes, "Shuttle": []}) == {
        f"BatchWriteItem {OPERATIONS}": ("a", "b"),
        "BatchWriteItem table/Shuttle": None,
    }


def test_a_transaction_names_the_keys_of_each_of_its_actions() -> None:
    table = {"TableName": "Operations"}
    items = [
        {"Put": {**table, "Item": row("a")}},
        {"Put": {**table, "Item": row("b")}},
        {"Update": {**table, "Key": row("c")}},
        {"ConditionCheck": {"TableName": "Shuttle", "Key": {"PK": {"S": "SHOP#x"}}}},
    ]

    assert leading_keys("TransactWriteItems", TransactItems=items) == {
        f"PutItem {OPERATIONS}": ("a", "b"),
        f"UpdateItem {OPERATIONS}": ("c",),
        "ConditionCheckItem table/Shuttle": ("SHOP#x",),
    }
    assert leading_keys("TransactGetItems", TransactItems=[{"Get": {**table, "Key": row("a")}}]) == {
        f"GetItem {OPERATIONS}": ("a",)
    }


@pytest.mark.parametrize("operation", ["Scan", "DescribeTable"])
def test_an_operation_on_a_whole_table_has_no_key(operation: str) -> None:
    assert leading_keys(operation, TableName="Operations") == {f"{operation} {OPERATIONS}": None}


def test_a_table_that_does_not_exist_has_no_key() -> None:
    assert leading_keys("GetItem", TableName="Gone", Key=row("a")) == {"GetItem table/Gone": None}


@pytest.mark.parametrize("parameters", [{}, {"Key": {}}, {"Key": "a"}, {"Key": {"session_id": "a"}}])
def test_a_key_that_is_missing_fits_no_partition(parameters: dict[str, Any]) -> None:
    """DynamoDB refuses such a request; no grant on partitions may allow it."""
    assert leading_keys("GetItem", TableName="Operations", **parameters) == {f"GetItem {OPERATIONS}": ("",)}


def test_key_conditions_of_an_older_query_are_refused() -> None:
    conditions = {"session_id": {"AttributeValueList": [{"S": "a"}], "ComparisonOperator": "EQ"}}

    with pytest.raises(MalformedRequestError, match="KeyConditions"):
        leading_keys("Query", TableName="Operations", KeyConditions=conditions)
