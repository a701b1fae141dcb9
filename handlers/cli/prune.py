"""``prune``: deletes superseded versions ahead of their TTL, after a look at what would go."""

from collections.abc import Callable
from datetime import timedelta

import click

from handlers.cli import output
from handlers.cli.deployment import Deployment
from handlers.cli.options import Age
from lib.operations.pruning import Pruned, Pruner
from lib.platform import clock


@click.command()
@click.option(
    "--older-than", type=Age(), default="90d", show_default=True, help="Only what came in longer ago: 12h, 90d, 4w; 0d for all."
)
@click.option("--dry-run", is_flag=True, help="Count what would be deleted, and delete nothing.")
@click.option("--yes", is_flag=True, help="Delete without looking first and asking.")
@click.pass_obj
def prune(find: Callable[[], Deployment], older_than: timedelta, dry_run: bool, yes: bool) -> int:
    """Delete superseded versions ahead of their time.

    The current version of each issue stays, and so does everything that is no version. Looks first, and asks.
    """
    deployment = find()
    client, table = deployment.client("dynamodb"), deployment.jira_issues_table_name
    before = clock.utc_now() - older_than
    screen = output.out()
    looked_at: Pruned | None = None
    if dry_run or not yes:
        with _Progress("Looking") as progress:
            looked_at = Pruner(client, table, on_progress=progress.tell).prune(before, dry_run=True)
        screen.print(
            f"{looked_at.deleted} of {looked_at.versions} versions are superseded and came in before {clock.phoenix(before)}."
        )
        if dry_run or not looked_at.deleted:
            screen.print("Nothing was deleted.")
            return 0
        click.confirm(f"Delete {looked_at.deleted} versions of {table}?", abort=True, err=True)
    with _Progress("Deleting", looked_at.deleted if looked_at else None) as progress:
        pruned = Pruner(client, table, on_progress=progress.tell).prune(before)
    screen.print(f"{pruned.deleted} of {pruned.versions} versions were deleted.")
    return 0


class _Progress:
    """A bar over what is deleted, or without a known end over what is looked at."""

    def __init__(self, doing: str, total: int | None = None) -> None:
        self._bar = output.progress()
        self._task = self._bar.add_task(doing, total=total, told="")

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, so_far: Pruned) -> None:
        """Show how far it is."""
        told = f"{so_far.deleted} of {so_far.versions} versions"
        self._bar.update(self._task, completed=so_far.deleted, told=told)
