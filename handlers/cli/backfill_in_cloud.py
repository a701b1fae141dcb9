"""``backfill --in-cloud``: starts, follows, stops and resumes the backfill of the function ``backfill``."""

import signal
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from handlers.cli import output
from lib.operations.cloud_backfill import CloudBackfill, State, Status
from lib.operations.deployed import Deployment
from lib.platform import aws, clock, errors
from lib.platform.environment.backfill import BackfillEnvironment
from lib.platform.queues import Queue
from lib.platform.wording import counted

ACTIONS = ("start", "follow", "stop", "resume", "verify")

DEFAULT_SEGMENTS = 8
DEFAULT_WRITES = 1_000
"""Per second: 500 rows, and with their index entries about 3,000 of the 4,000 write units per second that a new table takes."""

LOOK_SECONDS = 2.0
LINE_SECONDS = 30.0
"""The pause between lines where no progress bar is shown."""

_RATE_SECONDS = 60.0
_SHOWN_REASONS = 20
_COMMAND = "python -m handlers.cli backfill --in-cloud"
NO_ISSUE = "No row is an issue. Is it the right table?"


class Rate:
    """The rows per second of the last minute."""

    def __init__(self, now: clock.Monotonic = clock.monotonic) -> None:
        self._now = now
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, rows: int) -> float | None:
        """Take how many rows are done by now; None if the rate is not known yet."""
        now = self._now()
        self._seen.append((now, rows))
        while now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()
        then, before = self._seen[0]
        return (rows - before) / (now - then) if now > then else None


class Progress:
    """Reports the progress of a backfill of ``total`` rows (None: unknown)."""

    def __init__(self, total: int | None, now: clock.Monotonic = clock.monotonic) -> None:
        self._total = total
        self._rates = {comparing: Rate(now) for comparing in (False, True)}

    def report(self, status: Status) -> tuple[str, dict[str, Any]]:
        """A line for people, and the same as JSON. Counts never decrease, except after a start."""
        done = status.verification.rows if status.comparing else status.report.scanned
        rate = self._rates[status.comparing].add(done)
        left = round((self._total - done) / rate) if self._total and rate and self._total >= done else None
        parts = [
            f"{'Comparing' if status.comparing else 'Storing'}: {done:,}{f' of {self._total:,}' if self._total else ''} rows",
            *([f"{rate:,.0f} rows/s"] if rate is not None else []),
            *([f"{_duration(left)} left"] if left is not None else []),
            f"{status.report.skipped:,} skipped",
            *([f"{counted(len(status.failed), 'failed segment')}"] if status.failed else []),
        ]
        return ", ".join(parts), to_json(status) | {"rows": self._total, "rows_per_second": rate, "seconds_left": left}


def run(deployment: Deployment, action: str, *, segments: int | None, writes_per_second: int | None, as_json: bool) -> int:
    """Do what ``action`` says. Returns the exit code."""
    backfill, total = connect(deployment)
    match action:
        case "start" | "verify":
            status = backfill.start(
                segments or DEFAULT_SEGMENTS, writes_per_second or DEFAULT_WRITES, compare_only=action == "verify"
            )
        case "resume":
            status = backfill.resume(writes_per_second)
        case "stop":
            status = backfill.stop()
        case _:
            status = backfill.status()
    return _follow(backfill, status, total, as_json=as_json)


def connect(deployment: Deployment) -> tuple[CloudBackfill, int | None]:
    """The backfill of the deployment, and how many rows the legacy table has, if that is known."""
    if "backfill" not in deployment.functions:
        raise errors.ConfigurationError(
            "the deployment has no function backfill: set backfillSourceTableArn and deploy, or use --from-table"
        )
    environment = deployment.environment("backfill", BackfillEnvironment)
    client = deployment.client("dynamodb")
    queue = Queue(deployment.client("sqs"), environment.backfill_queue_url)
    backfill = CloudBackfill(client, environment.operations_table_name, environment.source_table_arn, queue)
    return backfill, _row_count(client, environment.source_table_arn)


