"""Tells a Slack channel, by a bot token (chat.postMessage) or by an incoming webhook.

The text comes from strangers: ``&``, ``<`` and ``>`` are escaped everywhere, so that nobody can mention a channel or dress
up a link, and Slack is told not to look for links and mentions itself (``verbatim``). It does not edit messages and reads
no answer but whether Slack took the message.

Sources: https://docs.slack.dev/messaging/formatting-message-text, https://docs.slack.dev/reference/methods/chat.postMessage,
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import http.client
import json
import logging
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from lib.notifications.channels.base import send_with
from lib.notifications.message import Message
from lib.platform import errors
from lib.platform.secrets import Secret
from lib.slack import text as slack
from lib.slack.text import clip, escape

TIMEOUT_SECONDS = 5
MAX_HEADER_CHARACTERS = 150
MAX_FIELD_CHARACTERS = 2000
MAX_SECTION_CHARACTERS = 3000
MAX_FIELDS = 10
"""Block Kit's own limits: https://docs.slack.dev/reference/block-kit/blocks"""

# The SDK logs what it sends, the webhook's URL included, and logs as text; what matters is in the errors raised here.
_SILENT = logging.Logger("slack_sdk of Switchboard", logging.CRITICAL + 1)


class SlackBot:
    """A bot in a channel.

    Args:
        token: the bot's token.
        channel: the channel's id, or its name.
        api_url: where the Web API is.
    """

    def __init__(self, token: Secret, channel: str, api_url: str) -> None:
        self._token = token
        self._channel = channel
        self._api_url = api_url

    def send(self, message: Message) -> None:
        """Post the message; see :meth:`lib.notifications.channels.registry.Channel.send`."""
        if not self._channel:
            raise errors.ConfigurationError("SLACK_CHANNEL is not set")
        send_with(self._token, lambda token: self._post(message, token))

    def _post(self, message: Message, token: str) -> None:
        client = WebClient(token, self._api_url, TIMEOUT_SECONDS, retry_handlers=[], logger=_SILENT)
        try:
            client.chat_postMessage(
                channel=self._channel,
                text=fallback(message),
                blocks=blocks(message),
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackApiError as error:
            data = error.response.data
            code = data.get("error") if isinstance(data, dict) else None
            raise slack.refusal("send the message", error.response.status_code, code) from None
        except (OSError, http.client.HTTPException, ValueError, SlackClientError) as error:
            raise slack.no_answer("send the message", error) from None


class SlackWebhook:
    """An incoming webhook, which posts to the channel it was made for.

    Args:
        url: the webhook's URL, a secret: whoever has it can post.
    """

    def __init__(self, url: Secret) -> None:
        self._url = url

    def send(self, message: Message) -> None:
        """Post the message; see :meth:`lib.notifications.channels.registry.Channel.send`."""
        send_with(self._url, lambda url: self._post(message, url))

    def _post(self, message: Message, url: str) -> None:
        try:
            client = WebhookClient(url, TIMEOUT_SECONDS, retry_handlers=[], logger=_SILENT)
            answer = client.send(text=fallback(message), blocks=blocks(message), unfurl_links=False, unfurl_media=False)
        except (OSError, http.client.HTTPException, ValueError, SlackClientError) as error:
            raise slack.no_answer("send the message", error) from None
        if answer.status_code != 200:
            raise slack.refusal("send the message", answer.status_code, answer.body.strip())
        if not _says_ok(answer.body):
            raise errors.PermanentError("what answers at the webhook's URL is not Slack")


def fallback(message: Message) -> str:
    """What shows where blocks do not, such as in a notification on a phone."""
    return escape(message.text)


def blocks(message: Message) -> list[dict[str, Any]]:
    """The message in Block Kit."""
    made: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": clip(message.title, MAX_HEADER_CHARACTERS), "emoji": False}},
        {"type": "section", "text": _mrkdwn(clip(message.lead, MAX_SECTION_CHARACTERS))},
    ]
    fields = [_mrkdwn(clip(value, MAX_FIELD_CHARACTERS - 100), label) for label, value in message.facts]
    made += [{"type": "section", "fields": fields[n : n + MAX_FIELDS]} for n in range(0, len(fields), MAX_FIELDS)]
    if message.link:
        link = {"type": "mrkdwn", "text": f"<{escape(message.link)}|Open the sandbox console>"}
        made.append({"type": "section", "text": link})
    made.append({"type": "context", "elements": [_mrkdwn(clip(message.footer, MAX_FIELD_CHARACTERS))]})
    return made


def _mrkdwn(escaped: str, label: str = "") -> dict[str, Any]:
    text = f"*{clip(label, 90)}*\n{escaped}" if label else escaped
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _says_ok(body: str) -> bool:
    if body.strip() == "ok":
        return True
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("ok") is True
