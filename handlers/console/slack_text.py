"""Slack's texts as safe HTML, for the templates that draw messages (handlers/console/messages.py).

Whatever a text holds, the result has no markup but the elements written here, and no link but to ``http``, ``https`` and
``slack``. What breaks Slack's rules is shown as text: the stand-in checks messages (stack/local/standins/slack_blocks.py).

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from typing import Any

from markupsafe import Markup, escape

_LINK_SCHEMES = ("https://", "http://", "slack://")

_EMOJI = {
    "large_blue_circle": "●",
    "large_yellow_circle": "●",
    "red_circle": "●",
    "warning": "⚠",
}
"""The emoji that Switchboard sends, as characters that every font has; the stylesheet gives them their colours."""

_TOKEN = re.compile(
    r"""
      ```(?P<pre>.+?)```
    | `(?P<code>[^`\n]+)`
    | <(?P<reference>[^<>\n]+)>
    | ^&gt;[ ]?(?P<quote>[^\n]*)$
    | (?<!\w)\*(?=\S)(?P<strong>[^*\n]+)(?<=\S)\*(?!\w)
    | (?<!\w)_(?=\S)(?P<em>[^_\n]+)(?<=\S)_(?!\w)
    | (?<!\w)~(?=\S)(?P<s>[^~\n]+)(?<=\S)~(?!\w)
    | :(?P<emoji>[a-z0-9_+-]+):
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)


def slack_text(given: Any) -> Markup:
    """A text object of Block Kit; empty if it is not one."""
    text = given.get("text") if isinstance(given, dict) else None
    if not isinstance(text, str):
        return Markup()
    return mrkdwn(text) if given.get("type") == "mrkdwn" else escape(_decoded(text))


def mrkdwn(text: str) -> Markup:
    """Text in Slack's markup. Line breaks stay line breaks: the stylesheet keeps them."""
    pieces: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        pieces += [_decoded(text[end : token.start()]), _element(token)]
        end = token.end()
    return Markup().join([*pieces, _decoded(text[end:])])


def safe_url(url: Any) -> str:
    """The URL if a page may link to it, else nothing."""
    return url if isinstance(url, str) and url.lower().startswith(_LINK_SCHEMES) else ""


def _element(token: re.Match[str]) -> Markup:
    kind, text = next((kind, text) for kind, text in token.groupdict().items() if text is not None)
    match kind:
        case "pre":
            return Markup("<pre>{}</pre>").format(_decoded(text.strip("\n")))
        case "code":
            return Markup("<code>{}</code>").format(_decoded(text))
        case "quote":
            return Markup('<span class="slack-quote">{}</span>').format(mrkdwn(text))
        case "emoji":
            return _emoji(text)
        case "reference":
            return _reference(text)
    return Markup("<{0}>{1}</{0}>").format(kind, mrkdwn(text))  # strong, em or s


def _reference(text: str) -> Markup:
    """What is written between ``<`` and ``>``: a link, or the mention of somebody."""
    target, _, label = (_decoded(part) for part in text.partition("|"))
    if target.startswith(("@", "#", "!")):
        return Markup('<span class="slack-mention">{}</span>').format(_mention(target, label))
    if safe_url(target):
        return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(target, label or target)
    return escape(f"{label} ({target})" if label else target)


def _mention(target: str, label: str) -> str:
    """``@U0ADA``, ``#C0LEASES|leases``, ``!here``, ``!subteam^S0OPS`` and ``!date^…|fallback``, as people read them."""
    sign = "#" if target.startswith("#") else "@"
    if not label:
        return sign + target[1:].removeprefix("subteam^")
    return label if target.startswith("!") else sign + label.removeprefix(sign)


def _emoji(name: str) -> Markup:
    character = _EMOJI.get(name)
    if character is None:
        return escape(f":{name}:")
    return Markup('<span class="slack-emoji slack-{0}" role="img" aria-label="{0}">{1}</span>').format(name, character)


def _decoded(text: str) -> str:
    """Slack's three entities as the characters that they mean."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
