"""``backfill``: runs lib/operations/backfill.py with a progress bar and a checkpoint file, and compares at the end."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from handlers.cli import backfill_in_cloud, output
from handlers.cli.options import Find, json_option
from lib.jira.backfill.report import Report, Verification
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.store_factory import make_issue_writer
from lib.operations.backfill import Backfill, Checkpoint
from lib.operations.deployed import Deployment
from lib.platform import aws, errors
from lib.platform.contract import BACKFILL_MAX_SEGMENTS
from lib.platform.environment.reconciliation import ReconciliationEnvironment
from lib.platform.wording import counted

MAX_SEGMENTS = 10
"""A client keeps this many connections."""

_DEFAULT_SEGMENTS = 4
_SHOWN_REASONS = 20


@click.command()
@click.option("--from-table", metavar="TABLE", help="The legacy table. Needed unless --in-cloud is given.")
@click.option(
    "--in-cloud",
    "action",
    type=click.Choice(backfill_in_cloud.ACTIONS),
    help="Let the function backfill copy the table of backfillSourceTableArn: start or resume and follow, only follow, stop, "
    "or compare again.",
)
@click.option(
    "--segments",
    type=click.IntRange(1, BACKFILL_MAX_SEGMENTS),
    metavar="N",
    help=f"Parallel parts of the scan; by default {_DEFAULT_SEGMENTS}, or those of the checkpoint, at most {MAX_SEGMENTS}; in "
    f"the cloud by default {backfill_in_cloud.DEFAULT_SEGMENTS}, at most {BACKFILL_MAX_SEGMENTS}.",
)
@click.option(
    "--writes-per-second",
    type=click.IntRange(1),
    metavar="N",
    help=f"In the cloud: the most writes per second, two per row; by default {backfill_in_cloud.DEFAULT_WRITES:,}.",
)
@json_option
@click.option("--resume", is_flag=True, help="Continue from the checkpoint file.")
@click.option("--dry-run", is_flag=True, help="Read and count, and store nothing.")
@click.option(
    "--checkpoint",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The checkpoint file; by default backfill-TABLE.json in this folder.",
)
@click.pass_obj
def backfill(
    find: Find,
    *,
    from_table: str | None,
    action: str | None,
    segments: int | None,
    writes_per_second: int | None,
    as_json: bool,
    resume: bool,
    dry_run: bool,
    path: Path | None,
) -> int:
    """Copy the issues of a legacy table.

    Webhooks may arrive at the same time. You can stop the backfill with Ctrl-C and run it again: rows that were stored before
    count as duplicates. With --in-cloud, Ctrl-C ends only the command. Exit code 1 if the backfill did not finish, if no
    row is an issue, or if a stored issue is missing or older than its row.
    """
    if action:
        if from_table or resume or dry_run or path:
            raise click.UsageError("--in-cloud takes no --from-table, --resume, --dry-run or --checkpoint.")
        if segments and action not in ("start", "verify"):
            raise click.UsageError("--segments is for --in-cloud start and verify.")
        if writes_per_second and action in ("follow", "stop"):
            raise click.UsageError("--writes-per-second is for --in-cloud start, resume and verify.")
        return backfill_in_cloud.run(find(), action, segments=segments, writes_per_second=writes_per_second, as_json=as_json)
    if not from_table:
        raise click.UsageError("Missing option '--from-table' or '--in-cloud'.")
    if writes_per_second or as_json:
        raise click.UsageError("--writes-per-second and --json need --in-cloud.")
    if segments and segments > MAX_SEGMENTS:
        raise click.UsageError(f"--segments can be 1 to {MAX_SEGMENTS} without --in-cloud.")
    return _run_here(find(), from_table, segments, resume=resume, dry_run=dry_run, path=path)


def _run_here(
    deployment: Deployment, from_table: str, segments: int | None, *, resume: bool, dry_run: bool, path: Path | None
) -> int:
    path = path or Path(f"backfill-{from_table.rpartition('/')[2]}.json")  # a table may be named by its ARN
    checkpoint = _resume(path, from_table, segments) if resume else _start(path, from_table, segments, dry_run=dry_run)
    client = deployment.client("dynamodb")
    with aws.translated(f"read the table {from_table}"):
        described = client.describe_table(TableName=from_table)["Table"]
    issues_table = deployment.output("jira_issues_table_name")
    if from_table.rpartition("/")[2] == issues_table:
        raise errors.InvalidInputError(f"{from_table} is the table of Switchboard itself")
    store = None if dry_run else _store(deployment, client)
    keys = tuple(key["AttributeName"] for key in described["KeySchema"])
    total = described.get("ItemCount") or None  # DynamoDB counts a table's rows every six hours
    with _progress("Reading" if dry_run else "Storing", total) as on_progress:
        job = Backfill(client, checkpoint, store, keys=keys, on_progress=on_progress)
        report = job.run()
    _show(report, dry_run)
    if report.stopped:
        again = "run it again" if dry_run else f"run it again with --resume --checkpoint {checkpoint.path}"
        output.err().print(f"The backfill did not finish: {again}.")
        return 1
    if report.scanned and report.skipped == report.scanned and not resume:
        output.err().print(backfill_in_cloud.NO_ISSUE)
        return 1
    if dry_run:
        return 0
    with output.err().status("Comparing every row with the stored issue"):
        verification = job.verify(IssueReader(client, issues_table))
    _show_verification(verification)
    return 1 if verification.behind else 0


def _resume(path: Path, table: str, segments: int | None) -> Checkpoint:
    found = _load(path, table)
    if segments not in (None, found.segments):
        raise errors.InvalidInputError(
            f"the checkpoint {path} has {counted(found.segments, 'segment')}, which can't be changed"
        )
    return found


def _start(path: Path, table: str, segments: int | None, *, dry_run: bool) -> Checkpoint:
    if dry_run:
        return Checkpoint(None, table, segments or _DEFAULT_SEGMENTS)
    if not os.access(path.parent, os.W_OK):
        raise errors.InvalidInputError(f"the checkpoint {path} can't be written: name another file with --checkpoint")
    if path.exists():
        before = _load(path, table)
        if len(before.reached) < before.segments or any(before.reached.values()):
            output.err().print(f"Starting over. {path} has an unfinished backfill: use --resume to continue it.")
    return Checkpoint(path, table, segments or _DEFAULT_SEGMENTS)


def _load(path: Path, table: str) -> Checkpoint:
    found = Checkpoint.load(path)
    if found.table != table:
        raise errors.InvalidInputError(
            f"the checkpoint {path} is for the table {found.table}: name another file with --checkpoint"
        )
    return found


def _store(deployment: Deployment, client: Any) -> IssueWriter:
    """The store with the history and the bucket that the functions use."""
    environment = deployment.environment("reconciliation", ReconciliationEnvironment)
    return make_issue_writer(client, lambda: deployment.client("s3"), environment, on_throttle=lambda: None)


@contextmanager
def _progress(doing: str, total: int | None) -> Iterator[Callable[[Report], None]]:
    """A progress bar over the rows read. Until it ends, Ctrl-C stops each segment after its page, on its checkpoint."""
    stop, lock, before, so_far = threading.Event(), threading.Lock(), signal.getsignal(signal.SIGINT), Report()

    def interrupt(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)  # a second one ends the command without waiting for the pages

    with output.progress(doing, total) as update:

        def on_progress(page: Report) -> None:
            nonlocal so_far
            with lock:
                so_far = so_far.plus(page)
                update(so_far.scanned, f"{counted(so_far.scanned, 'row')}, {so_far.skipped} skipped")
            if stop.is_set():
                raise errors.UnavailableError("stopped by Ctrl-C")

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield on_progress
        finally:
            signal.signal(signal.SIGINT, before)


def _show(report: Report, dry_run: bool) -> None:
    counts = {"read": report.scanned}
    if not dry_run:
        counts |= {"stored": report.stored, "superseded": report.superseded, "duplicate": report.duplicate}
    table = output.table("rows", "count", numbers=("count",))
    for name, number in (counts | {"skipped": report.skipped}).items():
        table.add_row(name, str(number))
    output.show(table, "Backfill (dry run: nothing was stored)" if dry_run else "Backfill")
    for reason in report.reasons[:_SHOWN_REASONS]:
        output.out().print(output.plain(f"Skipped {reason}"))
    for reason in report.stopped:
        output.err().print(output.plain(f"Stopped {reason}"))


def _show_verification(verification: Verification) -> None:
    keys = f" ({', '.join(verification.keys)})" if verification.keys else ""
    output.out().print(
        f"Compared {counted(verification.rows, 'row')} with the stored issues. "
        f"Issues missing or older than their row: {verification.behind}{keys}."
    )
