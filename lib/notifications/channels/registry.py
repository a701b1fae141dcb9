"""How the configured channels are made.

A channel's module brings its SDK with it, so it is imported only when that channel is used. What a channel lacks in its
configuration it says when it sends: a channel that is set up wrong must not keep the others from being made.
"""

from collections.abc import Callable
from typing import Any

from lib.notifications.channels.base import Channel
from lib.platform import aws, errors
from lib.platform.environment import CHANNELS, NotificationEnvironment
from lib.platform.secrets import Secret


def make_channels(environment: NotificationEnvironment, secrets_manager: Callable[[], Any]) -> dict[str, Channel]:
    """The channels of ``NOTIFY_CHANNELS`` by name, in that order, each with the clients it needs.

    With a bot token and an incoming webhook both configured, Slack is told by the bot: only its messages can be edited.

    Args:
        environment: of the function.
        secrets_manager: makes the Secrets Manager client, or hands over the one there is; asked for by channels with a secret.

    Raises:
        ConfigurationError: a name is none of ``CHANNELS``.
    """
    makers: dict[str, Callable[[NotificationEnvironment, Callable[[], Any]], Channel]] = {
        "sns": _sns,
        "slack": _slack,
        "govuk_notify": _govuk_notify,
    }
    for name in environment.notify_channels:
        if name not in makers:
            known = ", ".join(CHANNELS)
            raise errors.ConfigurationError(f"NOTIFY_CHANNELS names {name[:40]!r}, which is no channel; there are {known}")
    return {name: makers[name](environment, secrets_manager) for name in environment.notify_channels}


def _sns(environment: NotificationEnvironment, _: Callable[[], Any]) -> Channel:
    from lib.notifications.channels.sns import Sns  # noqa: PLC0415 - only the channels in use

    return Sns(aws.make_client("sns"), environment.notification_topic_arn)


def _slack(environment: NotificationEnvironment, secrets_manager: Callable[[], Any]) -> Channel:
    from lib.notifications.channels.slack import SlackBot, SlackWebhook  # noqa: PLC0415 - only the channels in use

    if environment.slack_bot_token_arn:
        token = Secret(secrets_manager(), environment.slack_bot_token_arn)
        return SlackBot(token, environment.slack_channel, environment.slack_api_url)
    return SlackWebhook(Secret(secrets_manager(), environment.slack_webhook_url_arn))


def _govuk_notify(environment: NotificationEnvironment, secrets_manager: Callable[[], Any]) -> Channel:
    from lib.notifications.channels.govuk_notify import GovukNotify  # noqa: PLC0415 - only the channels in use

    key = Secret(secrets_manager(), environment.govuk_notify_api_key_arn)
    return GovukNotify(key, environment.govuk_notify_template_id, environment.govuk_notify_url)
