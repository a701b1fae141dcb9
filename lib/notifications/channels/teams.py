"""Notifies a Microsoft Teams channel through a workflow "when a Teams webhook request is received", as an Adaptive Card.

The texts come from outside, so they are text runs, in which Teams reads neither Markdown nor links. The workflow answers 202
before it posts the card, and Teams drops a card that is too large, so :func:`render` keeps it small.

Sources: https://learn.microsoft.com/connectors/teams, https://adaptivecards.io/explorer,
https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format
"""

import json
import re
from typing import Any

import urllib3
from urllib3 import exceptions

from lib.notifications.message import Message
from lib.notifications.severity import Severity
from lib.platform import errors, http_errors, restore
from lib.platform.secrets import Secret

TIMEOUT_SECONDS = 5
MAX_BYTES = 28_000
"""https://learn.microsoft.com/microsoftteams/limits-specifications-teams: about 28 KB per card."""
CARD_VERSION = "1.4"

_MAX_ANSWER_BYTES = 10_000
_CODE = re.compile(r"[A-Za-z]{1,60}")
_STYLES = {Severity.INFO: "accent", Severity.WARNING: "warning", Severity.CRITICAL: "attention"}
Element = dict[str, Any]


class TeamsWebhook:
    """The channel that a workflow posts to.

    Args:
        url: of the workflow, a secret: anybody who has it can post.
    """

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(retries=False)
        restore.register(self._pool, urllib3.PoolManager.clear)

    def send(self, message: Message) -> None:
        """Post the message; see :meth:`lib.notifications.channels.base.Channel.send`."""
        body = _as_json(render(message))
        self._url.use(lambda url: self._post(url, body))

    def _post(self, url: str, body: bytes) -> None:
        try:
            answer = self._pool.request(
                "POST",
                url,
                body=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_SECONDS,
                redirect=False,
                preload_content=False,
            )
            content = answer.read(_MAX_ANSWER_BYTES)
            answer.drain_conn()
            answer.release_conn()
        except (exceptions.LocationValueError, UnicodeError) as error:
            text = f"could not post a card: teamsWebhookUrl is not an http or https URL ({type(error).__name__})"
            raise errors.PermanentError(text) from None
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise http_errors.no_answer("Teams", "post a card", error) from None
        if answer.status not in {200, 202}:
            raise _refusal(answer.status, content)
        if "html" in answer.headers.get("Content-Type", ""):
            raise errors.PermanentError("the server at the webhook's URL is not a Teams workflow")


def render(message: Message) -> Element:
    """The body of the request: the message as an Adaptive Card of at most ``MAX_BYTES``."""
    for most in (500, 100, 40):
        request = _request(message, most)
        if len(_as_json(request)) <= MAX_BYTES:
            break
    return request


def _request(message: Message, most: int) -> Element:
    """The card with at most ``most`` characters per text."""
    facts = [_text((f"{label}: ", {"weight": "Bolder"}), (_cut(value, most), {})) for label, value in message.facts]
    card: Element = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": CARD_VERSION,
        "msteams": {"width": "Full"},
        "body": [
            {
                "type": "Container",
                "style": _STYLES[message.severity],
                "bleed": True,
                "items": [
                    _text((message.severity.capitalize(), {"size": "Small", "weight": "Bolder"})),
                    _text((message.title, {"size": "Large", "weight": "Bolder"})),
                ],
            },
            _text((message.lead, {})),
            *([{"type": "Container", "items": facts}] if facts else []),
            _text((_cut(message.footer, most), {"size": "Small", "isSubtle": True})),
        ],
    }
    if message.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": message.link_words, "url": message.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _text(*runs: tuple[str, Element]) -> Element:
    """One paragraph of text runs, each with its style."""
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style} for text, style in runs]}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _as_json(request: Element) -> bytes:
    return json.dumps(request, ensure_ascii=False).encode(errors="replace")


def _refusal(status: int, content: bytes) -> errors.SwitchboardError:
    """The error for an answer other than accepted. The workflow's own text can hold its address, so only its code is used."""
    code = _code(content)
    text = (
        f"could not post a card: the workflow says {code}" if code else f"could not post a card: Teams answered HTTP {status}"
    )
    if status in {401, 403, 404, 410}:  # the signature in the URL is wrong, or the workflow is gone
        return errors.CredentialRefusedError(text)
    return http_errors.of_status(status, text)


def _code(content: bytes) -> str:
    """The error that the workflow names: ``{"error": {"code": …, "message": …}}``."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    error = answer.get("error") if isinstance(answer, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""
