"""The DynamoDB tables: their keys, and the protection of what they hold. docs/database-schema.md tells of the rows."""

import dataclasses

import pulumi
import pulumi_aws as aws

from lib.platform.contract import LEASE_TABLE, Index, TableLayout
from stack.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as its users need it, with the names of its indexes. ``read_only``: Switchboard never writes to it."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    indexes: tuple[str, ...] = ()
    read_only: bool = False

    def index_arn(self, index: Index) -> pulumi.Output[str]:
        """The ARN of one of its indexes, as policies name it."""
        return self.arn.apply(lambda arn: f"{arn}/index/{index.name}")


def lease_table(settings: Settings, stack: str) -> Table:
    """The lease system's table if ``leaseTableArn`` names one, else one of our own with the same keys."""
    arn = settings.lease_table_arn
    if arn:
        name = arn.partition("/")[2]
        return Table(name=pulumi.Output.from_input(name), arn=pulumi.Output.from_input(arn), read_only=True)
    return dataclasses.replace(create(LEASE_TABLE, protect=settings.protects(stack)), read_only=True)


def create(layout: TableLayout, *, protect: bool) -> Table:
    """Create a table: on demand, encrypted by the AWS-managed key, restorable to any second of the last 35 days.

    With ``protect``, AWS refuses to delete it, as Pulumi does (stack/components/protection.py).
    """
    table = aws.dynamodb.Table(
        layout.name,
        attributes=[{"name": key, "type": "N" if key in layout.number_keys else "S"} for key in layout.key_attributes],
        hash_key=layout.hash_key,
        range_key=layout.range_key,
        global_secondary_indexes=[_secondary_index(index) for index in layout.indexes],
        billing_mode="PAY_PER_REQUEST",
        ttl={"attribute_name": layout.ttl, "enabled": True},
        server_side_encryption={"enabled": True},
        point_in_time_recovery={"enabled": True},
        deletion_protection_enabled=protect,
    )
    return Table(name=table.name, arn=table.arn, indexes=tuple(index.name for index in layout.indexes))


def _secondary_index(index: Index) -> aws.dynamodb.TableGlobalSecondaryIndexArgsDict:
    declared: aws.dynamodb.TableGlobalSecondaryIndexArgsDict = {
        "name": index.name,
        "key_schemas": [
            {"attribute_name": index.hash_key, "key_type": "HASH"},
            {"attribute_name": index.range_key, "key_type": "RANGE"},
        ],
        "projection_type": "INCLUDE" if index.includes else "ALL",
    }
    if index.includes:
        declared["non_key_attributes"] = list(index.includes)
    return declared
