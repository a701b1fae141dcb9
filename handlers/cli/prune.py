"""``prune``: deletes superseded versions before their TTL does, after it has shown how many."""

from datetime import timedelta

import click

from handlers.cli import output
from handlers.cli.options import Age, Find, confirm, yes_option
from lib.operations.pruning import Pruned, Pruner
from lib.platform import clock
from lib.platform.wording import counted


@click.command()
@click.option(
    "--older-than",
    type=Age(),
    default="90d",
    show_default=True,
    help="Only versions older than this, by the time they arrived: 12h, 90d, 4w; 0d for all.",
)
@click.option("--dry-run", is_flag=True, help="Count what would be deleted, and delete nothing.")
@yes_option
@click.pass_obj
def prune(find: Find, older_than: timedelta, dry_run: bool, yes: bool) -> int:
    """Delete superseded versions before their TTL does.

    The current version of each issue and all other rows stay. The command counts first, and asks for confirmation.
    """
    deployment = find()
    client, table = deployment.client("dynamodb"), deployment.output("jira_issues_table_name")
    before = clock.utc_now() - older_than

    def run(doing: str, total: int | None, *, dry_run: bool) -> Pruned:
        with output.progress(doing, total) as update:
            pruner = Pruner(
                client,
                table,
                on_progress=lambda so_far: update(
                    so_far.deleted, f"{so_far.deleted:,} of {counted(so_far.versions, 'version')}"
                ),
            )
            return pruner.prune(before, dry_run=dry_run)

    screen, total = output.out(), None
    if dry_run or not yes:
        found = run("Counting", None, dry_run=True)
        total = found.deleted
        screen.print(
            f"{total:,} of {counted(found.versions, 'version')} can be deleted: superseded, and received before "
            f"{clock.phoenix(before)}."
        )
        if dry_run or not total:
            screen.print("Nothing was deleted.")
            return 0
        confirm(f"Delete {counted(total, 'version')} of {table}?")
    pruned = run("Deleting", total, dry_run=False)
    screen.print(f"Deleted {pruned.deleted:,} of {counted(pruned.versions, 'version')}.")
    return 0
