"""``logs``: the log lines of the functions, with the filters of ``trace``."""

import contextlib
import time
from datetime import datetime, timedelta
from typing import Any

import click

from handlers.cli import output
from handlers.cli.options import Checked, Find, Recent
from lib.operations.log_search import LEVELS, LogLine, search
from lib.operations.trace import check_id, describe
from lib.platform import clock
from lib.platform.contract import ALL_ENTRY_POINTS
from lib.platform.errors import ConfigurationError
from lib.platform.log import scrub_json
from lib.platform.wording import counted

_POLL_SECONDS = 2.0
_OVERLAP = timedelta(seconds=30)
"""The overlap between two reads: CloudWatch Logs finds a line some seconds after it was written."""


@click.command()
@click.argument("identifier", type=Checked("id", check_id), required=False, metavar="[ID]")
@click.option(
    "--function",
    "entry_points",
    type=click.Choice(ALL_ENTRY_POINTS),
    multiple=True,
    metavar="NAME",
    help=f"Only this function: {', '.join(ALL_ENTRY_POINTS)}. Can be given more than once.",
)
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only lines of this level or above.")
@click.option("--since", type=Recent(), default="1h", show_default=True, help="Show the lines of the last 30m, 12h, 7d or 4w.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", default=200, show_default=True, help="Show at most this many, the newest."
)
@click.option("-f", "--follow", is_flag=True, help="Print new lines until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.pass_obj
def logs(
    find: Find,
    *,
    identifier: str | None,
    entry_points: tuple[str, ...],
    level: str | None,
    since: timedelta,
    limit: int,
    follow: bool,
    as_json: bool,
) -> int:
    """Show the functions' log lines, or those with an id.

    ID is any text in a line: an event id, issue key, session, draft hash, lease uuid or job id. Lines are in time order.
    """
    deployment = find()
    functions = deployment.functions
    if entry_points:
        functions = {name: deployment.function_name(name) for name in entry_points}
    if not functions:
        raise ConfigurationError(f"functions is missing from {deployment.source}")
    client, least = deployment.client("logs"), LEVELS.index(level.upper()) if level else 0

    def read(start: datetime) -> list[LogLine]:
        lines = (line for line in search(client, functions, identifier or "", start) if _level(line) >= least)
        return sorted(lines, key=lambda line: line.at)

    begin = clock.utc_now() - since
    with output.err().status("Reading"):
        lines = read(begin)
    for line in lines[-limit:]:
        _show(line, as_json)
    if not follow:
        if not as_json:
            shown = counted(min(len(lines), limit), "line")
            more = len(lines) > limit
            output.err().print(f"Showing the newest {shown}; use --limit for more." if more else f"{shown}.")
        return 0
    with contextlib.suppress(KeyboardInterrupt):
        _follow(read, lines, begin, as_json)
    return 0


def _follow(read: Any, shown: list[LogLine], begin: datetime, as_json: bool) -> None:
    """Print new lines forever. Remembers the ids of printed lines for as long as they can be read again."""
    seen = {line.event_id: line.at for line in shown}
    while True:
        time.sleep(_POLL_SECONDS)
        start = max(begin, max(seen.values(), default=begin) - _OVERLAP)
        seen = {event_id: at for event_id, at in seen.items() if at >= start}
        for line in read(start):
            if line.event_id not in seen:
                seen[line.event_id] = line.at
                _show(line, as_json)


def _level(line: LogLine) -> int:
    """The place of the line's level in LEVELS. Lambda's own lines without a level are information."""
    return LEVELS.index(line.level) if line.level in LEVELS else LEVELS.index("INFO")


def _show(line: LogLine, as_json: bool) -> None:
    if as_json:
        about = scrub_json(line.fields)
        output.print_json(
            {**about, "at": clock.phoenix(line.at), "function": line.function, "level": line.level, "message": line.message}
        )
    else:
        output.show_entry(clock.phoenix(line.at), line.level, line.function, describe(line.message, line.fields))
