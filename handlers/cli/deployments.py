"""``deployments`` and ``rollback``: what was deployed and which of it is live; moves back and forward between deployments."""

from collections.abc import Sequence

import click

from handlers.cli import output
from handlers.cli.options import Find, confirm, limit_option, yes_option
from lib.operations import deployments as releases
from lib.operations.deployments import FunctionVersions, Move, Release
from lib.platform import clock, errors
from lib.platform.contract import ALL_ENTRY_POINTS
from lib.platform.wording import counted

_FUNCTION = click.Choice(ALL_ENTRY_POINTS)


@click.group()
def deployments() -> None:
    """Show what was deployed and which of it is live; delete old versions."""


@deployments.command("list")
@click.option("--function", "entry_point", type=_FUNCTION, help="Show the versions of this function.")
@click.option("--json", "as_json", is_flag=True, help="Print each version of each function as JSON, one object per line.")
@limit_option
@click.pass_obj
def list_(find: Find, entry_point: str | None, as_json: bool, limit: int) -> int:
    """Show the deployments, the newest first: when, which revision, and which is live."""
    deployment = find()
    functions = releases.read(deployment)
    if entry_point or as_json:
        chosen = [each for each in functions if entry_point in (None, each.entry_point)]
        return output.show_list(
            ((function, version) for function in chosen for version in function.versions),
            "version",
            ("function", "version", "published", "revision", "live"),
            lambda row: (*_cells(*row), "live" if row[1].number == row[0].live else ""),
            lambda row: {
                "function": row[0].entry_point,
                "version": row[1].number,
                "published_at": clock.phoenix(row[1].published_at),
                "revision": row[1].revision,
                "live": row[1].number == row[0].live,
            },
            as_json=as_json,
            limit=None if as_json else limit,
        )
    return output.show_list(
        releases.releases(functions),
        "deployment",
        ("revision", "published", "functions", "live"),
        lambda release: (
            release.revision,
            clock.phoenix(release.published_at),
            len(release.versions),
            _how_live(release, len(functions)),
        ),
        lambda _: {},
        as_json=False,
        limit=limit,
    )


def _cells(function: FunctionVersions, version: releases.Version) -> tuple[object, ...]:
    return function.entry_point, version.number, clock.phoenix(version.published_at), version.revision


def _how_live(release: Release, total: int) -> str:
    """``live``, or the functions that are live if not all are: after an unfinished rollback or deployment. Empty if none is."""
    return "" if not release.live else "live" if len(release.live) == total else f"live: {', '.join(release.live)}"


@deployments.command("live")
@click.pass_obj
def live(find: Find) -> int:
    """Print the revision that is live, as rollback --to takes it.

    If functions are at several deployments, the revision of the newest.
    """
    deployment = find()
    click.echo(releases.live(releases.read(deployment)).revision)
    return 0


@deployments.command()
@click.option("--keep", type=click.IntRange(2), metavar="N", default=10, show_default=True, help="Keep the last N deployments.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@yes_option
@click.pass_obj
def prune(find: Find, keep: int, dry_run: bool, yes: bool) -> int:
    """Delete the versions that the last deployments do not need.

    A version that an alias names is kept. Exit code 1 if a version could not be deleted.
    """
    deployment = find()
    client = deployment.client("lambda")
    old = releases.superseded(releases.read(deployment), keep)
    screen = output.out()
    screen.print(f"{counted(len(old), 'version')} can be deleted: not needed by the last {counted(keep, 'deployment')}.")
    if dry_run or not old:
        screen.print("Nothing was deleted.")
        return 0
    if not yes:
        confirm(f"Delete {counted(len(old), 'version')}?")
    failed = 0
    for function, number in old:
        try:
            releases.delete(client, function, number)
        except errors.SwitchboardError as error:
            failed += 1
            output.err().print(output.plain(f"{function.entry_point}: {error}"))
    screen.print(f"Deleted {counted(len(old) - failed, 'version')}.")
    return 1 if failed else 0


@click.command()
@click.option("--to", metavar="REVISION", help="Move to this deployment; with --function, also to a version number.")
@click.option("--function", "entry_point", type=_FUNCTION, help="Move this function only.")
@click.option("--forward", is_flag=True, help="Move to the deployment after the live one.")
@click.option("--dry-run", is_flag=True, help="Show what would be moved, and move nothing.")
@yes_option
@click.pass_obj
def rollback(find: Find, *, to: str | None, entry_point: str | None, forward: bool, dry_run: bool, yes: bool) -> int:
    """Make the deployment before the live one live again, in seconds.

    The alias of each function is moved to the version of that deployment, and checked. Tables, roles, routes and queues stay
    as they are. Exit code 1 if a function could not be moved: run the same command again to move the rest.
    """
    if to and forward:
        raise click.UsageError("Pass either --to or --forward, not both.")
    deployment = find()
    client = deployment.client("lambda")
    functions = releases.read(deployment)
    moves, title = _plan(functions, to, entry_point, forward=forward)
    _show(moves, title)
    needed = [move for move in moves if move.is_needed]
    screen = output.out()
    if dry_run or not needed:
        screen.print("Nothing was moved." if needed else "Nothing to move: it is live.")
        return 0
    if not yes:
        confirm(f"Move {counted(len(needed), 'function')}?")
    done = releases.carry_out(client, moves)
    for moved in done:
        if moved.problem or moved.note:
            output.err().print(output.plain(f"{moved.move.function.entry_point}: {moved.problem or moved.note}"))
    failed = [moved for moved in done if moved.problem]
    screen.print(f"Moved {len(done) - len(failed)} of {counted(len(done), 'function')}.")
    _say_what_is_next(failed, entry_point, forward=forward)
    return 1 if failed else 0


def _plan(
    functions: Sequence[FunctionVersions], to: str | None, entry_point: str | None, *, forward: bool
) -> tuple[Sequence[Move], str]:
    chosen = [each for each in functions if entry_point in (None, each.entry_point)]
    if not chosen:
        raise errors.ConfigurationError(f"the deployment has no function {entry_point}")
    if entry_point and (to is None or (to.isdecimal() and len(to) < 7)):
        move = releases.plan_one(chosen[0], int(to) if to else None, forward=forward)
        return (move,), f"{entry_point} to version {move.to}"
    if to is not None:
        release = releases.named(functions, to)
    else:
        release = releases.after(functions) if forward else releases.before(functions)
    return releases.plan(chosen, release), f"To {release.revision}, published {clock.phoenix(release.published_at)}"


def _show(moves: Sequence[Move], title: str) -> None:
    table = output.table("function", "live", "to", numbers=("live", "to"))
    for move in moves:
        to = "stays: it has no older version" if move.to is None else str(move.to) if move.is_needed else "is live"
        table.add_row(move.function.entry_point, str(move.function.live), to)
    output.show(table, title)


def _say_what_is_next(failed: Sequence[releases.Moved], entry_point: str | None, *, forward: bool) -> None:
    screen = output.out()
    if failed:
        screen.print("To move the rest, run the same command again.")
        return
    only = f" --function {entry_point}" if entry_point else ""
    screen.print(f"To undo: rollback{only}{'' if forward else ' --forward'}")
    screen.print("The next pulumi up that changes a function makes the new version live.")