def _row_count(client: Any, table: str) -> int | None:
    """The rows of the legacy table, which DynamoDB counts every six hours. None if the operator may not read it: only the
    function reads a table of another account."""
    try:
        with aws.translated(f"read the table {table}"):
            return client.describe_table(TableName=table)["Table"].get("ItemCount") or None
    except errors.PermanentError:
        return None


def _follow(backfill: CloudBackfill, status: Status, total: int | None, *, as_json: bool) -> int:
    """Show the progress until nothing is in progress. Ctrl-C ends the command, not the backfill."""
    shown, line_at = Progress(total), float("-inf")
    with _until_interrupt() as interrupted, output.progress("Backfill", total and 2 * total) as update:
        while status.state in (State.RUNNING, State.STOPPING) and not interrupted.is_set():
            line, value = shown.report(status)
            update(status.report.scanned + status.verification.rows, line)
            if clock.monotonic() - line_at >= LINE_SECONDS:
                line_at = clock.monotonic()
                if as_json:
                    output.print_json(value)
                elif not output.err().is_terminal:
                    output.err().print(output.plain(line))
            interrupted.wait(LOOK_SECONDS)
            status = backfill.status()
    if interrupted.is_set():
        output.err().print(f"The backfill continues. To follow it: {_COMMAND} follow. To stop it: {_COMMAND} stop.")
        return 1
    return _show(backfill, status, as_json=as_json)


@contextmanager
def _until_interrupt() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets."""
    event, before = threading.Event(), signal.getsignal(signal.SIGINT)

    def interrupt(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _show(backfill: CloudBackfill, status: Status, *, as_json: bool) -> int:
    """Print the result. Returns the exit code: 0 if it is done, found an issue, and no issue is behind."""
    report, verification = status.report, status.verification
    if as_json:
        skipped = backfill.skipped(status.run.run_id) if report.skipped else []
        output.print_json(to_json(status) | {"skipped_rows": skipped})
    else:
        table = output.table("rows", "count", numbers=("count",))
        counts = {"read": report.scanned, "stored": report.stored, "superseded": report.superseded}
        counts |= {"duplicate": report.duplicate, "skipped": report.skipped, "compared": verification.rows}
        for name, number in counts.items():
            table.add_row(name, f"{number}")
        output.show(table, f"Backfill {status.run.run_id}: {status.state.value}")
        for reason in report.reasons[:_SHOWN_REASONS]:
            output.out().print(output.plain(f"Skipped {reason}"))
        keys = f" ({', '.join(verification.keys)})" if verification.keys else ""
        output.out().print(f"Issues missing or older than their row: {verification.behind}{keys}.")
        for note in status.notes:
            output.err().print(output.plain(f"Failed {note}"))
    if status.state is not State.DONE:
        output.err().print(f"The backfill did not finish. To continue it: {_COMMAND} resume.")
        return 1
    if report.scanned and report.skipped == report.scanned:
        output.err().print(NO_ISSUE)
        return 1
    return 1 if verification.behind else 0


def to_json(status: Status) -> dict[str, Any]:
    """The status as one JSON object."""
    report = {name: value for name, value in asdict(status.report).items() if name not in ("stopped", "reasons")}
    return {
        "run_id": status.run.run_id,
        "state": status.state.value,
        "phase": "compare" if status.comparing else "store",
        "segments": status.run.segments,
        "segments_done": status.done,
        "segments_failed": list(status.failed),
        "writes_per_second": status.run.writes_per_second,
        **report,
        "compared": status.verification.rows,
        "behind": status.verification.behind,
        "behind_keys": list(status.verification.keys),
        "errors": list(status.notes),
    }


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7_200:
        return f"{seconds // 60} min"
    return f"{seconds / 3600:.1f} h"
