"""docs/reference/messages.md: the message of every event type on every channel, as the channel's own code renders it.

``python -m tests.support.project.messages_page`` writes it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lib.leases.enrichment import Enrichment, Reason, Status
from lib.notifications.channels import slack, sns, teams
from lib.notifications.channels.govuk_notify import personalisation
from lib.notifications.message import Message
from lib.notifications.severity import severity_of
from lib.notifications.wording import WORDINGS
from tests.support.leases.event_samples import DETAILS
from tests.support.leases.messages import enriched, message
from tests.support.project.documentation import ROOT

PAGE = ROOT / "docs" / "reference" / "messages.md"

_INTRODUCTION = """\
# Messages

`python -m tests.support.project.messages_page` writes this page; a test fails when it is out of date.

The message of every event type, as each channel shows it. The values are those of a sample event and of its lease as
the lease is after the event. A value that is not known is left out. A record that was read before the lease changed is
not quoted: the status of the lease and its spending are then left out.

An event of any other type gets a message with its name and the plain values of its detail.
"""
_STATUSES = {"LeaseRequested": "PendingApproval", "LeaseTerminated": "Ejected", "BlueprintDeploymentSucceeded": "Active"}
_OWNERLESS = "not sent: the event names no owner"


def page() -> str:
    """The whole page."""
    sections = (
        ("E-mail and other subscribers of the topic (`sns`)", ("event", "subject", "text"), _by_sns),
        ("Slack (`slack`)", ("event", "message"), _by_slack),
        ("Microsoft Teams (`teams`)", ("event", "card"), _by_teams),
        ("E-mail to the owner of the lease (`govuk_notify`)", ("event", "title", "text"), _by_govuk_notify),
    )
    return _INTRODUCTION + _overview() + "".join(_section(*section) for section in sections)


def _overview() -> str:
    rows = [f"| `{name}` | {severity_of(name)} | {wording.title} | {wording.lead} |\n" for name, wording in WORDINGS.items()]
    return "\n## Overview\n\n| event | severity | title | what it says |\n| --- | --- | --- | --- |\n" + "".join(rows)


def sample(event_type: str) -> Message:
    """The message of the sample event of a type."""
    wording = WORDINGS[event_type]
    status = _STATUSES.get(event_type) or min(wording.statuses, default="Active")
    enrichment = enriched(status) if wording.of_lease else Enrichment(Status.SKIPPED, Reason.NO_KEY)
    return message(event_type, DETAILS[event_type], enrichment, "https://sandbox.example.org", "/leases/{uuid}")


def _section(title: str, columns: tuple[str, ...], cells_of: Callable[[Message], Iterable[str]]) -> str:
    rows = [columns, ("---",) * len(columns)]
    rows += [(f"`{event_type}`", *map(_cell, cells_of(sample(event_type)))) for event_type in WORDINGS]
    return f"\n## {title}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")


def _by_sns(composed: Message) -> Iterable[str]:
    return sns.subject(composed.title), composed.text


def _by_slack(composed: Message) -> Iterable[str]:
    return ("\n".join(_slack_lines(slack.render(composed).blocks)),)


def _slack_lines(blocks: Iterable[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        texts = [block["text"]] if "text" in block else block.get("fields") or block.get("elements") or []
        yield from (text["text"].replace("*\n", "* ") for text in texts)


def _by_teams(composed: Message) -> Iterable[str]:
    card = teams.render(composed)["attachments"][0]["content"]
    lines = [*_card_lines(card["body"]), *(f"[{action['title']}]({action['url']})" for action in card.get("actions", []))]
    return ("\n".join(lines),)


def _card_lines(elements: Iterable[dict[str, Any]]) -> Iterator[str]:
    for element in elements:
        if "items" in element:
            yield from _card_lines(element["items"])
        else:
            yield "".join(run["text"] for run in element["inlines"])


def _by_govuk_notify(composed: Message) -> Iterable[str]:
    if not composed.recipient:
        return _OWNERLESS, ""
    fields = personalisation(composed)
    return fields["title"], "\n\n".join(filter(None, (fields["text"], fields["link"])))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
