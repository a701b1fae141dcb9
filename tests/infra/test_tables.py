"""The tables: keys, billing, protection, and the lease system's own table in place of ours."""

import pytest

from tests.support.pulumi_graph import declare

TABLE = "aws:dynamodb/table:Table"
EXISTING = "arn:aws:dynamodb:us-west-2:123456789012:table/SandboxLeases"


@pytest.mark.parametrize(
    ("table", "hash_key", "range_key", "ttl"),
    [
        ("LeaseTable", "userEmail", "uuid", "ttl"),
        ("JiraOperations", "session_id", "operation_key", "expires_at"),
    ],
)
def test_a_table_has_its_keys_and_expires_rows(table: str, hash_key: str, range_key: str, ttl: str) -> None:
    inputs = declare().one(TABLE, table).inputs

    assert (inputs["hashKey"], inputs["rangeKey"]) == (hash_key, range_key)
    assert inputs["attributes"] == [{"name": hash_key, "type": "S"}, {"name": range_key, "type": "S"}]
    assert inputs["ttl"] == {"attributeName": ttl, "enabled": True}


@pytest.mark.parametrize("stack", ["prod", "dev"])
def test_every_table_is_on_demand_encrypted_and_restorable_in_every_stack(stack: str) -> None:
    for table in declare(stack=stack).all(TABLE):
        assert table.inputs["billingMode"] == "PAY_PER_REQUEST"
        assert table.inputs["serverSideEncryption"] == {"enabled": True}
        assert table.inputs["pointInTimeRecovery"] == {"enabled": True}
        assert "streamEnabled" not in table.inputs


@pytest.mark.parametrize(
    ("stack", "config", "protected"),
    [
        ("prod", {}, True),
        ("staging", {}, True),
        ("dev", {}, False),
        ("local", {}, False),
        ("dev", {"protect": "true"}, True),
        ("prod", {"protect": "false"}, False),
    ],
)
def test_a_protected_stack_keeps_its_tables_from_deletion_by_aws_and_by_pulumi(
    stack: str, config: dict[str, str], protected: bool
) -> None:
    graph = declare(config, stack=stack)

    for table in graph.all(TABLE):
        assert table.inputs["deletionProtectionEnabled"] is protected
        assert bool(graph.options[TABLE, table.name].protect) is protected


def test_no_table_is_named_by_the_program() -> None:
    assert all("name" not in table.inputs for table in declare().all(TABLE))


def test_the_lease_systems_own_table_is_used_and_none_created_if_its_arn_is_given() -> None:
    graph = declare({"leaseTableArn": EXISTING})

    assert [table.name for table in graph.all(TABLE)] == ["JiraOperations"]
    assert graph.outputs["lease_table_name"] == "SandboxLeases"
    assert graph.outputs["lease_table_arn"] == EXISTING
    variables = graph.one("aws:lambda/function:Function", "notification").inputs["environment"]["variables"]
    assert (variables["LEASE_TABLE_NAME"], variables["LEASE_TABLE_ARN"]) == ("SandboxLeases", EXISTING)
