"""docs/reference/messages.md shows the messages that the channels send today."""

from lib.leases.events import EventType
from tests.support.project.messages_page import PAGE, page


def test_the_page_is_current() -> None:
    """``python -m tests.support.project.messages_page`` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_has_every_event_type_on_every_channel_and_in_the_overview() -> None:
    text = page()
    assert {event_type: text.count(f"| `{event_type}` |") for event_type in EventType} == dict.fromkeys(EventType, 5)
