"""The message of a lease event as Slack showed it, drawn again from the line that the notification function logged. Pure."""

from collections.abc import Mapping
from typing import Any

from lib.notifications.channels import slack
from lib.notifications.message import Message, OwnerText, wording_of
from lib.notifications.routing import Attributes
from lib.notifications.severity import Severity, severity_of
from lib.platform import clock
from lib.slack.blocks import SlackMessage


def message_from_log(fields: Mapping[str, Any]) -> SlackMessage | None:
    """The message in Block Kit; None if the line has none.

    It differs from what was posted: addresses are hashed, and a comment, the mention of a route and the link are not logged.

    Args:
        fields: of a line ``lease_event`` or ``event_dropped``.
    """
    title, facts = fields.get("title"), fields.get("facts")
    if not isinstance(title, str) or not isinstance(facts, list):
        return None
    event_type = str(fields.get("detail_type") or "")
    severity = fields.get("severity")
    known = Severity(severity) if severity in list(Severity) else severity_of(event_type)
    event_id = str(fields.get("event_id") or "")
    message = Message(
        event_id=event_id,
        event_type=event_type,
        title=title,
        lead=wording_of(event_type, {}).lead,
        facts=tuple((str(fact[0]), str(fact[1])) for fact in facts if isinstance(fact, list) and len(fact) == 2),
        footer=", ".join(filter(None, (event_type, _time(fields.get("event_time")), f"event {event_id}"))),
        link="",
        link_words="",
        text=title,
        about=Attributes(event_type=event_type, severity=known),
        enriched=False,
        to_owner=OwnerText("", "", ()),
        recipient="",
        structured={},
    )
    return slack.render(message)


def _time(stored: object) -> str:
    try:
        return clock.for_people(clock.parse(str(stored)))
    except ValueError:
        return ""
