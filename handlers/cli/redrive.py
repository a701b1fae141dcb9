"""``redrive``: shows dead letters, sends them back to where they failed, or drops them (lib/operations/redrive.py)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from handlers.cli import output
from handlers.cli.options import Find, confirm, yes_option
from lib.operations import redrive as letters
from lib.operations.dead_letters import HOLD_SECONDS
from lib.operations.redrive import Held
from lib.platform import clock, errors
from lib.platform.contract import ALL_ENTRY_POINTS
from lib.platform.log import scrub
from lib.platform.wording import counted

_SHOWN_CHARACTERS = 200
"""Characters of a payload in the table."""


class _Filter(click.ParamType[tuple[str, str]]):
    """``reason=throttled``: a field and a text that it contains."""

    name = "filter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read it."""
        field, equals, text = str(value).partition("=")
        if field not in letters.FIELDS or not equals or not text:
            self.fail(f"{str(value)[:40]!a} is not a filter: write reason=TEXT, or one of {_FIELDS}.", param, ctx)
        return field, text


_FIELDS = ", ".join(f"{field}=" for field in letters.FIELDS[1:])


@click.command()
@click.option(
    "--function",
    "entry_point",
    type=click.Choice(ALL_ENTRY_POINTS),
    metavar="NAME",
    help=f"Only the dead letters of this function, by default of all: {', '.join(ALL_ENTRY_POINTS)}.",
)
@click.option("--id", "letter_id", metavar="ID", help="Only the dead letter with this id.")
@click.option(
    "--where",
    "filters",
    type=_Filter(),
    multiple=True,
    metavar="FIELD=TEXT",
    help=f"Only dead letters with TEXT in FIELD: {', '.join(letters.FIELDS)}. All filters must match.",
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), metavar="N", default=100, show_default=True, help="Read at most this many."
)
@click.option("--dry-run", is_flag=True, help="Show the dead letters, and send none back.")
@click.option("--show", is_flag=True, help="Show each dead letter with its whole payload, and send none back.")
@click.option("--drop", is_flag=True, help="Write the dead letters to a file and delete them. Asks twice.")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of --drop, which must not exist; by default dropped-<time>.jsonl here.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each dead letter as JSON, one object per line.")
@yes_option
@click.pass_obj
def redrive(
    find: Find,
    *,
    entry_point: str | None,
    letter_id: str | None,
    filters: tuple[tuple[str, str], ...],
    limit: int,
    dry_run: bool,
    show: bool,
    drop: bool,
    file: Path | None,
    as_json: bool,
    yes: bool,
) -> int:
    """Show dead letters, and send them back to their function, or drop them.

    Events go to the function again, messages to its queue. A dead letter is deleted only after it was accepted. Exit code 1
    if one could not be sent back.
    """
    if drop and (dry_run or show or yes):
        raise click.UsageError("--drop always asks: it can't be combined with --dry-run, --show or --yes.")
    if file and not drop:
        raise click.UsageError("--file is for --drop.")
    deployment = find()
    held: list[Held] = []
    try:
        with output.err().status("Reading"):
            letters.read_all(letters.open_queues(deployment, deployment.some_dead_letter_queues(entry_point)), limit, held)
            was_full = len(held) == limit
            held[:], problem = letters.explained(held, deployment)
        if problem:
            output.err().print(output.plain(problem))
        chosen = [each for each in held if _is_chosen(each, letter_id, filters)]
        if letter_id is not None and not chosen:
            raise errors.NotFoundError(f"there is no dead letter {letter_id[:100]!a} among the {len(held)} that were read")
        if not chosen:
            if not as_json:
                _say_none(entry_point, bool(held))
            return 0
        letters.release(each for each in held if each not in chosen)
        held[:] = chosen
        if not as_json:
            _show(chosen, entry_point, whole=show)
        if was_full:
            output.err().print(
                f"Showing {counted(limit, 'dead letter')}. There may be more: use --limit, or run the command again."
            )
        if dry_run or show:
            return _leave(chosen, letters.selection(entry_point, letter_id, filters), as_json=as_json)
        if drop:
            return _drop(chosen, held, file, as_json=as_json)
        if not yes:
            confirm(f"Send {counted(len(chosen), 'dead letter')} back? Answer within {HOLD_SECONDS // 60} minutes.")
        return _act(held, letters.send_back, "sent back", as_json=as_json)
    finally:
        letters.release(held)


