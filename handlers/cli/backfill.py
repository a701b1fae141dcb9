"""``backfill``: draws the progress of lib/operations/backfill.py, keeps its checkpoint file, and compares at the end."""

import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from handlers.cli import output
from handlers.cli.deployment import Deployment
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter
from lib.jira.snapshots import BucketSnapshots
from lib.operations.backfill import Backfill, Checkpoint, Report, Verification
from lib.platform import aws, errors
from lib.platform.environment import ReconciliationEnvironment

MAX_SEGMENTS = 10
"""As many connections as one client keeps."""

_DEFAULT_SEGMENTS = 4
_SHOWN_REASONS = 20


@click.command()
@click.option("--from-table", required=True, metavar="TABLE", help="The legacy table.")
@click.option(
    "--segments",
    type=click.IntRange(1, MAX_SEGMENTS),
    help=f"Scan in so many parts at once; {_DEFAULT_SEGMENTS} if not given, or those of the checkpoint.",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint file.")
@click.option("--dry-run", is_flag=True, help="Read and count, and store nothing.")
@click.option(
    "--checkpoint",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The checkpoint file; backfill-TABLE.json in this folder if not given.",
)
@click.pass_obj
def backfill(
    find: Callable[[], Deployment], *, from_table: str, segments: int | None, resume: bool, dry_run: bool, path: Path | None
) -> int:
    """Take over the issues of a legacy table.

    May run while webhooks come in, be stopped by Ctrl-C, and be run again: what was stored before counts as a duplicate.
    Exit code 1 if it stopped before its end, or if at the end a row is behind.
    """
    deployment = find()
    path = path or Path(f"backfill-{from_table.rpartition('/')[2]}.json")  # a table may be named by its ARN
    checkpoint = _resumed(path, from_table, segments) if resume else _begun(path, from_table, segments, dry_run=dry_run)
    client = deployment.client("dynamodb")
    expected = _count_roughly(client, from_table)
    issues_table = deployment.jira_issues_table_name
    if from_table.rpartition("/")[2] == issues_table:
        raise errors.InvalidInputError(f"{from_table} is the table that is to be filled")
    store = None if dry_run else _store(deployment, client)
    with _Progress("Reading" if dry_run else "Storing", expected) as progress:
        job = Backfill(client, checkpoint, store, on_progress=progress.tell)
        report = job.run()
    _show(report, dry_run)
    if report.stopped:
        again = "run it again" if dry_run else f"run it again with --resume --checkpoint {checkpoint.path}"
        output.err().print(f"It stopped before its end: {again}.", soft_wrap=True)
        return 1
    if dry_run:
        return 0
    with output.err().status("Comparing every row with the issue stored"):
        verification = job.verify(IssueReader(client, issues_table))
    _show_verification(verification)
    return 1 if verification.behind else 0


def _resumed(path: Path, table: str, segments: int | None) -> Checkpoint:
    found = Checkpoint.load(path)
    if found.table != table:
        raise errors.InvalidInputError(f"the checkpoint {path} is of the table {found.table}")
    if segments not in (None, found.segments):
        raise errors.InvalidInputError(f"the checkpoint {path} is of {found.segments} segments, which can't be changed")
    return found


def _begun(path: Path, table: str, segments: int | None, *, dry_run: bool) -> Checkpoint:
    if dry_run:
        return Checkpoint(None, table, segments or _DEFAULT_SEGMENTS)
    if not os.access(path.parent, os.W_OK):
        raise errors.InvalidInputError(f"the checkpoint {path} can't be written: name another file by --checkpoint")
    if path.exists():
        _tell_of_an_unfinished_one(path, table)
    return Checkpoint(path, table, segments or _DEFAULT_SEGMENTS)


def _tell_of_an_unfinished_one(path: Path, table: str) -> None:
    """What lies there is written over: if it is of another table, or none, that is refused."""
    before = Checkpoint.load(path)
    if before.table != table:
        raise errors.InvalidInputError(
            f"the checkpoint {path} is of the table {before.table}: name another file by --checkpoint"
        )
    if len(before.reached) < before.segments or any(before.reached.values()):
        output.err().print(f"Starting over. {path} has a backfill that stopped: with --resume it would go on.", soft_wrap=True)


def _count_roughly(client: Any, table: str) -> int | None:
    """DynamoDB counts a table's rows every six hours; None if it has not yet."""
    try:
        return client.describe_table(TableName=table)["Table"].get("ItemCount") or None
    except (ClientError, BotoCoreError) as error:
        raise aws.translate(error, f"look at the table {table}") from error


def _store(deployment: Deployment, client: Any) -> IssueWriter:
    """The store as the functions have it, their history and bucket being theirs to say."""
    environment = deployment.environment("reconciliation", ReconciliationEnvironment)
    return IssueWriter(
        client,
        environment.jira_issues_table_name,
        history=timedelta(days=environment.history_days),
        snapshots=BucketSnapshots(lambda: deployment.client("s3"), environment.artifact_bucket_name),
    )


class _Progress:
    """A bar over the rows that were read. While it stands, Ctrl-C stops each segment after its page, on its checkpoint."""

    def __init__(self, doing: str, expected: int | None) -> None:
        self._bar = output.progress()
        self._task = self._bar.add_task(doing, total=expected, told="")
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._so_far = Report()
        self._handler: Any = None

    def __enter__(self) -> "_Progress":
        self._handler = signal.signal(signal.SIGINT, self._interrupt)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        signal.signal(signal.SIGINT, self._handler)

    def tell(self, page: Report) -> None:
        """Show how far it is, and stop the segment if that was asked for."""
        with self._lock:
            self._so_far = self._so_far.plus(page)
            so_far = self._so_far
        self._bar.update(self._task, completed=so_far.scanned, told=f"{so_far.scanned} rows, {so_far.skipped} skipped")
        if self._stop.is_set():
            raise errors.UnavailableError("stopped by Ctrl-C")

    def _interrupt(self, *_: object) -> None:
        self._stop.set()
        signal.signal(signal.SIGINT, self._handler)  # a second one ends it without waiting for the pages


def _show(report: Report, dry_run: bool) -> None:
    table = output.table("rows", "count", numbers=("count",))
    counts = {"read": report.scanned}
    if not dry_run:
        counts |= {"stored": report.stored, "superseded": report.superseded, "duplicate": report.duplicate}
    for name, number in (counts | {"skipped": report.skipped}).items():
        table.add_row(name, str(number))
    output.show(table, "Backfill, as a dry run: nothing was stored" if dry_run else "Backfill")
    for reason in report.reasons[:_SHOWN_REASONS]:
        output.out().print(output.plain(f"Skipped {reason}"))
    for reason in report.stopped:
        output.err().print(output.plain(f"Stopped {reason}"))


def _show_verification(verification: Verification) -> None:
    output.out().print(f"Compared {verification.rows} rows with the issues stored: {verification.behind} are behind.")
    if verification.keys:
        output.out().print(f"Behind: {', '.join(verification.keys)}")
