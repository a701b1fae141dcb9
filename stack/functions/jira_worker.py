"""The function for the slow work after a webhook or a click: fetches from Jira, correlates, creates issues, posts previews."""

from lib.platform.contract import PROJECT_INDEX
from lib.platform.environment.jira_worker import JiraWorkerEnvironment
from stack.components.function import Feed, FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import SESSIONS, Parts, objects

TIMEOUT_SECONDS = 300
"""Jira may ask to wait for half a minute, up to five times; a batch has ten messages."""

JIRA_WORKERS = 5
"""Each sends Jira one request at a time. More workers would reach Jira's rate limit sooner and then wait, and a mass edit would
use up the limit of people who work in Jira with the same account."""

APPROVAL_WORKERS = 5
"""Slack accepts about one message per second and channel, so more workers would wait for it. Five, so that one that waits for
Jira does not delay the others."""


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    settings = parts.settings
    return FunctionSpec(
        entry_point="jira_worker",
        timeout_seconds=TIMEOUT_SECONDS,
        # A search that keeps failing is postponed up to 96 times (lib/approvals/workflow.py), each time by a message to itself.
        may_recur=True,
        environment=JiraWorkerEnvironment,
        values={
            "jira_issues_table_name": parts.jira_issues.name,
            "operations_table_name": parts.operations.name,
            "artifact_bucket_name": parts.artifacts.name,
            "approval_queue_url": parts.approval_work.url,
            "history_days": settings.history_days,
            "jira_projects": settings.jira_projects,
            "jira_base_url": settings.jira_base_url,
            "jira_email": settings.jira_email,
            "jira_dry_run": settings.jira_dry_run,
            "slack_api_url": settings.slack_api_url,
            "approvals_channel": settings.approvals_channel or settings.slack_channel,
            # Previews name who may approve.
            "approvers": settings.approvers,
            "require_other_approver": settings.require_other_approver,
            "git_sha": parts.git_sha,
        },
        secrets=["jira_api_token", "slack_bot_token"],
        grants=[
            Grant(
                actions=("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:Query"),
                resources=(parts.jira_issues.arn,),
            ),
            # For a push that the webhook could not store: which of its projects are known.
            Grant(actions=("dynamodb:Query",), resources=(parts.jira_issues.index_arn(PROJECT_INDEX),)),
            Grant(
                actions=("dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
                resources=(parts.operations.arn,),
                conditions=SESSIONS,
            ),
            objects("s3:PutObject", parts.artifacts, "snapshots/", "runs/"),
            # A message leads to others, and the visibility timeout of one that failed is shortened.
            Grant(actions=("sqs:SendMessage", "sqs:ChangeMessageVisibility"), resources=(parts.approval_work.arn,)),
        ],
        feeds=[
            Feed(queue=parts.jira_work, batch_size=10, window_seconds=1, maximum_concurrency=JIRA_WORKERS),
            # One message per batch, without a batching window: a person waits for it, and a slow one must not delay others.
            Feed(queue=parts.approval_work, batch_size=1, window_seconds=0, maximum_concurrency=APPROVAL_WORKERS),
        ],
    )