def _is_chosen(each: Held, letter_id: str | None, filters: Sequence[tuple[str, str]]) -> bool:
    if letter_id is not None and each.letter.message_id != letter_id:
        return False
    return all(each.matches({field: text}) for field, text in filters)


def _say_none(entry_point: str | None, some_were_read: bool) -> None:
    if some_were_read:
        output.out().print("No dead letter matches.")
    else:
        output.out().print(f"{entry_point} has no dead letters." if entry_point else "There are no dead letters.")


def _show(chosen: Sequence[Held], entry_point: str | None, *, whole: bool) -> None:
    title = f"Dead letters of {entry_point}" if entry_point else "Dead letters"
    if whole:
        for each in chosen:
            output.show_details(each.letter.message_id, _details(each))
            for line in each.payload.splitlines():
                output.out().print(output.plain(line))
        return
    table = output.table("id", "sent", "queue", "reason", "goes to", "payload")
    for each in chosen:
        text = scrub(each.letter.payload)
        table.add_row(
            each.letter.message_id,
            clock.phoenix(each.letter.sent_at),
            each.queue.name,
            output.plain(_reason(each)),
            _goes_to(each),
            # Scrubbed before it is cut: half an e-mail address is personal too.
            output.plain(text[:_SHOWN_CHARACTERS] + ("…" if len(text) > _SHOWN_CHARACTERS else "")),
        )
    output.show(table, title)


def _details(each: Held) -> list[tuple[str, object]]:
    return [
        ("function", each.function),
        ("queue", each.queue.name),
        ("sent", clock.phoenix(each.letter.sent_at)),
        ("received", counted(each.letter.received, "time")),
        ("reason", _reason(each)),
        ("goes to", _goes_to(each)),
    ]


def _reason(each: Held) -> str:
    if each.redriven_at is None:
        return each.reason
    return f"came back after it was sent back at {clock.phoenix(each.redriven_at)}: {each.reason}"


def _goes_to(each: Held) -> str:
    return "nowhere" if each.letter.refused else f"its {each.queue.goes_to}"


def _leave(chosen: Sequence[Held], selection: str, *, as_json: bool) -> int:
    if as_json:
        for each in chosen:
            output.print_json(each.to_json() | {"outcome": "shown"})
    else:
        screen = output.out()
        screen.print("Nothing was sent back.")
        screen.print(output.plain(f"To send them back, when the cause is fixed: {selection}"))
        screen.print(output.plain(f"To write them to a file and delete them: {selection} --drop"))
    return 0


def _drop(chosen: Sequence[Held], held: list[Held], file: Path | None, *, as_json: bool) -> int:
    number = counted(len(chosen), "dead letter")
    confirm(f"Drop {number}? The work will not be done.", instead="--drop needs a person")
    typed = click.prompt(f"Type {len(chosen)} to drop {number}", err=True, default="", show_default=False)
    if typed.strip() != str(len(chosen)):
        raise click.Abort
    path = file or letters.dropped_path(clock.utc_now())
    letters.write_dropped(path, chosen)
    output.err().print(output.plain(f"Wrote {number} to {path}, complete, with personal data."))
    return _act(held, letters.drop, "dropped", as_json=as_json)


def _act(held: list[Held], act: Callable[[Held], None], done: str, *, as_json: bool) -> int:
    """Act on each, and take it out of ``held``. Returns the exit code."""
    number, failures = len(held), []
    for each, error in letters.attempt(act, held):
        if error:
            failures.append(f"{each.letter.message_id} in {each.queue.name}: {error}")
        if as_json:
            output.print_json(each.to_json() | {"outcome": "left" if error else done, "error": error or None})
    if not as_json:
        output.out().print(f"{number - len(failures)} {done}, {len(failures)} left.")
    for failure in failures:
        output.err().print(output.plain(f"Left {failure}"))
    return 1 if failures else 0
