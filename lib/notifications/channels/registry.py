"""Creates the configured channels.

A channel's module imports its SDK, so it is imported only if the channel is used. A channel reports missing configuration
when it sends: one wrong channel must not keep the others from being created.
"""

from collections.abc import Callable
from typing import Any

from lib.notifications.channels.base import Channel
from lib.platform import aws, errors
from lib.platform.contract import CHANNELS
from lib.platform.environment.notification import NotificationEnvironment
from lib.platform.secrets import Secret


def make_channels(environment: NotificationEnvironment, secrets_manager: Callable[[], Any]) -> dict[str, Channel]:
    """The channels of ``NOTIFY_CHANNELS`` by name, in that order, each with the clients it needs.

    If Slack has both a bot token and an incoming webhook, the bot posts: only its messages can be edited.

    Args:
        environment: of the function.
        secrets_manager: returns the Secrets Manager client. Called only for channels with a secret.

    Raises:
        ConfigurationError: a name is not in ``CHANNELS``.
    """
    makers: dict[str, Callable[[NotificationEnvironment, Callable[[], Any]], Channel]] = {
        "sns": _sns,
        "slack": _slack,
        "teams": _teams,
        "govuk_notify": _govuk_notify,
    }
    for name in environment.notify_channels:
        if name not in makers:
            raise errors.ConfigurationError(
                f"NOTIFY_CHANNELS has an unknown channel {name[:40]!r}; known channels: {', '.join(CHANNELS)}"
            )
    return {name: makers[name](environment, secrets_manager) for name in environment.notify_channels}


def _sns(environment: NotificationEnvironment, _: Callable[[], Any]) -> Channel:
    from lib.notifications.channels.sns import Sns  # noqa: PLC0415 - only the channels in use

    return Sns(aws.make_client("sns"), environment.notification_topic_arn)


def _slack(environment: NotificationEnvironment, secrets_manager: Callable[[], Any]) -> Channel:
    from lib.notifications.channels.slack import SlackBot, SlackWebhook  # noqa: PLC0415 - only the channels in use
    from lib.slack.client import IncomingWebhook, SlackClient  # noqa: PLC0415 - only the channels in use

    if environment.slack_bot_token_arn:
        token = Secret(secrets_manager(), environment.slack_bot_token_arn)
        return SlackBot(SlackClient(environment.slack_api_url, token), environment.slack_channel)
    return SlackWebhook(IncomingWebhook(Secret(secrets_manager(), environment.slack_webhook_url_arn)))


def _teams(environment: NotificationEnvironment, secrets_manager: Callable[[], Any]) -> Channel:
    from lib.notifications.channels.teams import TeamsWebhook  # noqa: PLC0415 - only the channels in use

    return TeamsWebhook(Secret(secrets_manager(), environment.teams_webhook_url_arn))


def _govuk_notify(environment: NotificationEnvironment, secrets_manager: Callable[[], Any]) -> Channel:
    from lib.notifications.channels.govuk_notify import GovukNotify  # noqa: PLC0415 - only the channels in use

    key = Secret(secrets_manager(), environment.govuk_notify_api_key_arn)
    return GovukNotify(key, environment.govuk_notify_template_id, environment.govuk_notify_url)
