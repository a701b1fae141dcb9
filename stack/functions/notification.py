"""The function that notifies people of lease events."""

from lib.notifications import routing
from lib.platform.contract import EVENT_PARTITIONS
from lib.platform.environment.notification import NotificationEnvironment
from stack.components import iam
from stack.components.function import FunctionSpec
from stack.components.iam import Grant
from stack.functions.parts import Parts, decrypting_leases
from stack.settings import Settings


def spec(parts: Parts) -> FunctionSpec:
    """The function as data."""
    settings = parts.settings
    uses_sns = "sns" in settings.notify_channels
    return FunctionSpec(
        entry_point="notification",
        timeout_seconds=30,  # 2 s of enrichment, and the timeouts of all channels one after another
        asynchronous=True,
        environment=NotificationEnvironment,
        values={
            "lease_table_arn": parts.lease_table.arn,
            "operations_table_name": parts.operations.name,
            "notify_channels": settings.notify_channels,
            "notify_routes": routing.as_json(settings.notify_routes),
            "console_url": settings.console_url,
            "console_lease_path": settings.console_lease_path,
            "notification_topic_arn": parts.topic_arn if uses_sns else "",
            "slack_api_url": settings.slack_api_url,
            "slack_channel": settings.slack_channel,
            "govuk_notify_template_id": settings.govuk_notify_template_id,
            "govuk_notify_url": settings.govuk_notify_url,
        },
        secrets=_secrets(settings),
        grants=[
            Grant(actions=("dynamodb:GetItem",), resources=(parts.lease_table.arn,)),
            *decrypting_leases(settings),
            Grant(
                actions=("dynamodb:UpdateItem",),
                resources=(parts.operations.arn,),
                conditions=iam.in_partitions(f"{EVENT_PARTITIONS}*"),
            ),
            *([Grant(actions=("sns:Publish",), resources=(parts.topic_arn,))] if uses_sns else []),
        ],
    )


def _secrets(settings: Settings) -> list[str]:
    """The secret of its webhook, and those of the channels in use."""
    names = ["event_webhook_secret"]
    if "slack" in settings.notify_channels:
        names.append("slack_bot_token" if settings.slack_by_bot else "slack_webhook_url")
    if "teams" in settings.notify_channels:
        names.append("teams_webhook_url")
    if "govuk_notify" in settings.notify_channels:
        names.append("govuk_notify_api_key")
    return names
