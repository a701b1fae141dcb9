"""The DynamoDB tables: their keys, and the protection of what they hold. docs/database-schema.md tells of the rows."""

import dataclasses

import pulumi
import pulumi_aws as aws

from stack.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as its users need it. ``read_only``: Switchboard never writes to it."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    read_only: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a table is keyed. Every key is a text.

    Attributes:
        name: the logical name; AWS gets it with a random suffix.
        hash_key: the partition key.
        range_key: the sort key.
        ttl: the attribute with the epoch second at which a row expires.
    """

    name: str
    hash_key: str
    range_key: str
    ttl: str


LEASE_TABLE = Layout(name="LeaseTable", hash_key="userEmail", range_key="uuid", ttl="ttl")
JIRA_OPERATIONS = Layout(name="JiraOperations", hash_key="session_id", range_key="operation_key", ttl="expires_at")


def lease_table(settings: Settings, stack: str) -> Table:
    """The lease system's table if ``leaseTableArn`` names one, else one of our own with the same keys."""
    arn = settings.lease_table_arn
    if arn:
        name = arn.partition("/")[2]
        return Table(name=pulumi.Output.from_input(name), arn=pulumi.Output.from_input(arn), read_only=True)
    return dataclasses.replace(create(LEASE_TABLE, protect=settings.protects(stack)), read_only=True)


def create(layout: Layout, *, protect: bool) -> Table:
    """Create a table: on demand, encrypted by the AWS-managed key, restorable to any second of the last 35 days.

    With ``protect``, both AWS and Pulumi refuse to delete it.
    """
    table = aws.dynamodb.Table(
        layout.name,
        attributes=[{"name": key, "type": "S"} for key in (layout.hash_key, layout.range_key)],
        hash_key=layout.hash_key,
        range_key=layout.range_key,
        billing_mode="PAY_PER_REQUEST",
        ttl={"attribute_name": layout.ttl, "enabled": True},
        server_side_encryption={"enabled": True},
        point_in_time_recovery={"enabled": True},
        deletion_protection_enabled=protect,
        opts=pulumi.ResourceOptions(protect=protect),
    )
    return Table(name=table.name, arn=table.arn)
