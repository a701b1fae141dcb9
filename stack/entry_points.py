"""The functions by entry point: for each its size, the environment it reads and the grants it needs, no more."""

from collections.abc import Mapping

import pulumi

from lib.environment import HealthEnvironment, NotificationEnvironment
from stack import function
from stack.function import Function, Sizing
from stack.iam import Grant
from stack.settings import Settings
from stack.tables import Table


def notification(
    settings: Settings,
    code: pulumi.Archive,
    *,
    lease_table: Table,
    operations: Table,
    topic_arn: pulumi.Output[str],
    secret_arns: Mapping[str, pulumi.Output[str]],
) -> Function:
    """The function that tells people of lease events.

    Args:
        settings: the operator's choices.
        code: the archive.
        lease_table: what it enriches events from.
        operations: where it claims each delivery.
        topic_arn: the topic of the channel ``sns``.
        secret_arns: the ARN of every configured secret, by its field in ``settings``.
    """
    uses_sns = "sns" in settings.notify_channels
    own_secrets = {f"{name}_arn": secret_arns[name] for name in _notification_secrets(settings) if name in secret_arns}
    grants = [
        Grant(actions=("dynamodb:GetItem",), resources=(lease_table.arn,)),
        Grant(actions=("dynamodb:UpdateItem",), resources=(operations.arn,)),
    ]
    if uses_sns:
        grants.append(Grant(actions=("sns:Publish",), resources=(topic_arn,)))
    if own_secrets:
        grants.append(Grant(actions=("secretsmanager:GetSecretValue",), resources=tuple(own_secrets.values())))
    values = {
        "lease_table_name": lease_table.name,
        "lease_table_arn": lease_table.arn,
        "operations_table_name": operations.name,
        "notify_channels": ",".join(settings.notify_channels),
        "console_url": settings.console_url,
        "notification_topic_arn": topic_arn if uses_sns else "",
        "slack_api_url": settings.slack_api_url,
        "slack_channel": settings.slack_channel,
        "govuk_notify_template_id": settings.govuk_notify_template_id,
        "govuk_notify_url": settings.govuk_notify_url,
        **own_secrets,
    }
    return function.create(
        "notification",
        code=code,
        # Lambda gives CPU by memory, and a cold start is imports and TLS handshakes, which are CPU: 512 MB is for those,
        # since the code needs a fifth of it. 30 s is 2 s of enrichment and the timeouts of all channels one after another.
        sizing=Sizing(memory_mb=512, timeout_seconds=30),
        variables=NotificationEnvironment.variables(**_set_ones(values)),
        grants=grants,
        log_retention_days=settings.log_retention_days,
    )


def health(settings: Settings, code: pulumi.Archive, *, version: str) -> Function:
    """The function that says whether Switchboard works. It calls nothing yet, so it is granted nothing but its log."""
    return function.create(
        "health",
        code=code,
        sizing=Sizing(memory_mb=256, timeout_seconds=10),
        variables=HealthEnvironment.variables(version=version),
        grants=[],
        log_retention_days=settings.log_retention_days,
    )


def _notification_secrets(settings: Settings) -> list[str]:
    """The secrets that the notification function reads: its webhook's, and those of the channels that are on."""
    names = ["event_webhook_secret"]
    if "slack" in settings.notify_channels:
        names.append("slack_bot_token" if settings.slack_by_bot else "slack_webhook_url")
    if "govuk_notify" in settings.notify_channels:
        names.append("govuk_notify_api_key")
    return names


def _set_ones(values: Mapping[str, pulumi.Input[str]]) -> dict[str, pulumi.Input[str]]:
    """``values`` without empty texts: an optional variable that is not set is absent."""
    return {name: value for name, value in values.items() if not (isinstance(value, str) and value == "")}
