"""The function that receives webhooks of Jira and of Git hosts, and answers ``GET /health``.

It is invoked over HTTP only: a sender repeats what failed, so it needs no failure queue.
"""

from lib.platform.contract import PROJECT_INDEX
from lib.platform.environment.webhooks import WebhooksEnvironment
from stack.components import iam
from stack.components.function import FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import Parts, objects


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    settings = parts.settings
    return FunctionSpec(
        entry_point="webhooks",
        timeout_seconds=15,  # senders wait 10 s (GitHub) or more, and then send again
        reserved_concurrency=settings.webhooks_reserved_concurrency,
        environment=WebhooksEnvironment,
        values={
            "jira_issues_table_name": parts.jira_issues.name,
            "artifact_bucket_name": parts.artifacts.name,
            "jira_queue_url": parts.jira_work.url,
            "history_days": settings.history_days,
            "jira_projects": settings.jira_projects,
            "version": parts.version,
        },
        secrets=["jira_webhook_secret", "jira_automation_token", "commit_webhook_secret"],
        grants=[
            Grant(
                actions=("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"),
                resources=(parts.jira_issues.arn,),
            ),
            Grant(actions=("dynamodb:Query",), resources=(parts.jira_issues.index_arn(PROJECT_INDEX),)),
            objects("s3:PutObject", parts.artifacts, "snapshots/"),
            iam.sending(parts.jira_work.arn),
        ],
    )
