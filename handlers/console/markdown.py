"""Renders the pages of docs/ as HTML, with this deployment's names filled into their commands.

HTML in a page is shown, not used. Links to other pages of docs/ stay in the console, and images become their text: the console
has no assets but its own.
"""

import itertools
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)\}?")
_PAGE = re.compile(r"(?P<path>[\w./-]+)\.md(?P<anchor>#[\w-]+)?")


def anchor_of(heading: str) -> str:
    """What a link names a heading, as GitHub does: lower case, no punctuation, blanks as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def render(text: str, page: str, names: Mapping[str, str], url_of: Callable[[str], str]) -> Markup:
    """The HTML of a page.

    Args:
        text: the Markdown.
        page: its path below docs/, without ``.md``.
        names: values of the variables in its commands; others stay as they are.
        url_of: the URL of a page of docs/ by its path without ``.md``.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    seen: list[str] = []
    for heading, title in itertools.pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", _unique(anchor_of(_text_of(title)), seen))
    for token in _flat(tokens):
        if token.type == "fence":
            token.content, token.info = _filled(token.content, names), ""
        elif token.type == "code_inline":
            token.content = _filled(token.content, names)
        elif token.type == "link_open":
            token.attrSet("href", _target(str(token.attrGet("href") or ""), page, url_of))
        elif token.type == "table_open":
            token.attrSet("tabindex", "0")  # it scrolls on a phone: also with the keyboard
        elif token.type == "image":
            token.type, token.tag, token.content = "text", "", f"({token.content})"
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - markdown-it escapes, and html is off


def _flat(tokens: Sequence[Token]) -> list[Token]:
    return [each for token in tokens for each in (token, *(token.children or ()))]


def _text_of(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())


def _unique(name: str, seen: list[str]) -> str:
    seen.append(name)
    return f"{name}-{seen.count(name) - 1}" if seen.count(name) > 1 else name


def _filled(command: str, names: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: names.get(match[1], match[0]), command)


def _target(href: str, page: str, url_of: Callable[[str], Any]) -> str:
    """Where a link of ``page`` leads in the console; empty if it is neither a page of docs/ nor on the web."""
    if href.startswith(("https://", "#")):
        return href
    found = _PAGE.fullmatch(href)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), found["path"])) if found else ".."
    return "" if path.startswith("..") or not found else f"{url_of(path)}{found['anchor'] or ''}"
