"""The function that receives drafts and clicks, and sweeps waiting drafts every hour.

It needs no failure queue: a sweep that failed is repeated by the next one.
"""

from lib.platform.contract import SESSION_STATE_INDEX
from lib.platform.environment.approvals import ApprovalsEnvironment
from stack.components import iam
from stack.components.function import FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import SESSIONS, Parts


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    settings = parts.settings
    return FunctionSpec(
        entry_point="approvals",
        # Slack waits 3 s. A slower click must still be recorded before the worker stops waiting for it (docs/adr/0040).
        timeout_seconds=10,
        reserved_concurrency=settings.approvals_reserved_concurrency,
        environment=ApprovalsEnvironment,
        values={
            "operations_table_name": parts.operations.name,
            "approval_queue_url": parts.approval_work.url,
            "slack_api_url": settings.slack_api_url,
            "missing_settings": settings.missing_for_approvals(),
            "has_channel": bool(settings.approvals_channel or settings.slack_channel),
            "jira_base_url": settings.jira_base_url,
            "jira_projects": settings.jira_projects,
            "approvers": settings.approvers,
            "require_other_approver": settings.require_other_approver,
            "approval_reminder_hours": settings.approval_reminder_hours,
            "approval_expiry_days": settings.approval_expiry_days,
        },
        secrets=["slack_signing_secret"],
        grants=[
            Grant(
                # A transaction needs the actions that it consists of.
                actions=("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
                resources=(parts.operations.arn,),
                conditions=SESSIONS,
            ),
            # The sweep finds the drafts that wait. The rows of the index are sessions only.
            Grant(actions=("dynamodb:Query",), resources=(parts.operations.index_arn(SESSION_STATE_INDEX),)),
            iam.sending(parts.approval_work.arn),
        ],
    )
