"""``leases``: what Switchboard did with leases, from the log of the notification function (lib/operations/leases.py)."""

from collections.abc import Iterable
from datetime import datetime

import click

from handlers.cli import output
from handlers.cli.options import Checked, Find, Moment, json_option, limit_option, refuse_reversed
from lib.operations.deployed import Deployment
from lib.operations.leases import Lease, LeaseReader, Notification, Schema
from lib.operations.trace import check_id
from lib.platform import clock

since_option = click.option(
    "--since", default="24h", show_default=True, type=Moment(), help="Only events after this: an age or a time."
)
until_option = click.option("--until", type=Moment(), help="Only events before this: an age or a time.")
_SCHEMA = (
    "fingerprint",
    "lease status",
    "fields",
    "leases",
    "first seen",
    "last seen",
    "unknown",
    "missing",
    "of another type",
)


@click.group()
def leases() -> None:
    """Show what was done with leases: list, show, schemas."""


@leases.command(name="list")
@since_option
@until_option
@limit_option
@json_option
@click.pass_obj
def list_leases(find: Find, *, since: datetime, until: datetime | None, limit: int, as_json: bool) -> int:
    """List the leases of the latest events, each with its last event."""
    refuse_reversed(since, until)
    with output.err().status("Reading"):
        found = _reader(find()).recent(since, until or clock.utc_now())
    columns = ("lease", "last event", "type", "outcome", "result", "enrichment", "status", "events")
    output.show_list(found.leases, "lease", columns, _lease_cells, Lease.to_json, as_json=as_json, limit=limit)
    if found.until is not None:
        output.err().print(
            f"Read back to {clock.phoenix(found.until)}; to continue, pass --until {clock.canonical(found.until)}."
        )
    return _exit_code(found.problems)


@leases.command()
@since_option
@until_option
@limit_option
@json_option
@click.pass_obj
def schemas(find: Find, *, since: datetime, until: datetime | None, limit: int, as_json: bool) -> int:
    """List the schemas of the records that were read, and what differs from the known ones."""
    refuse_reversed(since, until)
    with output.err().status("Reading"):
        found = _reader(find()).recent(since, until or clock.utc_now())
    output.show_list(found.schemas, "schema", _SCHEMA, _schema_cells, Schema.to_json, as_json=as_json, limit=limit)
    return _exit_code(found.problems)


@leases.command()
@click.argument("uuid", type=Checked("uuid", check_id))
@since_option
@json_option
@click.pass_obj
def show(find: Find, *, uuid: str, since: datetime, as_json: bool) -> int:
    """Show one lease: its notifications, and the schemas that its record had over time."""
    with output.err().status("Reading"):
        lease, problems = _reader(find()).lease(uuid, since, clock.utc_now())
    if as_json:
        output.print_json(lease.to_json())
        return _exit_code(problems)
    output.show_details(f"Lease {lease.uuid}", (("owner", lease.owner), ("status", lease.status)))
    columns = ("time", "type", "outcome", "result", "enrichment", "event")
    output.show_list(
        lease.notifications, "event", columns, _notification_cells, Notification.to_json, as_json=False, title="Notifications"
    )
    output.show_list(lease.schemas, "schema", _SCHEMA, _schema_cells, Schema.to_json, as_json=False, title="Schemas")
    return _exit_code(problems)


def _reader(deployment: Deployment) -> LeaseReader:
    return LeaseReader(deployment.client("logs"), deployment.functions)


def _lease_cells(lease: Lease) -> tuple[object, ...]:
    last = lease.notifications[0]
    event = last.event
    number = len(lease.notifications)
    return (lease.uuid, _time(event.at), event.type, event.outcome, event.result, last.enrichment, lease.status, number)


def _notification_cells(each: Notification) -> tuple[object, ...]:
    event = each.event
    return (_time(event.at), event.type, event.outcome, event.result, each.enrichment, event.id)


def _schema_cells(schema: Schema) -> tuple[object, ...]:
    differs = (", ".join(names) for names in (schema.unknown, schema.missing, schema.mistyped))
    times = (_time(schema.first_at), _time(schema.last_at))
    return (schema.fingerprint[:12], schema.lease_status, schema.field_count, schema.leases, *times, *differs)


def _time(moment: datetime) -> str:
    return clock.phoenix(moment)[:19].replace("T", " ")


def _exit_code(problems: Iterable[str]) -> int:
    """Print what could not be read; 1 if there is anything."""
    found = list(problems)
    for problem in found:
        output.err().print(output.plain(f"Incomplete: {problem}"))
    return 1 if found else 0
