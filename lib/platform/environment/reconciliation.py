"""The environment of the function reconciliation."""

from dataclasses import dataclass

from lib.platform.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationEnvironment(Environment):
    """handlers/reconciliation.py"""

    jira_issues_table_name: str
    operations_table_name: str
    artifact_bucket_name: str
    jira_queue_url: str
    history_days: int
    jira_projects: tuple[str, ...] = ()
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token_arn: str = ""
    reconcile_max_deletes: str = ""
    git_sha: str = "unknown"
