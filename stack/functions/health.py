"""The function that reports whether Switchboard works: it checks every table, secret and service that the others need."""

import pulumi

from lib.platform.contract import SENTINEL_PARTITIONS
from lib.platform.environment.health import HealthEnvironment
from stack.components import iam
from stack.components.function import FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import Parts, decrypting_leases


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    settings = parts.settings
    secrets = parts.secret_arns
    own_tables = (parts.jira_issues.arn, parts.operations.arn, parts.shuttle.arn)
    sentinels = iam.in_partitions(f"{SENTINEL_PARTITIONS}*")
    return FunctionSpec(
        entry_point="health",
        timeout_seconds=60,
        asynchronous=True,
        environment=HealthEnvironment,
        values={
            "lease_table_arn": parts.lease_table.arn,
            "jira_issues_table_name": parts.jira_issues.name,
            "operations_table_name": parts.operations.name,
            "shuttle_table_name": parts.shuttle.name,
            "secret_arns": pulumi.Output.all(*secrets.values()).apply(",".join) if secrets else (),
            "jira_base_url": settings.jira_base_url,
            "jira_email": settings.jira_email,
            "jira_api_token_arn": secrets.get("jira_api_token", ""),
            "version": parts.version,
        },
        grants=[
            Grant(actions=("dynamodb:DescribeTable",), resources=(parts.lease_table.arn, *own_tables)),
            Grant(actions=("dynamodb:GetItem",), resources=(parts.lease_table.arn, *own_tables), conditions=sentinels),
            Grant(actions=("dynamodb:PutItem", "dynamodb:DeleteItem"), resources=own_tables, conditions=sentinels),
            *decrypting_leases(settings),
            *([iam.reading_secrets(*secrets.values())] if secrets else []),
        ],
    )
