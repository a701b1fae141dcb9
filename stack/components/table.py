"""The DynamoDB tables: their keys, and the protection of what they hold. docs/database-schema.md tells of the rows."""

import dataclasses

import pulumi
import pulumi_aws as aws

from stack.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as its users need it, with the names of its indexes. ``read_only``: Switchboard never writes to it."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    indexes: tuple[str, ...] = ()
    read_only: bool = False

    def index_arn(self, index: str) -> pulumi.Output[str]:
        """The ARN of one of its indexes, as policies name it."""
        return self.arn.apply(lambda arn: f"{arn}/index/{index}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A global secondary index; docs/database-schema.md says which question it answers and what its rows are.

    ``includes`` names the attributes that it holds beside the keys; empty: whole rows, so that no reader has to go back.
    """

    name: str
    hash_key: str
    range_key: str
    includes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a table is keyed.

    Attributes:
        name: the logical name; AWS gets it with a random suffix.
        hash_key: the partition key.
        range_key: the sort key.
        ttl: the attribute with the epoch second at which a row expires.
        indexes: the ways to find rows other than by key.
        numbers: the key attributes that are numbers; the others are texts.
    """

    name: str
    hash_key: str
    range_key: str
    ttl: str
    indexes: tuple[Index, ...] = ()
    numbers: frozenset[str] = frozenset()

    def key_attributes(self) -> list[str]:
        """Every attribute that is a key of the table or of an index, each once."""
        of_indexes = (key for index in self.indexes for key in (index.hash_key, index.range_key))
        return list(dict.fromkeys((self.hash_key, self.range_key, *of_indexes)))


LEASE_TABLE = Layout(name="LeaseTable", hash_key="userEmail", range_key="uuid", ttl="ttl")
JIRA_ISSUES = Layout(
    name="JiraIssues",
    hash_key="issue_key",
    range_key="updated_at",
    ttl="expires_at",
    indexes=(
        Index(name="ProjectIndex", hash_key="project_key", range_key="issue_number"),
        Index(name="StatusIndex", hash_key="status", range_key="version_at"),
        Index(name="AssigneeIndex", hash_key="assignee", range_key="version_at"),
        Index(name="FixVersionIndex", hash_key="fix_version", range_key="version_at"),
    ),
    numbers=frozenset({"issue_number"}),
)
JIRA_OPERATIONS = Layout(name="JiraOperations", hash_key="session_id", range_key="operation_key", ttl="expires_at")
# What the indexes include is what lib/shuttle reads of them (lib/shuttle/indexes.py, which the stack may not import).
SHUTTLE = Layout(
    name="Shuttle",
    hash_key="PK",
    range_key="SK",
    ttl="ExpiresAt",
    indexes=(
        Index(
            name="GSI1",
            hash_key="GSI1PK",
            range_key="GSI1SK",
            includes=(
                "BillingState",
                "CreatedAt",
                "ExpiresAt",
                "Failure",
                "InstalledAt",
                "JobId",
                "Kind",
                "Mode",
                "Plan",
                "ShopDomain",
                "Status",
                "StatusSince",
            ),
        ),
        Index(
            name="GSI2",
            hash_key="GSI2PK",
            range_key="GSI2SK",
            includes=(
                "BillingState",
                "BytesRead",
                "Day",
                "ExpiresAt",
                "Exports",
                "Imports",
                "InstalledAt",
                "JobsCancelled",
                "JobsCompleted",
                "JobsFailed",
                "Month",
                "Plan",
                "RowsFailed",
                "RowsRead",
                "ShopDomain",
            ),
        ),
        Index(
            name="GSI3",
            hash_key="GSI3PK",
            range_key="GSI3SK",
            includes=(
                "CreatedAt",
                "ExpiresAt",
                "Kind",
                "SessionId",
                "ShopDomain",
            ),
        ),
        Index(
            name="StatusIndex",
            hash_key="ShopDomain",
            range_key="Status",
            includes=(
                "CreatedAt",
                "ExpiresAt",
                "Failure",
                "JobId",
                "Kind",
                "Mode",
                "StatusSince",
            ),
        ),
    ),
)


def lease_table(settings: Settings, stack: str) -> Table:
    """The lease system's table if ``leaseTableArn`` names one, else one of our own with the same keys."""
    arn = settings.lease_table_arn
    if arn:
        name = arn.partition("/")[2]
        return Table(name=pulumi.Output.from_input(name), arn=pulumi.Output.from_input(arn), read_only=True)
    return dataclasses.replace(create(LEASE_TABLE, protect=settings.protects(stack)), read_only=True)


def create(layout: Layout, *, protect: bool) -> Table:
    """Create a table: on demand, encrypted by the AWS-managed key, restorable to any second of the last 35 days.

    With ``protect``, AWS refuses to delete it, as Pulumi does (stack/components/protection.py).
    """
    table = aws.dynamodb.Table(
        layout.name,
        attributes=[{"name": key, "type": "N" if key in layout.numbers else "S"} for key in layout.key_attributes()],
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
