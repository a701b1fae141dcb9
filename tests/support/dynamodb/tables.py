"""The tables as the stack declares them, made in any DynamoDB: moto, DynamoDB Local or AWS."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lib.platform.contract import Index, TableLayout


@contextmanager
def a_table(client: Any, layout: TableLayout) -> Iterator[str]:
    """The name of an empty table that nobody else has, gone afterwards."""
    name = f"{layout.name}-{uuid.uuid4().hex[:12]}"
    create_table(client, name, layout)
    try:
        yield name
    finally:
        client.delete_table(TableName=name)


def create_table(client: Any, name: str, layout: TableLayout) -> None:
    """Make a table keyed and indexed as ``layout`` says, ready to be used."""
    indexes = [_index(index) for index in layout.indexes]
    answer = client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_keys(layout.hash_key, layout.range_key),
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "N" if key in layout.number_keys else "S"} for key in layout.key_attributes
        ],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
    if answer["TableDescription"]["TableStatus"] != "ACTIVE":  # as in AWS; moto and DynamoDB Local are done at once
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def _index(index: Index) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": "ALL"}
    if index.includes:
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.includes)}
    return {"IndexName": index.name, "KeySchema": _keys(index.hash_key, index.range_key), "Projection": projection}


def _keys(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]
