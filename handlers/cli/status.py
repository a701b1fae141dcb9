"""``status``: what needs a person now, on one screen (lib/operations/status.py)."""

import time
from datetime import datetime
from typing import Any

import click

from handlers.cli import output
from handlers.cli.options import Find
from lib.operations.findings import Finding, Status, Verdict
from lib.operations.status import StatusReader
from lib.platform import clock
from lib.platform.wording import counted

_STYLES = {Verdict.OK: "green", Verdict.ATTENTION: "bold red", Verdict.UNKNOWN: "yellow"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--watch",
    "seconds",
    type=click.IntRange(2, 3600),
    is_flag=False,
    flag_value=30,
    metavar="[SECONDS]",
    help="Repeat every 30 seconds, or as often as given, until Ctrl-C.",
)
@click.pass_obj
def status(find: Find, *, as_json: bool, seconds: int | None) -> int:
    """Show on one screen what needs a person.

    Alarms that are on, dead letters, work queues, schedules, drafts, jobs, projects and health checks. Reads only. Exit code 1
    if something needs a person or can't be read.
    """
    reader = StatusReader(find())
    while True:
        if as_json or seconds:
            found = reader.read()
        else:
            with output.err().status("Reading"):
                found = reader.read()
        if seconds and not as_json:
            click.clear()
        if as_json:
            output.print_json(_as_json(found))
        else:
            _show(found)
        if not seconds:
            return 1 if found.needs_person else 0
        time.sleep(seconds)


def _show(found: Status) -> None:
    table, previous = output.table("part", "status", "detail"), ""
    for finding in found.findings:
        part = "" if finding.part == previous else finding.part
        previous = finding.part
        table.add_row(part, f"[{_STYLES[finding.verdict]}]{finding.verdict.value}[/]", output.plain(finding.text))
    output.show(table, f"Status at {clock.for_people(found.at)}")
    needed = [finding for finding in found.findings if finding.verdict is not Verdict.OK]
    if not needed:
        output.out().print("Nothing needs a person.")
        return
    output.out().print(f"{counted(len(needed), 'line')} to look at.")
    for command in dict.fromkeys(finding.command for finding in needed if finding.command.split()[-1:] not in ([], ["status"])):
        output.out().print(output.plain(f"  python -m handlers.cli {command}"))


def _as_json(found: Status) -> dict[str, Any]:
    return {
        "needs_person": found.needs_person,
        "at": clock.phoenix(found.at),
        "timezone": clock.TIMEZONE,
        "findings": [_finding_as_json(finding) for finding in found.findings],
    }


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    values = {name: clock.phoenix(value) if isinstance(value, datetime) else value for name, value in finding.values.items()}
    return {"part": finding.part, "status": finding.verdict.value, "text": finding.text, "command": finding.command, **values}
