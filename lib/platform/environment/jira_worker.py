"""The environment of the function jira_worker."""

from dataclasses import dataclass

from lib.platform.contract import SLACK_API_URL
from lib.platform.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraWorkerEnvironment(Environment):
    """handlers/jira_worker.py"""

    jira_issues_table_name: str
    operations_table_name: str
    artifact_bucket_name: str
    approval_queue_url: str
    history_days: int
    jira_projects: tuple[str, ...] = ()
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token_arn: str = ""
    jira_dry_run: bool = False
    slack_api_url: str = SLACK_API_URL
    slack_bot_token_arn: str = ""
    approvals_channel: str = ""
    approvers: tuple[str, ...] = ()
    require_other_approver: bool = True
    git_sha: str = "unknown"
