"""The DynamoDB tables. Their layouts are in lib/platform/contract.py; docs/database-schema.md describes the rows."""

import pulumi
import pulumi_aws as aws

from lib.platform.contract import Index, TableLayout
from stack.components.component import Component


class Table(Component):
    """A table: on demand, encrypted by the AWS-managed key, restorable to any second of the last 35 days."""

    def __init__(self, layout: TableLayout, *, protect: bool, existing_arn: str = "", read_only: bool = False) -> None:
        """Create the table.

        Args:
            layout: its keys and indexes.
            protect: whether AWS refuses to delete it, as Pulumi does (stack/components/protection.py).
            existing_arn: a table to use instead of a new one.
            read_only: whether Switchboard never writes to it.
        """
        super().__init__(layout.name)
        self.read_only = read_only
        self.indexes = tuple(index.name for index in layout.indexes)
        if existing_arn:
            self.name = pulumi.Output.from_input(existing_arn.partition("/")[2])
            self.arn = pulumi.Output.from_input(existing_arn)
        else:
            table = self._create(layout, protect=protect)
            self.name, self.arn = table.name, table.arn
        self.register_outputs({"name": self.name})

    def index_arn(self, index: Index) -> pulumi.Output[str]:
        """The ARN of one of its indexes, as policies name it."""
        return self.arn.apply(lambda arn: f"{arn}/index/{index.name}")

    def _create(self, layout: TableLayout, *, protect: bool) -> aws.dynamodb.Table:
        return aws.dynamodb.Table(
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
            opts=self.child(),
        )


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
