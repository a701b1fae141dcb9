"""``trace``: everything that is known about one id, in time order (lib/operations/trace.py)."""

from datetime import timedelta

import click

from handlers.cli import output
from handlers.cli.options import Checked, Find, Recent, json_option
from lib.operations.findings import duration
from lib.operations.trace import Tracer, check_id
from lib.platform import clock
from lib.platform.wording import counted


@click.command()
@click.argument("identifier", type=Checked("id", check_id), metavar="ID")
@click.option(
    "--since", type=Recent(), default="7d", show_default=True, help="Read the log lines of the last 30m, 12h, 7d or 4w."
)
@click.option("--owner", default="", metavar="EMAIL", help="Read the record of this person's lease too: ID is its uuid.")
@json_option
@click.pass_obj
def trace(find: Find, identifier: str, since: timedelta, owner: str, as_json: bool) -> int:
    """Show everything that is known about an id, in time order.

    ID is an event id, issue key, session, draft hash, lease uuid, job id or commit. Rows, decisions, claims, log lines and dead
    letters. Exit code 1 if nothing is known, or something can't be read.
    """
    deployment = find()
    with output.err().status("Reading"):
        found = Tracer(deployment).trace(identifier, clock.utc_now() - since, owner)
    for entry in found.entries:
        at = clock.phoenix(entry.at) if clock.epoch_ms(entry.at) else None
        if as_json:
            output.print_json({"at": at, "source": entry.source, "level": entry.level, "text": entry.text})
        else:
            output.show_entry(at or "no time", entry.level, entry.source, entry.text)
    for problem in found.problems:
        output.err().print(output.plain(f"Incomplete: {problem}"))
    if not found.entries:
        output.err().print(f"Nothing is known about {identifier} in the last {duration(since)}.")
    elif not as_json:
        output.err().print(f"{counted(len(found.entries), 'entry')}.")
    return 1 if found.problems or not found.entries else 0
