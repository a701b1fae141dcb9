"""Block Kit blocks (https://docs.slack.dev/reference/block-kit/blocks). Nothing here does input or output."""

from typing import Any

from lib.slack.text import escape

Block = dict[str, Any]

MAX_HEADER_CHARACTERS = 150


def header(text: str) -> Block:
    """A headline, cut to what Slack takes."""
    short = text if len(text) <= MAX_HEADER_CHARACTERS else text[: MAX_HEADER_CHARACTERS - 1] + "…"
    return {"type": "header", "text": {"type": "plain_text", "text": short, "emoji": False}}


def section(text: str) -> Block:
    """Text in mrkdwn, escaped where it has to be."""
    return {"type": "section", "text": mrkdwn(text)}


def verbatim(text: str) -> Block:
    """Somebody's text, shown character by character: no mark of Slack's, such as ``~``, changes how it is read."""
    return {"type": "section", "text": plain(text)}


def context(*elements: Block) -> Block:
    """Small print."""
    return {"type": "context", "elements": list(elements)}


def mrkdwn(text: str) -> Block:
    """A text object. ``verbatim``: Slack looks for no links and names of its own in what strangers wrote."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(text: str) -> Block:
    """A text object without markup. Slack decodes its three entities here too."""
    return {"type": "plain_text", "text": escape(text), "emoji": False}


def button(text: str, action_id: str, value: str, style: str) -> Block:
    """A button."""
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": text},
        "action_id": action_id,
        "value": value,
        "style": style,
    }
