"""Messages of Slack, Teams and GOV.UK Notify as HTML: what people see, without any markup from a text."""

from typing import Any

import pytest

from handlers.console.slack_text import mrkdwn
from lib.notifications.severity import Severity
from lib.slack import blocks
from tests.support.browser.message_pages import draw
from tests.support.browser.messages import CARD, DRAFT, MAIL, MESSAGE, NOTIFICATION, PREVIEW


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*bold* _italic_ ~gone~", "<strong>bold</strong> <em>italic</em> <s>gone</s>"),
        ("*bold _and italic_*", "<strong>bold <em>and italic</em></strong>"),
        ("snake_case_name, 2*3*4 and * a *", "snake_case_name, 2*3*4 and * a *"),
        ("*two\nlines*", "*two\nlines*"),
        ("`a *b* &lt;c&gt;`", "<code>a *b* &lt;c&gt;</code>"),
        ("```\nx = 1\n<y>\n```", "<pre>x = 1\n&lt;y&gt;</pre>"),
        ("&gt; said *so*\nnext", '<span class="slack-quote">said <strong>so</strong></span>\nnext'),
        ("a &amp;lt; b &lt;i&gt;", "a &amp;lt; b &lt;i&gt;"),
        ("<i>", "i"),
        (":tada: at 10:30:15", ":tada: at 10:30:15"),
        (":warning:", '<span class="slack-emoji slack-warning" role="img" aria-label="warning">⚠</span>'),
    ],
)
def test_markup_is_shown_as_slack_shows_it(text: str, shown: str) -> None:
    assert mrkdwn(text) == shown


@pytest.mark.parametrize(
    ("text", "url", "label"),
    [
        ("<https://a.example/?x=1&amp;y=2|see *this*>", "https://a.example/?x=1&amp;y=2", "see *this*"),
        ("<http://a.example>", "http://a.example", "http://a.example"),
        ("<slack://channel?id=C1|channel>", "slack://channel?id=C1", "channel"),
        ('<https://a.example/"onclick="x|&lt;b&gt;>', "https://a.example/&#34;onclick=&#34;x", "&lt;b&gt;"),
    ],
)
def test_a_link_leads_to_its_url(text: str, url: str, label: str) -> None:
    assert mrkdwn(text) == f'<a href="{url}" rel="noopener noreferrer">{label}</a>'


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//a.example", "JaVaScript:x", " https://a.example"]
)
def test_a_link_of_another_scheme_is_text(url: str) -> None:
    assert mrkdwn(f"<{url}|click>") == f"click ({url})"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<@U0ADA>", "@U0ADA"),
        ("<@U0ADA|Ada>", "@Ada"),
        ("<#C0LEASES|leases>", "#leases"),
        ("<!here>", "@here"),
        ("<!subteam^S0OPS>", "@S0OPS"),
        ("<!subteam^S0OPS|@ops>", "@ops"),
        ("<!date^1392734382^{date}|18 Feb 2014>", "18 Feb 2014"),
    ],
)
def test_a_mention_is_shown_by_its_name(text: str, name: str) -> None:
    assert mrkdwn(text) == f'<span class="slack-mention">{name}</span>'


def test_a_notification_shows_every_fact() -> None:
    html = draw("slack", NOTIFICATION)

    assert f'<h3 class="slack-header">{MESSAGE.title}</h3>' in html
    for label, value in MESSAGE.facts:
        assert f"<strong>{label}</strong>\n{value}" in html
    assert "slack-unknown" not in html


@pytest.mark.parametrize("severity", Severity)
def test_a_severity_has_its_colour(severity: Severity) -> None:
    from lib.notifications.channels.slack import _SEVERITIES

    assert '<span class="slack-emoji slack-' in mrkdwn(_SEVERITIES[severity])


def test_a_preview_shows_the_draft_character_by_character() -> None:
    html = draw("slack", PREVIEW)

    assert "<p>Refuse &lt;b&gt;uploads&lt;/b&gt; over 1 GB &amp; count *them*</p>" in html
    assert f"<p>{DRAFT.problem}</p>" in html
    assert html.count("disabled") == 4  # two inputs and two buttons, since nothing receives them
    assert "slack-unknown" not in html


def test_the_buttons_of_a_preview_work_where_a_page_receives_them() -> None:
    html = draw("clickable", PREVIEW)

    assert html.count("disabled") == 1  # the button that Enter in a text field would click
    assert 'class="slack-button slack-primary" type="submit" name="approve_draft" value="sess-1:' in html
    assert '<form method="post" action="/clicks">' in html
    assert '<input type="hidden" name="csrf_token" value="token">' in html
    assert '<select name="reject_reason">' in html
    assert '<input type="text" name="reject_words" maxlength="500">' in html


def test_a_message_without_blocks_shows_its_text() -> None:
    assert '<p class="slack-section"><strong>done</strong></p>' in draw("slack", {"text": "*done*", "blocks": []})


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"blocks": [{"type": "rich_text", "elements": ["<script>"]}]}, "rich_text"),
        ({"blocks": ["text"]}, "unknown"),
        ({"blocks": [{"type": "actions", "elements": [{"type": "datepicker"}]}]}, "datepicker"),
        ({"blocks": [{"type": "input"}]}, "unknown"),
        ({"blocks": [{"type": "context", "elements": [{"type": "image", "image_url": "https://a.example"}]}]}, "image"),
        ({"text": "t", "attachments": [{"color": "#f00", "text": "x"}]}, "attachment"),
    ],
)
def test_what_is_not_drawn_is_shown_as_a_labelled_box(message: Any, kind: str) -> None:
    html = draw("slack", message)

    assert f'<figure class="slack-unknown"><figcaption>{kind}, which is not drawn here</figcaption><pre>' in html
    assert "<script>" not in html
    assert "<img" not in html


def test_other_blocks_of_slack_are_drawn() -> None:
    link = {"type": "button", "text": blocks.plain("Open"), "url": "https://a.example"}
    section = {**blocks.section("text"), "accessory": link}
    html = draw(
        "slack", {"blocks": [{"type": "divider"}, section, {"type": "actions", "elements": [{**link, "url": "javascript:x"}]}]}
    )

    assert '<hr class="slack-divider">' in html
    assert '<a class="slack-button" href="https://a.example" rel="noopener noreferrer">Open</a>' in html
    assert "javascript" not in html


def test_a_card_shows_every_fact_with_its_severity() -> None:
    html = draw("teams", CARD)

    assert 'class="teams-container teams-warning"' in html
    for label, value in MESSAGE.facts:
        assert f'{label}: </span><span class="">{value}</span>' in html
    assert f'<a class="teams-button" href="{MESSAGE.link}" rel="noopener noreferrer">{MESSAGE.link_words}</a>' in html
    assert "teams-unknown" not in html


def test_what_a_card_should_not_have_is_shown_as_a_labelled_box() -> None:
    html = draw("teams", {"body": [{"type": "Image"}], "actions": [{"type": "Action.OpenUrl", "url": "javascript:x"}]})

    assert html.count("which is not drawn here") == 2
    assert "href" not in html


def test_a_mail_shows_its_title_text_and_link() -> None:
    html = draw("mail", {**MAIL, "text": MAIL["text"] + "<script>"})

    assert f"<h3>{MAIL['title']}</h3>" in html
    assert "&lt;script&gt;" in html
    assert f'<a href="{MAIL["link"]}"' in html
    assert "href" not in draw("mail", {**MAIL, "link": "javascript:x"})
