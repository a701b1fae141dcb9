"""The function that makes the table agree with Jira. It invokes itself when a sweep needs more than one invocation."""

from lib.platform.contract import PROJECT_INDEX, RECONCILIATION_PARTITION
from lib.platform.environment.reconciliation import ReconciliationEnvironment
from stack.components import iam
from stack.components.function import FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import Parts, objects


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    settings = parts.settings
    return FunctionSpec(
        entry_point="reconciliation",
        timeout_seconds=900,
        asynchronous=True,
        invokes_itself=True,
        environment=ReconciliationEnvironment,
        values={
            "jira_issues_table_name": parts.jira_issues.name,
            "operations_table_name": parts.operations.name,
            "artifact_bucket_name": parts.artifacts.name,
            "jira_queue_url": parts.jira_work.url,
            "history_days": settings.history_days,
            "jira_projects": settings.jira_projects,
            "jira_base_url": settings.jira_base_url,
            "jira_email": settings.jira_email,
            "reconcile_max_deletes": settings.reconcile_max_deletes,
            "git_sha": parts.git_sha,
        },
        secrets=["jira_api_token"],
        grants=[
            Grant(
                actions=("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchGetItem"),
                resources=(parts.jira_issues.arn,),
            ),
            Grant(actions=("dynamodb:Query",), resources=(parts.jira_issues.index_arn(PROJECT_INDEX),)),
            Grant(
                actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
                resources=(parts.operations.arn,),
                conditions=iam.in_partitions(RECONCILIATION_PARTITION),
            ),
            objects("s3:PutObject", parts.artifacts, "snapshots/", "runs/"),
            iam.sending(parts.jira_work.arn),
        ],
    )
