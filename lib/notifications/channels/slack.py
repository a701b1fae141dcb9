"""Notifies a Slack channel, by a bot token (chat.postMessage) or by an incoming webhook.

The texts come from outside, so each is escaped: nobody can mention a channel or disguise a link.

Sources: https://docs.slack.dev/messaging/formatting-message-text, https://docs.slack.dev/reference/methods/chat.postMessage,
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from lib.notifications.message import Message
from lib.notifications.severity import Severity
from lib.platform import errors
from lib.slack import blocks
from lib.slack.blocks import MAX_FIELD_CHARACTERS, MAX_SECTION_CHARACTERS, SlackMessage, mrkdwn
from lib.slack.client import IncomingWebhook, SlackClient
from lib.slack.text import clip, escape

_MAX_LABEL_CHARACTERS = 90
_SEVERITIES = {
    Severity.INFO: ":large_blue_circle: *Info*",
    Severity.WARNING: ":large_yellow_circle: *Warning*",
    Severity.CRITICAL: ":red_circle: *Critical*",
}


class SlackBot:
    """A bot in ``channel``, an ID or a name."""

    def __init__(self, client: SlackClient, channel: str) -> None:
        self._client = client
        self._channel = channel

    def send(self, message: Message) -> None:
        """Post the message; see :meth:`lib.notifications.channels.base.Channel.send`."""
        channel = message.slack_channel or self._channel
        if not channel:
            raise errors.ConfigurationError("SLACK_CHANNEL is not set")
        self._client.post(channel, render(message))


class SlackWebhook:
    """The channel of an incoming webhook."""

    def __init__(self, webhook: IncomingWebhook) -> None:
        self._webhook = webhook

    def send(self, message: Message) -> None:
        """Post the message; see :meth:`lib.notifications.channels.base.Channel.send`."""
        self._webhook.post(render(message))


def render(message: Message) -> SlackMessage:
    """The message in Block Kit."""
    facts = [
        mrkdwn(f"*{clip(label, _MAX_LABEL_CHARACTERS)}*\n{clip(value, MAX_FIELD_CHARACTERS - 100)}")
        for label, value in message.facts
    ]
    shown = [
        blocks.header(message.title),
        blocks.context(mrkdwn(_SEVERITIES[message.severity])),
        blocks.section(f"{_mention(message.mention)}{clip(message.lead, MAX_SECTION_CHARACTERS - 100)}"),
        *blocks.fields(*facts),
    ]
    if message.link:
        shown.append(blocks.section(f"<{escape(message.link)}|{message.link_words}>"))
    shown.append(blocks.context(mrkdwn(clip(message.footer, MAX_FIELD_CHARACTERS))))
    return SlackMessage(escape(message.text), tuple(shown))


def _mention(name: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#mentioning-users: of members, user groups, and everybody."""
    if not name:
        return ""
    return {"S": f"<!subteam^{name}> ", "U": f"<@{name}> ", "W": f"<@{name}> "}.get(name[0], f"<!{name}> ")
