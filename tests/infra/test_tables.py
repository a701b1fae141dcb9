"""The tables: keys, billing, protection, and the lease system's own table in place of ours."""

import re
from typing import Any

import pytest

from lib.platform import contract
from tests.support.project.documentation import ROOT
from tests.support.project.pulumi_graph import declare

TABLE = "aws:dynamodb/table:Table"
EXISTING = "arn:aws:dynamodb:us-west-2:123456789012:table/SandboxLeases"


@pytest.mark.parametrize(
    ("table", "hash_key", "range_key", "ttl"),
    [
        ("LeaseTable", "userEmail", "uuid", "ttl"),
        ("JiraIssues", "issue_key", "updated_at", "expires_at"),
        ("JiraOperations", "session_id", "operation_key", "expires_at"),
        ("Shuttle", "PK", "SK", "ExpiresAt"),
    ],
)
def test_a_table_has_its_keys_and_expires_rows(table: str, hash_key: str, range_key: str, ttl: str) -> None:
    inputs = declare().one(TABLE, table).inputs

    assert (inputs["hashKey"], inputs["rangeKey"]) == (hash_key, range_key)
    assert {key: types_of(inputs)[key] for key in (hash_key, range_key)} == {hash_key: "S", range_key: "S"}
    assert inputs["ttl"] == {"attributeName": ttl, "enabled": True}


@pytest.mark.parametrize(
    ("index", "hash_key", "range_key"),
    [
        ("ProjectIndex", ("project_key", "S"), ("issue_number", "N")),  # a number, so that TES-9 comes before TES-10
        ("StatusIndex", ("status_shard", "S"), ("changed_hour", "S")),
        ("AssigneeIndex", ("assignee_shard", "S"), ("changed_hour", "S")),
        ("FixVersionIndex", ("fix_version_shard", "S"), ("changed_hour", "S")),
    ],
)
def test_issues_are_found_by_an_index_that_holds_whole_rows(
    index: str, hash_key: tuple[str, str], range_key: tuple[str, str]
) -> None:
    inputs = declare().one(TABLE, "JiraIssues").inputs
    [found] = [each for each in inputs["globalSecondaryIndexes"] if each["name"] == index]

    assert found == {
        "name": index,
        "keySchemas": [
            {"attributeName": hash_key[0], "keyType": "HASH"},
            {"attributeName": range_key[0], "keyType": "RANGE"},
        ],
        "projectionType": "ALL",
    }
    assert [(key, types_of(inputs)[key]) for key, _ in (hash_key, range_key)] == [hash_key, range_key]


def test_the_tables_have_these_indexes_and_no_others() -> None:
    indexes = {
        table.name: [each["name"] for each in table.inputs.get("globalSecondaryIndexes", [])] for table in declare().all(TABLE)
    }

    assert indexes == {
        "LeaseTable": [],
        "JiraIssues": ["ProjectIndex", "StatusIndex", "AssigneeIndex", "FixVersionIndex"],
        "JiraOperations": ["StateIndex"],
        "Shuttle": ["GSI1", "GSI2", "GSI3", "StatusIndex"],
    }


def test_a_table_declares_exactly_its_key_attributes() -> None:
    """DynamoDB refuses any other."""
    for table in declare().all(TABLE):
        schemas = [each["keySchemas"] for each in table.inputs.get("globalSecondaryIndexes", [])]
        keys = {table.inputs["hashKey"], table.inputs["rangeKey"]}
        keys |= {key["attributeName"] for schema in schemas for key in schema}

        assert sorted(each["name"] for each in table.inputs["attributes"]) == sorted(keys)


def types_of(table: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["type"] for each in table["attributes"]}


@pytest.mark.parametrize("stack", ["prod", "local"])
def test_every_table_is_on_demand_encrypted_and_restorable_in_every_stack(stack: str) -> None:
    for table in declare(stack=stack).all(TABLE):
        assert table.inputs["billingMode"] == "PAY_PER_REQUEST"
        assert table.inputs["serverSideEncryption"] == {"enabled": True}
        assert table.inputs["pointInTimeRecovery"] == {"enabled": True}
        assert "streamEnabled" not in table.inputs


@pytest.mark.parametrize(("stack", "protected"), [("prod", True), ("local", False)])
def test_a_protected_stack_protects_its_tables_in_aws_and_in_pulumi(stack: str, protected: bool) -> None:
    graph = declare(stack=stack)

    for table in graph.all(TABLE):
        assert table.inputs["deletionProtectionEnabled"] is protected
        assert bool(graph.options[TABLE, table.name].protect) is protected


def test_the_deployment_page_has_each_table_with_its_keys_and_indexes() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")

    for table in (contract.LEASE_TABLE, contract.JIRA_ISSUES, contract.JIRA_OPERATIONS, contract.SHUTTLE):
        indexes = ", ".join(index.name for index in table.indexes) or "none"
        row = rf"^\| {table.name}\b[^|]* \| `{table.hash_key}` \| `{table.range_key}` \| `{table.ttl}` \| {indexes} \|$"
        assert re.search(row, page, re.MULTILINE), table.name


def test_no_table_is_named_by_the_program() -> None:
    assert all("name" not in table.inputs for table in declare().all(TABLE))


def test_an_existing_lease_table_is_used_instead_of_a_new_one() -> None:
    graph = declare({"leaseTableArn": EXISTING})

    assert {table.name for table in graph.all(TABLE)} == {"JiraIssues", "JiraOperations", "Shuttle"}
    assert graph.outputs["lease_table_name"] == "SandboxLeases"
    assert graph.outputs["lease_table_arn"] == EXISTING


@pytest.mark.parametrize("entry_point", ["notification", "health"])
@pytest.mark.parametrize("existing", [EXISTING, None])
def test_the_readers_of_leases_know_the_table_by_its_arn(entry_point: str, existing: str | None) -> None:
    graph = declare({"leaseTableArn": existing} if existing else {})

    variables = graph.one("aws:lambda/function:Function", entry_point).inputs["environment"]["variables"]
    assert variables["LEASE_TABLE_ARN"] == (existing or graph.arn(TABLE, "LeaseTable"))
    assert "LEASE_TABLE_NAME" not in variables
