"""The environment of the function approvals."""

from dataclasses import dataclass

from lib.platform.contract import SLACK_API_URL
from lib.platform.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsEnvironment(Environment):
    """handlers/approvals.py

    ``missing_settings`` are the config keys that approvals need and that are not set: no draft is accepted while there are any.
    ``has_channel``: whether there is a channel for the preview of a draft that names none.
    """

    operations_table_name: str
    approval_queue_url: str
    slack_api_url: str = SLACK_API_URL
    slack_signing_secret_arn: str = ""
    missing_settings: tuple[str, ...] = ()
    has_channel: bool = False
    jira_base_url: str = ""
    jira_projects: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    require_other_approver: bool = True
    approval_reminder_hours: int = 0
    approval_expiry_days: int = 0
