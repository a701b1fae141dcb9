"""``redrive``: shows dead letters, and sends them back to where they failed (lib/operations/dead_letters.py)."""

import contextlib

import click

from handlers.cli import output
from handlers.cli.options import Find, yes_option
from lib.operations.dead_letters import HOLD_SECONDS, DeadLetter, DeadLetterQueue
from lib.platform import clock, errors
from lib.platform.contract import ENTRY_POINTS
from lib.platform.log import scrub
from lib.platform.wording import counted

_SHOWN_CHARACTERS = 200
"""Of a payload."""

_Held = tuple[DeadLetterQueue, DeadLetter]


@click.command()
@click.option(
    "--function",
    "entry_point",
    type=click.Choice(ENTRY_POINTS),
    required=True,
    help="Function whose dead-letter queue to read.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Read at most this many.")
@click.option("--dry-run", is_flag=True, help="Show the dead letters, and send none back.")
@yes_option
@click.pass_obj
def redrive(find: Find, entry_point: str, limit: int, dry_run: bool, yes: bool) -> int:
    """Show dead letters, and send them back to their function.

    Events go to the function again, messages to its queue. A dead letter is deleted only after it was accepted. Exit code 1
    if one could not be sent back.
    """
    deployment = find()
    sqs, lambda_client = deployment.client("sqs"), deployment.client("lambda")
    function = deployment.function_name(entry_point)
    queues = [DeadLetterQueue(sqs, lambda_client, name, function) for name in deployment.dead_letter_queues(entry_point)]
    held: list[_Held] = []
    try:
        with output.err().status("Reading"):
            for queue in queues:
                held += [(queue, letter) for letter in queue.read(limit - len(held))]
        if not held:
            output.out().print(f"{entry_point} has no dead letters.")
            return 0
        _show(held, entry_point)
        if len(held) == limit:
            output.err().print(
                f"Showing {counted(limit, 'dead letter')}. There may be more: use --limit, or run the command again."
            )
        if dry_run:
            output.out().print("Nothing was sent back.")
            return 0
        if not yes:
            click.confirm(
                f"Send {counted(len(held), 'dead letter')} back? Answer within {HOLD_SECONDS // 60} minutes.",
                abort=True,
                err=True,
            )
        return _send_back(held)
    finally:
        _release(held)


def _show(held: list[_Held], entry_point: str) -> None:
    table = output.table("sent", "queue", "error", "goes to", "payload")
    for queue, letter in held:
        # Scrubbed before it is cut: half an e-mail address is personal too.
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
    """Send each back, and take it out of ``held``. Returns the exit code."""
    total, failures = len(held), []
    for queue, letter in list(held):
        try:
            queue.send_back(letter)
        except errors.SwitchboardError as error:
            failures.append(f"{letter.message_id} in {queue.name}: {error}")
        else:
            held.remove((queue, letter))
    output.out().print(f"{total - len(failures)} sent back, {len(failures)} left.")
    for failure in failures:
        output.err().print(output.plain(f"Left {failure}"))
    return 1 if failures else 0


def _release(held: list[_Held]) -> None:
    for queue, letter in held:
        with contextlib.suppress(errors.SwitchboardError):  # it shows again when the hold is over
            queue.release(letter)
