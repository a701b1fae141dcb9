"""Sends messages to Slack through the official SDK. Each failure is an error of :mod:`lib.platform.errors`.

The SDK is slow to import. Import this module only in code that sends.
"""

import http.client
import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from lib.platform import errors
from lib.platform.secrets import Secret
from lib.slack.blocks import Posted, SlackMessage
from lib.slack.errors import no_answer, refusal

TIMEOUT_SECONDS = 5

# The SDK logs what it sends, webhook and response URLs included. The errors raised here say what matters.
_SILENT = logging.Logger("slack_sdk of Switchboard", logging.CRITICAL + 1)

Result = TypeVar("Result")


class SlackClient:
    """One Slack workspace, through its bot token.

    Every method raises SwitchboardError if Slack refuses, can't be reached, or its answer is lost.

    Args:
        api_url: ``https://slack.com/api/``, or a stand-in's.
        token: the bot's token. A refused token is read again, since it may have been rotated.
    """

    def __init__(self, api_url: str, token: Secret) -> None:
        self._api_url = api_url.rstrip("/") + "/"
        self._token = token

    def post(self, channel: str, message: SlackMessage, *, thread_ts: str = "") -> Posted:
        """Post a message, into a thread if one is given."""
        answer = self._call(
            "post a message",
            lambda client: client.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=list(message.blocks),
                thread_ts=thread_ts or None,
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        return Posted(str(answer["channel"]), str(answer["ts"]))

    def update(self, posted: Posted, message: SlackMessage) -> None:
        """Replace a message.

        Raises:
            NotFoundError: it is gone, or can't be changed.
        """
        self._call(
            "update a message",
            lambda client: client.chat_update(
                channel=posted.channel, ts=posted.ts, text=message.text, blocks=list(message.blocks)
            ),
        )

    def permalink(self, posted: Posted) -> str:
        """The URL of a message, which everybody who may read it can open."""
        answer = self._call(
            "read a message's URL", lambda client: client.chat_getPermalink(channel=posted.channel, message_ts=posted.ts)
        )
        return str(answer["permalink"])

    def post_ephemeral(self, channel: str, user: str, text: str) -> None:
        """Show a message to one person in a channel they are in."""
        self._call("answer a click", lambda client: client.chat_postEphemeral(channel=channel, user=user, text=text))

    def respond(self, response_url: str, text: str) -> None:
        """Answer one person through their click's URL, which was verified as Slack's when the click arrived.

        Raises:
            NotFoundError: the URL is used up or too old.
        """
        answer = _send_to_url(
            "answer a click", response_url, {"text": text, "response_type": "ephemeral", "replace_original": False}
        )
        if answer.status_code in {404, 410}:
            raise errors.NotFoundError("could not answer a click: the URL is used up or too old")
        if answer.status_code >= 400:
            raise refusal("answer a click", answer.status_code)

    def _call(self, doing: str, call: Callable[[WebClient], Any]) -> Any:
        return self._token.use(lambda token: self._call_once(doing, token, call))

    def _call_once(self, doing: str, token: str, call: Callable[[WebClient], Any]) -> Any:
        # The SDK's own retries would repeat a post after a broken connection, and so post it twice.
        client = WebClient(token, self._api_url, TIMEOUT_SECONDS, logger=_SILENT, retry_handlers=[])
        return _translated(doing, lambda: call(client))


class IncomingWebhook:
    """An incoming webhook, which posts to the channel it was created for.

    Args:
        url: the webhook's URL, a secret: anybody who has it can post.
    """

    def __init__(self, url: Secret) -> None:
        self._url = url

    def post(self, message: SlackMessage) -> None:
        """Post a message.

        Raises:
            SwitchboardError: Slack refuses, can't be reached, or its answer is lost.
        """
        self._url.use(lambda url: self._post(message, url))

    def _post(self, message: SlackMessage, url: str) -> None:
        content = {"text": message.text, "blocks": list(message.blocks), "unfurl_links": False, "unfurl_media": False}
        answer = _send_to_url("post a message", url, content)
        if answer.status_code != 200:
            raise refusal("post a message", answer.status_code, answer.body.strip())
        if not _says_ok(answer.body):
            raise errors.PermanentError("the server at the webhook's URL is not Slack")


def _send_to_url(doing: str, url: str, content: dict[str, Any]) -> WebhookResponse:
    def send() -> WebhookResponse:
        return WebhookClient(url, TIMEOUT_SECONDS, logger=_SILENT, retry_handlers=[]).send(**content)

    return _translated(doing, send)


def _translated(doing: str, call: Callable[[], Result]) -> Result:
    try:
        return call()
    except SlackApiError as error:
        response = error.response
        code = response.get("error") if hasattr(response, "get") else None
        raise refusal(doing, int(getattr(response, "status_code", 0) or 0), code) from None
    except (OSError, http.client.HTTPException, ValueError, SlackClientError) as error:
        raise no_answer(doing, error) from None


def _says_ok(body: str) -> bool:
    """Whether Slack took the message. An incoming webhook answers ``ok``, a workflow's webhook ``{"ok": true}``."""
    if body.strip() == "ok":
        return True
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("ok") is True
