"""``redrive``: dead letters, looked at first and then sent back to where they failed (lib/operations/dead_letters.py)."""

import contextlib
from collections.abc import Callable

import click

from handlers.cli import output
from handlers.cli.deployment import ENTRY_POINTS, Deployment
from lib.operations.dead_letters import HOLD_SECONDS, DeadLetter, DeadLetterQueue
from lib.platform import clock, errors
from lib.platform.log import scrub

_SHOWN_CHARACTERS = 200
"""Of a payload."""

_Held = tuple[DeadLetterQueue, DeadLetter]


@click.command()
@click.option(
    "--function", "entry_point", type=click.Choice(ENTRY_POINTS), required=True, help="Whose dead letters: an entry point."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Take no more than this at once.")
@click.option("--dry-run", "--look", "dry_run", is_flag=True, help="Only look.")
@click.option("--yes", is_flag=True, help="Send back without asking.")
@click.pass_obj
def redrive(find: Callable[[], Deployment], entry_point: str, limit: int, dry_run: bool, yes: bool) -> int:
    """Look at dead letters, and send them back to their function.

    Events go to the function again, messages to its queue. A dead letter is deleted only after it was taken. Exit code 1 if
    one could not be sent back.
    """
    deployment = find()
    sqs, lambda_client = deployment.client("sqs"), deployment.client("lambda")
    function = deployment.function_name(entry_point)
    queues = [DeadLetterQueue(sqs, lambda_client, name, function) for name in deployment.dead_letter_queues(entry_point)]
    held: list[_Held] = []
    try:
        with output.err().status("Looking"):
            for queue in queues:
                held += [(queue, letter) for letter in queue.look(limit - len(held))]
        if not held:
            output.out().print(f"There are no dead letters of {entry_point}.")
            return 0
        _show(held, entry_point)
        if len(held) == limit:
            output.err().print(f"The first {limit}; there may be more: run it again, or raise --limit.")
        if dry_run:
            output.out().print("Nothing was sent back.")
            return 0
        if not yes:
            click.confirm(f"Send {len(held)} back? They are held for {HOLD_SECONDS // 60} minutes.", abort=True, err=True)
        return _send_back(held)
    finally:
        _let_go(held)


def _show(held: list[_Held], entry_point: str) -> None:
    table = output.table("sent", "queue", "error", "goes to", "payload")
    for queue, letter in held:
        # Scrubbed before it is cut: half an address is one too.
        payload = scrub(letter.payload)[:_SHOWN_CHARACTERS] + ("…" if len(letter.payload) > _SHOWN_CHARACTERS else "")
        table.add_row(
            clock.phoenix(letter.sent_at),
            queue.name,
            output.plain(scrub(letter.refused or letter.error)),
            "nowhere" if letter.refused else f"its {queue.goes_to}",
            output.plain(payload),
        )
    output.show(table, f"Dead letters of {entry_point}")


def _send_back(held: list[_Held]) -> int:
    """Send each back, taking it out of ``held``. Returns the exit code."""
    sent = 0
    failures: list[str] = []
    for queue, letter in list(held):
        try:
            queue.send_back(letter)
        except errors.SwitchboardError as error:
            failures.append(f"{letter.message_id} in {queue.name}: {error}")
        else:
            held.remove((queue, letter))
            sent += 1
    output.out().print(f"{sent} sent back, {len(failures)} left.")
    for failure in failures:
        output.err().print(output.plain(f"Left {failure}"))
    return 1 if failures else 0


def _let_go(held: list[_Held]) -> None:
    for queue, letter in held:
        with contextlib.suppress(errors.SwitchboardError):  # it shows again when the hold is over
            queue.let_go(letter)
