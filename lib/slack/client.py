"""Slack for previews: the official SDK, with each of its failures as an error of :mod:`lib.platform.errors`.

Used by the worker only: the SDK is imported when the first call is made.
"""

import http.client
import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from lib.approvals.preview import Preview
from lib.approvals.preview_posting import Posted
from lib.platform import errors
from lib.platform.secrets import Secret
from lib.slack import text as slack

TIMEOUT_SECONDS = 5

# The SDK logs what it sends, response URLs included; what matters is in the errors raised here.
_SILENT = logging.Logger("slack_sdk of Switchboard", logging.CRITICAL + 1)

Result = TypeVar("Result")


class SlackChat:
    """One Slack workspace, by its bot token.

    Args:
        api_url: ``https://slack.com/api/``, or a stand-in's.
        token: the bot's token. A refused one is read again, since it may have been rotated.
    """

    def __init__(self, api_url: str, token: Secret) -> None:
        self._api_url = api_url.rstrip("/") + "/"
        self._token = token

    def post(self, channel: str, message: Preview, *, thread_ts: str = "") -> Posted:
        """Post a message, into a thread if one is named.

        Raises:
            SwitchboardError: Slack refuses, can't be reached, or its answer was lost.
        """
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

    def update(self, posted: Posted, message: Preview) -> None:
        """Make a message another.

        Raises:
            NotFoundError: it is gone, or can't be changed.
            SwitchboardError: Slack refuses, can't be reached, or its answer was lost.
        """
        self._call(
            "update a message",
            lambda client: client.chat_update(
                channel=posted.channel, ts=posted.ts, text=message.text, blocks=list(message.blocks)
            ),
        )

    def post_ephemeral(self, channel: str, user: str, text: str) -> None:
        """Tell one person something in a channel they are in.

        Raises:
            SwitchboardError: Slack refuses, can't be reached, or its answer was lost.
        """
        self._call(
            "answer a click",
            lambda client: client.chat_postEphemeral(channel=channel, user=user, text=text),
        )

    def respond(self, response_url: str, text: str) -> None:
        """Answer one person by their click's URL, which was checked to be Slack's when the click came in.

        Raises:
            NotFoundError: the URL is used up or too old.
            SwitchboardError: Slack refuses, can't be reached, or its answer was lost.
        """
        from slack_sdk.webhook import WebhookClient  # noqa: PLC0415 - the worker's only

        client = WebhookClient(response_url, timeout=TIMEOUT_SECONDS, logger=_SILENT, retry_handlers=[])
        answer = _translated(
            "answer a click",
            lambda: client.send(text=text, response_type="ephemeral", replace_original=False),
        )
        if answer.status_code in {404, 410}:
            raise errors.NotFoundError("could not answer a click: the URL is used up or too old")
        if answer.status_code >= 400:
            raise slack.refusal("answer a click", answer.status_code)

    def _call(self, doing: str, call: Callable[[Any], Any]) -> Any:
        try:
            return self._call_once(doing, call)
        except errors.CredentialRefusedError:
            if not self._token.refresh():
                raise
        return self._call_once(doing, call)

    def _call_once(self, doing: str, call: Callable[[Any], Any]) -> Any:
        from slack_sdk import WebClient  # noqa: PLC0415 - the worker's only

        client = WebClient(
            self._token.current(),
            base_url=self._api_url,
            timeout=TIMEOUT_SECONDS,
            logger=_SILENT,
            retry_handlers=[],  # the SDK's own would try again when a connection breaks, and post a second message
        )
        return _translated(doing, lambda: call(client))


def _translated(doing: str, call: Callable[[], Result]) -> Result:
    from slack_sdk.errors import SlackApiError, SlackClientError  # noqa: PLC0415 - the worker's only

    try:
        return call()
    except SlackApiError as error:
        response = error.response
        code = response.get("error") if hasattr(response, "get") else None
        raise slack.refusal(doing, int(getattr(response, "status_code", 0) or 0), code) from None
    except (SlackClientError, json.JSONDecodeError) as error:
        raise errors.ConnectionLostError(f"could not {doing}: Slack's answer can't be read ({type(error).__name__})") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise slack.no_answer(doing, error) from None
