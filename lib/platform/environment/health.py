"""The environment of the function health."""

from dataclasses import dataclass

from lib.platform.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthEnvironment(Environment):
    """handlers/health.py"""

    lease_table_arn: str
    jira_issues_table_name: str
    operations_table_name: str
    shuttle_table_name: str
    secret_arns: tuple[str, ...] = ()
    jira_base_url: str = ""
    jira_email: str = ""
    jira_api_token_arn: str = ""
    version: str = "unknown"
