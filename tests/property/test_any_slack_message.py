"""Whatever a stored message holds, its picture is harmless HTML."""

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.console.slack_text import mrkdwn
from tests.support.browser.message_pages import draw

TAGS = {
    *("article", "p", "div", "span", "b", "time", "h3", "hr", "figure", "figcaption", "pre", "code", "strong", "em", "s", "a"),
    *("button", "label", "small", "select", "option", "input", "form"),
}
SCHEMES = ("https://", "http://", "slack://")
TEXTS = st.text(st.sampled_from("a<>&|@#!*_~`:\n \"'=/;lgtamp"), max_size=60) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "<javascript:x|y>",
        '*<https://a.example/"onclick=|b>*',
        "<|>",
        "<|x>",
        "&amp;lt;script&amp;gt;",
    ]
)
NAMES = st.sampled_from(
    [
        *(
            "type",
            "text",
            "elements",
            "fields",
            "url",
            "value",
            "style",
            "block_id",
            "label",
            "element",
            "options",
            "accessory",
        ),
        *("confirm", "title", "items", "body", "actions", "inlines", "placeholder", "action_id", "size", "weight"),
    ]
)
KINDS = st.sampled_from(
    [
        *("header", "section", "context", "divider", "actions", "input", "button", "static_select", "plain_text_input"),
        *("mrkdwn", "plain_text", "Container", "RichTextBlock", "TextBlock", "Action.OpenUrl", "rich_text"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | TEXTS | KINDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(lambda kind, more: {**more, "type": kind}, KINDS, st.dictionaries(NAMES, inner, max_size=5))
    ),
    max_leaves=25,
)
MESSAGES = st.fixed_dictionaries(
    {}, optional={"text": VALUES, "blocks": VALUES, "attachments": VALUES, "body": VALUES, "actions": VALUES}
)


class Page(HTMLParser):
    """Checks each element, and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in {"style", "src", "srcdoc", "formaction"}
            assert name != "href" or (value or "").lower().startswith(SCHEMES)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(MESSAGES, st.sampled_from(["slack", "clickable", "teams"]))
def test_any_message_is_drawn_without_foreign_markup(message: dict[str, Any], part: str) -> None:
    Page().feed(draw(part, message))


@given(TEXTS)
def test_any_markup_keeps_its_words(text: str) -> None:
    page = Page()
    page.feed(str(mrkdwn(text)))
    page.close()
    plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    letters = set("algtmp")
    assert [each for each in page.text if each in letters] == [each for each in plain if each in letters] or "<" in text


@pytest.mark.parametrize("mark", ["*a", "_a ", "`", "<a", "```a", "~", ":a", "&gt;*", "*_~"])
def test_a_long_text_takes_no_longer_than_its_length(mark: str) -> None:
    """40,000 characters are the most that Slack takes; a regular expression that backtracks would take minutes."""
    assert mrkdwn(mark * (40_000 // len(mark)))
