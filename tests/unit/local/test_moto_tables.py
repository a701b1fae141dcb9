"""moto copies only what a change may need, puts it back when that fails, and keeps nothing that was replaced."""

import gc
import weakref
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import dynamodb_backends

from lib.platform.contract import JIRA_ISSUES
from tests.support.aws.environment import REGION
from tests.support.dynamodb.tables import create_table

NAME = JIRA_ISSUES.name


@pytest.fixture
def client(dynamodb: Any) -> Any:
    create_table(dynamodb, NAME, JIRA_ISSUES)
    for issue, stamp in (("OPS-1", "a"), ("OPS-1", "b"), ("OPS-2", "a"), ("OPS-3", "a")):
        dynamodb.put_item(TableName=NAME, Item=row(issue, stamp))
    return dynamodb


def row(issue: str, stamp: str, note: str = "first") -> dict[str, Any]:
    return {**key(issue, stamp), "note": {"S": note}}


def key(issue: str, stamp: str) -> dict[str, Any]:
    return {"issue_key": {"S": issue}, "updated_at": {"S": stamp}}


def update(issue: str, stamp: str, condition: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": NAME,
            "Key": key(issue, stamp),
            "UpdateExpression": "SET note = :note",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":note": {"S": "second"}},
        }
    }


WRITES = [
    {"Put": {"TableName": NAME, "Item": row("OPS-1", "c")}},
    {"Put": {"TableName": NAME, "Item": row("OPS-4", "a")}},
    {"Delete": {"TableName": NAME, "Key": key("OPS-1", "a")}},
    update("OPS-2", "a", "attribute_exists(issue_key)"),
]


def test_a_failed_transaction_changes_nothing(client: Any) -> None:
    client.put_item(TableName=NAME, Item={**row("OPS-9", "a"), "notes": {"L": [{"S": "one"}, {"S": "two"}]}})
    before = client.scan(TableName=NAME)["Items"]
    nested = {"TableName": NAME, "Key": key("OPS-9", "a"), "UpdateExpression": "REMOVE notes[0]"}

    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        client.transact_write_items(
            TransactItems=[*WRITES, {"Update": nested}, update("OPS-5", "a", "attribute_exists(issue_key)")]
        )

    assert client.scan(TableName=NAME)["Items"] == before


def test_a_transaction_copies_no_item_of_another_key(client: Any) -> None:
    items = items_by_name()
    items["OPS-3"]["a"].attrs["note"] = Uncopyable()

    client.transact_write_items(TransactItems=WRITES)

    assert {key: set(stamps) for key, stamps in items_by_name().items()} == {
        "OPS-1": {"b", "c"},
        "OPS-2": {"a"},
        "OPS-3": {"a"},
        "OPS-4": {"a"},
    }
    assert client.get_item(TableName=NAME, Key=key("OPS-2", "a"))["Item"]["note"] == {"S": "second"}


def test_an_expression_has_the_same_effect_each_time(client: Any) -> None:
    client.put_item(TableName=NAME, Item={**row("OPS-9", "a"), "count": {"N": "1"}, "log": {"L": [{"S": "one"}, {"S": "two"}]}})
    change = {
        "TableName": NAME,
        "Key": key("OPS-9", "a"),
        "UpdateExpression": "SET #count = #count + :step, seen = if_not_exists(seen, :step) REMOVE #log[0]",
        "ExpressionAttributeNames": {"#count": "count", "#log": "log"},
        "ReturnValues": "ALL_OLD",
    }

    first = client.update_item(**change, ExpressionAttributeValues={":step": {"N": "2"}})["Attributes"]
    second = client.update_item(**change, ExpressionAttributeValues={":step": {"N": "30"}})["Attributes"]

    assert (first["count"], first["log"], "seen" in first) == ({"N": "1"}, {"L": [{"S": "one"}, {"S": "two"}]}, False)
    assert (second["count"], second["log"], second["seen"]) == ({"N": "3"}, {"L": [{"S": "two"}]}, {"N": "2"})
    last = client.get_item(TableName=NAME, Key=key("OPS-9", "a"))["Item"]
    assert (last["count"], last["log"], last["seen"]) == ({"N": "33"}, {"L": []}, {"N": "2"})


def test_a_replaced_item_is_freed(client: Any) -> None:
    replaced = weakref.ref(items_by_name()["OPS-3"]["a"])

    client.put_item(TableName=NAME, Item=row("OPS-3", "a"))
    gc.collect()

    assert replaced() is None


def test_a_backup_keeps_the_items_of_its_time(client: Any) -> None:
    made = client.create_backup(TableName=NAME, BackupName="before")["BackupDetails"]["BackupArn"]
    before = client.scan(TableName=NAME)["Items"]
    client.transact_write_items(TransactItems=WRITES)

    client.restore_table_from_backup(TargetTableName="restored", BackupArn=made)

    assert client.scan(TableName="restored")["Items"] == before


class Uncopyable:
    def __deepcopy__(self, _: Any) -> None:
        raise AssertionError("copied")


def items_by_name() -> dict[str, dict[str, Any]]:
    [account] = dynamodb_backends.values()
    groups = account[REGION].tables[NAME].items
    return {hash_key.value: {stamp.value: item for stamp, item in group.items()} for hash_key, group in groups.items()}
