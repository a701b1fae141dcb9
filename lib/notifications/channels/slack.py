"""Notifies a Slack channel, by a bot token (chat.postMessage) or by an incoming webhook.

The texts come from outside, so each is escaped: nobody can mention a channel or disguise a link.

Sources: https://docs.slack.dev/messaging/formatting-message-text, https://docs.slack.dev/reference/methods/chat.postMessage,
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from lib.notifications.message import Message
from lib.platform import errors
from lib.slack import blocks
from lib.slack.blocks import MAX_FIELD_CHARACTERS, MAX_SECTION_CHARACTERS, SlackMessage, mrkdwn
from lib.slack.client import IncomingWebhook, SlackClient
from lib.slack.text import clip, escape

_MAX_LABEL_CHARACTERS = 90


class SlackBot:
    """A bot in ``channel``, an ID or a name."""

    def __init__(self, client: SlackClient, channel: str) -> None:
        self._client = client
        self._channel = channel

    def send(self, message: Message) -> None:
        """Post the message; see :meth:`lib.notifications.channels.base.Channel.send`."""
        if not self._channel:
            raise errors.ConfigurationError("SLACK_CHANNEL is not set")
        self._client.post(self._channel, render(message))


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
        blocks.section(clip(message.lead, MAX_SECTION_CHARACTERS)),
        *blocks.fields(*facts),
    ]
    if message.link:
        shown.append(blocks.section(f"<{escape(message.link)}|{message.link_words}>"))
    shown.append(blocks.context(mrkdwn(clip(message.footer, MAX_FIELD_CHARACTERS))))
    return SlackMessage(escape(message.text), tuple(shown))
