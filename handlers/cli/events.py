"""``events``: what arrived, with its outcome, from the functions' log lines (lib/operations/events.py)."""

from collections.abc import Callable, Iterator
from datetime import datetime

import click

from handlers.cli import output
from handlers.cli.options import Find, Moment, json_option, limit_option, refuse_reversed
from lib.operations.arrivals import Event, Outcome
from lib.operations.events import EventReader, Filters, Page
from lib.operations.flows import Flow
from lib.platform import clock


@click.command()
@click.option("--flow", type=click.Choice([flow.value for flow in Flow]), help="Only events of this flow.")
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]), help="Only events that ended like this.")
@click.option(
    "--type", "kind", default="", metavar="TEXT", help="Only events whose type contains TEXT: LeaseApproved, push, draft."
)
@click.option(
    "--text", default="", metavar="TEXT", help="Only events with TEXT in their id, what they are about, or log lines."
)
@click.option("--since", default="24h", show_default=True, type=Moment(), help="Only events after this: an age or a time.")
@click.option("--until", type=Moment(), help="Only events before this: an age or a time.")
@limit_option
@json_option
@click.pass_obj
def events(
    find: Find,
    *,
    flow: str | None,
    outcome: str | None,
    kind: str,
    text: str,
    since: datetime,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> int:
    """Show what arrived, with its outcome, the newest first.

    Lease events, deliveries of Jira and Git hosts, drafts, clicks and jobs; refused and ignored ones too. An age is 30m,
    12h, 7d or 4w. A time without an offset is in Phoenix: 2026-01-22T13:00.
    """
    refuse_reversed(since, until)
    deployment = find()
    filters = Filters(flow=Flow(flow) if flow else None, outcome=Outcome(outcome) if outcome else None, type=kind, text=text)
    reader = EventReader(deployment.client("logs"), deployment.functions)
    problems: dict[str, None] = {}
    output.show_list(
        _read(lambda end: reader.page(filters, since, end, limit), until or clock.utc_now(), problems),
        "event",
        ("time", "flow", "type", "about", "outcome", "result", "reason", "ms", "id"),
        _cells,
        Event.to_json,
        as_json=as_json,
        limit=limit,
    )
    for problem in problems:
        output.err().print(output.plain(f"Incomplete: {problem}"))
    return 1 if problems else 0


def _read(read: Callable[[datetime], Page], until: datetime | None, problems: dict[str, None]) -> Iterator[Event]:
    """Events page by page. Sentences on what can't be read are added to ``problems``."""
    while until is not None:
        with output.err().status("Reading"):
            page = read(until)
        problems.update(dict.fromkeys(page.problems))
        yield from page.events
        until = page.until


def _cells(event: Event) -> tuple[object, ...]:
    took = "" if event.duration_ms is None else f"{event.duration_ms:,.0f}"
    at = clock.phoenix(event.at)[:19].replace("T", " ")
    return (at, event.flow, event.type, event.about, event.outcome, event.result, event.reason, took, event.id)
