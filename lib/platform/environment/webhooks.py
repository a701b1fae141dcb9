"""The environment of the function webhooks."""

from dataclasses import dataclass

from lib.platform.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksEnvironment(Environment):
    """handlers/webhooks.py"""

    jira_issues_table_name: str
    artifact_bucket_name: str
    jira_queue_url: str
    history_days: int
    jira_projects: tuple[str, ...] = ()
    jira_webhook_secret_arn: str = ""
    jira_automation_token_arn: str = ""
    commit_webhook_secret_arn: str = ""
    version: str = "unknown"
