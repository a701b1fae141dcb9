"""``routes``: where an event would be sent, by the deployed rules or by rules that are not deployed yet."""

import json
from pathlib import Path
from typing import IO, Any

import click

from handlers.cli import output
from handlers.cli.options import Find
from lib.leases.events import read_event
from lib.notifications.routing import RulesError, check_channels, parse_rules
from lib.operations.routes import Preview, preview
from lib.platform import errors
from lib.platform.environment.notification import NotificationEnvironment


@click.group()
def routes() -> None:
    """Show where an event would be sent."""


@routes.command()
@click.argument("event_file", type=click.File("rb"), metavar="EVENT.json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--rules",
    "rules_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON file with rules to use instead of the deployed ones.",
)
@click.pass_obj
def test(find: Find, event_file: IO[bytes], rules_file: Path | None, *, as_json: bool) -> int:
    """Show where the event of a file would be sent. Nothing is sent.

    EVENT.json is an event as EventBridge delivers it, with detail-type and detail; - is standard input. Its lease is read,
    since rules may name a lease template.
    """
    event = read_event(_read(event_file))
    deployment = find()
    environment = deployment.environment("notification", NotificationEnvironment)
    try:
        rules = parse_rules(rules_file.read_text(encoding="utf-8") if rules_file else environment.notify_routes)
        check_channels(rules, environment.notify_channels)
    except RulesError as error:
        raise errors.InvalidInputError(f"{rules_file or 'notifyRoutes'} {error}") from None
    found = preview(event, environment, rules, deployment.client("dynamodb"))
    if as_json:
        output.print_json(_as_json(found))
    else:
        _show(found)
    return 0


def _read(event_file: IO[bytes]) -> Any:
    try:
        return json.loads(event_file.read())
    except (ValueError, RecursionError):
        raise errors.InvalidInputError(f"{event_file.name} is not JSON") from None


def _as_json(found: Preview) -> dict[str, Any]:
    about = found.about
    return {
        "event_type": about.event_type,
        "severity": str(about.severity),
        "template": about.template or None,
        "account": about.account or None,
        "owner_domain": about.owner_domain or None,
        "lease": found.lease,
        "rule": found.route.rule,
        "channels": found.destinations,
    }


def _show(found: Preview) -> None:
    about, rule = found.about, found.route.rule
    details = [
        ("Event type", about.event_type),
        ("Severity", about.severity),
        ("Lease", found.lease),
        ("Template", about.template),
        ("Account", about.account),
        ("Owner's domain", about.owner_domain),
        ("Rule", "none matches: every channel" if rule is None else f"{rule}" if found.destinations else f"{rule}: dropped"),
        *found.destinations.items(),
    ]
    output.show_details("Route", [(name, value) for name, value in details if value])
