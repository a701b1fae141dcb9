"""``reconcile``: invokes the reconciliation function, as its schedule does, and shows the result."""

from collections.abc import Mapping
from typing import Any

import click

from handlers.cli import output
from handlers.cli.options import PROJECT_KEY, Find
from lib.jira.reconciliation.checkpoint import MAX_CANDIDATES, MAX_SHOWN_MISSING
from lib.operations import resync
from lib.operations.deployed import make_client
from lib.platform import errors
from lib.platform.wording import counted

_READ_TIMEOUT_SECONDS = 930.0
"""The function may run for 15 minutes."""

_SHOWN_CHANGES = 20


@click.command()
@click.option("--project", type=PROJECT_KEY, help="Only this project; it need not be a configured one.")
@click.option("--full", is_flag=True, help="Compare every issue, not only those that changed since the last run.")
@click.option("--dry-run", is_flag=True, help="Count what would change, and change nothing.")
@click.option(
    "--max-deletes",
    type=click.IntRange(0, MAX_CANDIDATES),
    metavar="N",
    help="Let this run delete up to N issues, instead of reconcileMaxDeletes. With --full and --project.",
)
@click.option("--no-wait", is_flag=True, help="Start the run, print its id, and do not wait for it.")
@click.option("--json", "as_json", is_flag=True, help="Print the function's answer as JSON.")
@click.pass_obj
def reconcile(
    find: Find, *, project: str | None, full: bool, dry_run: bool, max_deletes: int | None, no_wait: bool, as_json: bool
) -> int:
    """Make the stored issues match Jira now.

    Exit code 1 if anything was refused or failed.
    """
    if max_deletes is not None and not (full and project):
        raise click.UsageError("--max-deletes needs --full and --project.")
    if no_wait and as_json:
        raise click.UsageError("--json prints the result, which --no-wait does not wait for.")
    event = resync.make_event(project, full=full, dry_run=dry_run, max_deletes=max_deletes)
    deployment = find()
    client = make_client("lambda", read_timeout_seconds=_READ_TIMEOUT_SECONDS)
    name = deployment.function_name("reconciliation")
    if no_wait:
        click.echo(resync.start(client, name, event))
        output.err().print("Started. To follow the run by this id, use: trace")
        return 0
    with output.err().status("Reconciling: this may take 15 minutes"):
        answer = resync.run(client, name, event)
    try:
        if as_json:
            output.print_json(answer)
        else:
            _show(answer)
        failed = sum(turn["counts"]["failed"] for turn in answer["projects"])
        return 1 if answer["refused"] or failed else 0
    except (KeyError, TypeError, AttributeError):
        raise errors.PermanentError("incompatible response: the deployed version differs from this CLI") from None


def _show(answer: Mapping[str, Any]) -> None:
    table = output.table("project", *resync.COUNTS, "result", numbers=resync.COUNTS)
    for turn in answer["projects"]:
        state = "continues" if turn["continued"] else "complete" if turn["complete"] else "[bold red]incomplete[/]"
        table.add_row(turn["project"], *(str(turn["counts"][name]) for name in resync.COUNTS), state)
    scope = "everything" if answer["mode"] == "full" else "what changed"
    output.show(table, f"Reconciled {scope}{' (dry run: nothing was written)' if answer['dry_run'] else ''}")
    _show_changes(answer)
    screen = output.out()
    for reason in answer["refused"]:
        screen.print(output.plain(f"Refused: {reason}"))
    for turn in answer["projects"]:
        _show_what_is_missing(turn)
    if any(turn["continued"] for turn in answer["projects"]):
        screen.print(
            "The function ran out of time and invoked itself for the rest. Its log has every part, under "
            f"correlation_id {answer['run_id']}."
        )
    if answer["record"]:
        screen.print(output.plain(f"Run record: {answer['record']}"))


def _show_what_is_missing(turn: Mapping[str, Any]) -> None:
    screen, project, missing = output.out(), turn["project"], turn["missing"]
    if turn["unidentified"]:
        entries = counted(turn["unidentified"], "entry")
        screen.print(
            output.plain(f"{project}: Jira listed {entries} without an issue key, counted as failed: no issue can be named.")
        )
    if missing:
        which = f"the first {len(missing)}" if len(missing) == MAX_SHOWN_MISSING else len(missing)
        screen.print(output.plain(f"{project}: not found in Jira, and not deleted ({which}):"))
        screen.print(output.plain(", ".join(missing)))


def _show_changes(answer: Mapping[str, Any]) -> None:
    changes = [change for turn in answer["projects"] for change in turn["changes"]]
    if not changes:
        return
    table = output.table("issue", "would be" if answer["dry_run"] else "was", "reason")
    for change in changes[:_SHOWN_CHANGES]:
        table.add_row(change["issue_key"], change["action"], output.plain(change.get("reason")))
    output.show(table)
    if len(changes) > _SHOWN_CHANGES:
        more = "" if answer["dry_run"] else ", and the run record has the first 1,000"
        output.out().print(f"Showing {_SHOWN_CHANGES} changes: --json prints the first 100 of each project{more}.")
