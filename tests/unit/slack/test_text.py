"""Text that is sent to Slack can neither mention anybody nor disguise a link."""

from lib.slack.text import escape


def test_nothing_in_a_text_is_a_link_or_a_mention() -> None:
    assert escape("<!channel> a&b <https://example.com|ok>") == "&lt;!channel&gt; a&amp;b &lt;https://example.com|ok&gt;"
