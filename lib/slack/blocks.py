"""Messages in Block Kit (https://docs.slack.dev/reference/block-kit/blocks). Nothing here does input or output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib.slack.text import clip, escape

Block = dict[str, Any]

# Block Kit's own limits.
MAX_HEADER_CHARACTERS = 150
MAX_FIELD_CHARACTERS = 2000
MAX_SECTION_CHARACTERS = 3000
MAX_FIELDS = 10


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """A message to send. ``text`` is what phone notifications and screen readers show."""

    text: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Posted:
    """A posted message, as Slack identifies it. ``channel`` is an ID even if the message was posted to a channel's name."""

    channel: str
    ts: str


def header(text: str) -> Block:
    """A headline, cut to Slack's limit."""
    return {"type": "header", "text": {"type": "plain_text", "text": clip(text, MAX_HEADER_CHARACTERS), "emoji": False}}


def section(text: str) -> Block:
    """Text in mrkdwn, which the caller has escaped where needed."""
    return {"type": "section", "text": mrkdwn(text)}


def fields(*elements: Block) -> list[Block]:
    """Text objects in two columns, in as many sections as Slack's limit requires."""
    return [{"type": "section", "fields": list(elements[n : n + MAX_FIELDS])} for n in range(0, len(elements), MAX_FIELDS)]


def verbatim(text: str) -> Block:
    """Text from a person, shown character by character: Slack's formatting marks, such as ``~``, have no effect."""
    return {"type": "section", "text": plain(text)}


def context(*elements: Block) -> Block:
    """Small print."""
    return {"type": "context", "elements": list(elements)}


def mrkdwn(text: str) -> Block:
    """A text object. ``verbatim`` stops Slack from turning names and URLs in it into mentions and links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(text: str) -> Block:
    """A text object without markup. Slack decodes its three entities here too."""
    return {"type": "plain_text", "text": escape(text), "emoji": False}


def menu(label: str, name: str, options: Mapping[str, str]) -> Block:
    """An input that may stay empty: one of ``options``, texts by their values. It sends nothing by itself."""
    choices = [{"text": {"type": "plain_text", "text": text}, "value": value} for value, text in options.items()]
    return _input(label, name, {"type": "static_select", "options": choices})


def words(label: str, name: str, most: int) -> Block:
    """An input that may stay empty: one line of at most ``most`` characters. It sends nothing by itself."""
    return _input(label, name, {"type": "plain_text_input", "max_length": most})


def _input(label: str, name: str, element: Block) -> Block:
    text = {"type": "plain_text", "text": label}
    return {"type": "input", "block_id": name, "optional": True, "label": text, "element": {**element, "action_id": name}}


def button(text: str, action_id: str, value: str, style: str) -> Block:
    """A button."""
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": text},
        "action_id": action_id,
        "value": value,
        "style": style,
    }
