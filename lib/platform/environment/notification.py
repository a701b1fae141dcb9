"""The environment of the function notification."""

from dataclasses import dataclass

from lib.platform.contract import GOVUK_NOTIFY_URL, SLACK_API_URL
from lib.platform.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationEnvironment(Environment):
    """handlers/notification.py"""

    lease_table_arn: str
    operations_table_name: str
    notify_channels: tuple[str, ...]
    notify_routes: str = ""
    console_url: str = ""
    console_lease_path: str = ""
    notification_topic_arn: str = ""
    slack_api_url: str = SLACK_API_URL
    slack_channel: str = ""
    slack_webhook_url_arn: str = ""
    slack_bot_token_arn: str = ""
    teams_webhook_url_arn: str = ""
    govuk_notify_api_key_arn: str = ""
    govuk_notify_template_id: str = ""
    govuk_notify_url: str = GOVUK_NOTIFY_URL
    event_webhook_secret_arn: str = ""
