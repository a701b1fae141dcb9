"""A backfill in the cloud at scale: the function's own handler in processes that are killed at random, on DynamoDB Local.

    python -m tests.bench.backfill [--rows 1000000] [--workers 4] [--writes-per-second 100000] [--cli]

It seeds a legacy table, starts the backfill as ``backfill --in-cloud start`` does, stops and resumes it once, and delivers the
messages of the queue to the workers as SQS would: at least once, again after a worker was killed, and some of them twice. At
the end the whole JiraIssues table must have the number of rows and the checksum that an undisturbed run leads to. With
``--cli``, so must a second table, written by the command ``backfill`` on this machine. The exit code says whether they agree.
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import queue
import random
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lib.jira import items
from lib.jira.backfill import pages, progress
from lib.jira.backfill.legacy_rows import read_legacy
from lib.jira.backfill.worker import RESERVE_SECONDS
from lib.jira.issue_writer import IssueWriter
from lib.operations.backfill import Backfill, Checkpoint
from lib.operations.cloud_backfill import CloudBackfill, State, Status
from lib.platform import aws, clock, errors
from lib.platform.contract import JIRA_ISSUES, JIRA_OPERATIONS, TableLayout
from lib.platform.queues import Queue
from tests.support.dynamodb import engine
from tests.support.dynamodb.tables import create_table
from tests.support.jira.builders import Snapshots

LEGACY = TableLayout(name="legacy", hash_key="issue_key", range_key="updated_at", ttl="expires_at")
INVOCATION_SECONDS = RESERVE_SECONDS + 45
LEASE = timedelta(seconds=12)
REDELIVERED_AFTER_SECONDS = 14.0
"""On AWS a lease of a minute, and 16 minutes: more than the lease and the rest of an invocation."""
TWICE = 0.05
"""The share of messages that are delivered twice."""

_STATUSES = ("To Do", "In Progress", "Done")
_NEVER_STORED = ("received_at", "expires_at")
"""Attributes that hold the time of the run."""


def legacy_row(number: int) -> dict[str, Any]:
    """Every tenth issue has a second, earlier state; one row in ten thousand can't be read."""
    issue = number if number % 10 else number - 1
    day = 2 if number % 10 else 1
    offset = "" if number % 10_000 == 5_000 else "Z"
    return {
        "issue_key": {"S": f"OPS-{issue}"},
        "updated_at": {"S": f"2025-01-{day:02}T10:{number // 60 % 60:02}:{number % 60:02}{offset}"},
        "status": {"S": _STATUSES[issue % 3]},
        "summary": {"S": f"Issue {issue}: replace the power supply of rack {issue % 977}"},
    }


def seed(start: int, end: int) -> None:
    client = dynamodb()
    for first in range(start, end, 25):
        pending = [{"PutRequest": {"Item": legacy_row(number)}} for number in range(first, min(first + 25, end))]
        while pending:
            pending = client.batch_write_item(RequestItems={"legacy": pending})["UnprocessedItems"].get("legacy", [])


def dynamodb() -> Any:
    return aws.make_client("dynamodb", read_timeout_seconds=60, connect_timeout_seconds=30)


@dataclass(slots=True)
class Sqs:
    """The messages of the queue, as ``SendMessage`` brings them."""

    messages: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)
    sent: int = 0
    twice: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def send(self, body: str) -> None:
        self.sent += 1
        message = {"id": f"m-{self.sent}", "body": body, "receives": 0}
        self.messages.put(message)
        if self.chance.random() < TWICE:
            self.twice += 1
            self.messages.put(dict(message))

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        sqs = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["MessageBody"]
                sqs.send(body)
                digest = hashlib.md5(body.encode()).hexdigest()
                answer = json.dumps({"MessageId": "m", "MD5OfMessageBody": digest}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Context:
    def __init__(self) -> None:
        self.aws_request_id = f"bench-{time.monotonic_ns()}"
        self._end = time.monotonic() + INVOCATION_SECONDS

    def get_remaining_time_in_millis(self) -> float:
        return (self._end - time.monotonic()) * 1000


def worker(pipe: Any, page_size: int) -> None:
    """A Lambda environment: the handler, one event after another."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the handler's log
    progress.LEASE, pages.PAGE_SIZE = LEASE, page_size
    from handlers import backfill

    while True:
        event = pipe.recv()
        answer = backfill.lambda_handler(event, Context())
        used = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send((answer, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime))


@dataclass(slots=True)
class Pool:
    """The workers, and what became of them."""

    sqs: Sqs
    kill_every: float
    page_size: int
    stopping: threading.Event = field(default_factory=threading.Event)
    running: dict[int, int] = field(default_factory=dict)
    kills: int = 0
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0

    def slot(self, number: int) -> None:
        """Deliver one message after another to a process, which is replaced when it was killed."""
        process, pipe, before = None, None, 0.0
        while not self.stopping.is_set():
            try:
                message = self.sqs.messages.get(timeout=0.2)
            except queue.Empty:
                continue
            if process is None or not process.is_alive():
                pipe, other = multiprocessing.Pipe()
                process, before = (
                    multiprocessing.get_context("spawn").Process(target=worker, args=(other, self.page_size), daemon=True),
                    0.0,
                )
                process.start()
                other.close()
            message["receives"] += 1
            record = {
                "messageId": message["id"],
                "receiptHandle": "r",
                "body": message["body"],
                "attributes": {"ApproximateReceiveCount": str(min(message["receives"], 4))},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-west-2:123456789012:backfill",
            }
            assert pipe is not None
            try:
                pipe.send({"Records": [record]})
                self.running[number] = process.pid or 0
                answer, mb, cpu = pipe.recv()
            except (EOFError, ConnectionError):
                self.running.pop(number, None)
                process.join()
                self._again(message)
                continue
            self.running.pop(number, None)
            self.peak_mb = max(self.peak_mb, mb)
            self.cpu_seconds += cpu - before
            before = cpu
            if answer["batchItemFailures"]:
                self._again(message)
        if process is not None:
            process.kill()

    def _again(self, message: dict[str, Any]) -> None:
        timer = threading.Timer(REDELIVERED_AFTER_SECONDS, self.sqs.messages.put, (message,))
        timer.daemon = True
        timer.start()

    def kill_some(self) -> None:
        chance = random.Random(11)
        while not self.stopping.wait(chance.uniform(0.5, 1.5) * self.kill_every):
            if busy := list(self.running.values()):
                self.kills += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(busy), signal.SIGKILL)


def digest_of(item: dict[str, Any]) -> int:
    kept = {name: value for name, value in item.items() if name not in _NEVER_STORED}
    return int.from_bytes(hashlib.sha256(repr(sorted(kept.items())).encode()).digest()[:8])


def checksum(table: str) -> tuple[int, int, int]:
    """The rows of a table, the issues among them, and the sum of the hashes of all rows."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        parts = pool.starmap(_checksum_of_segment, [(table, segment, 4) for segment in range(4)])
    rows, heads, total = (sum(column) for column in zip(*parts, strict=True))
    return rows, heads, total % 2**64


def _checksum_of_segment(table: str, segment: int, segments: int) -> tuple[int, int, int]:
    client, rows, heads, total = dynamodb(), 0, 0, 0
    request: dict[str, Any] = {"TableName": table, "Segment": segment, "TotalSegments": segments}
    while True:
        page = client.scan(**request)
        for item in page["Items"]:
            rows += 1
            heads += item["updated_at"]["S"] == items.HEAD
            total += digest_of(item)
        if not page.get("LastEvaluatedKey"):
            return rows, heads, total
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def expected(rows: int) -> tuple[int, int, int]:
    """What one undisturbed run leads to: each readable row's version, and the HEAD of the latest."""
    now, versions, heads, total = clock.utc_now(), 0, 0, 0
    for number in range(1, rows + 1):
        row = legacy_row(number)
        try:
            [observation] = read_legacy(row).observations()
        except errors.InvalidInputError:
            continue
        versions += 1
        total += digest_of(items.version_item(observation, now, now, None))
        if number % 10:  # the row of a tenth has an earlier state
            heads += 1
            total += digest_of(items.head_item(observation))
    return versions + heads, heads, total % 2**64


def report_progress(status: Status, started: float, rows: int) -> None:
    seconds = time.monotonic() - started
    done, compared = status.report.scanned, status.verification.rows
    print(f"{seconds:6.0f} s  stored {done:,} of {rows:,} ({done / seconds:,.0f}/s)  compared {compared:,}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--segments", type=int, default=8)
    parser.add_argument("--writes-per-second", type=int, default=100_000)
    parser.add_argument("--kill-every", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--cli", action="store_true", help="run the command's own backfill too, into a second table")
    asked = parser.parse_args()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-west-2",
        "SOURCE_TABLE_ARN": "legacy",
        "JIRA_ISSUES_TABLE_NAME": "issues",
        "OPERATIONS_TABLE_NAME": "operations",
        "ARTIFACT_BUCKET_NAME": "none",
        "BACKFILL_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/backfill",
        "HISTORY_DAYS": "36500",
    }
    sqs = Sqs()
    with engine.running(("-Xmx4g",)) as url, sqs.served() as sqs_url:
        os.environ |= {"AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_ENDPOINT_URL_SQS": sqs_url}
        return measure(asked, sqs)


def measure(asked: argparse.Namespace, sqs: Sqs) -> int:
    client, rows = dynamodb(), asked.rows
    for name, layout in (("legacy", LEGACY), ("issues", JIRA_ISSUES), ("operations", JIRA_OPERATIONS)):
        create_table(client, name, layout)
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(2) as seeders:
        step = 10_000
        seeders.starmap(seed, [(first, min(first + step, rows + 1)) for first in range(1, rows + 1, step)], chunksize=1)
    print(f"seeded {rows:,} legacy rows in {time.monotonic() - started:.0f} s", flush=True)

    cloud = CloudBackfill(
        client, "operations", "legacy", Queue(aws.make_client("sqs", read_timeout_seconds=10), os.environ["BACKFILL_QUEUE_URL"])
    )
    # A page of DynamoDB Local takes as long for one row as for a thousand: two seconds in a table of a million.
    pool = Pool(sqs, asked.kill_every, page_size=max(pages.PAGE_SIZE, rows // 1_000))
    slots = [threading.Thread(target=pool.slot, args=(number,)) for number in range(asked.workers)]
    killer = threading.Thread(target=pool.kill_some, daemon=True)
    started, shown, stored_after, stopped = time.monotonic(), 0.0, 0.0, False
    status = cloud.start(asked.segments, asked.writes_per_second)
    for thread in (*slots, killer):
        thread.start()
    while status.state is not State.DONE:
        time.sleep(1)
        status = cloud.status()
        if not stored_after and status.comparing:
            stored_after = time.monotonic() - started
        if time.monotonic() - shown > 30:
            shown = time.monotonic()
            report_progress(status, started, rows)
        if not stopped and status.report.scanned > rows / 3:
            stopped = True  # once, in the middle of the storing
            cloud.stop()
            time.sleep(5)  # a killed worker's segment would count as stopping for minutes
            status = cloud.status()
            print(f"stopped at {status.report.scanned:,}, and resumed", flush=True)
            status = cloud.resume()
    seconds = time.monotonic() - started
    pool.stopping.set()
    for thread in slots:
        thread.join()

    report, verification = status.report, status.verification
    print(
        f"\n{rows:,} rows, {asked.segments} segments, {asked.workers} workers: stored in {stored_after:.0f} s "
        f"({rows / stored_after:,.0f} rows/s), stored and compared in {seconds:.0f} s\n"
        f"read {report.scanned:,}, stored {report.stored:,}, superseded {report.superseded:,}, duplicate {report.duplicate:,}, "
        f"skipped {report.skipped:,}; recorded as skipped: {len(cloud.skipped(status.run.run_id)):,}\n"
        f"compared {verification.rows:,}, behind {verification.behind}\n"
        f"killed workers {pool.kills}, messages {sqs.sent}, delivered twice {sqs.twice}\n"
        f"peak memory of a worker {pool.peak_mb:.0f} MB; CPU of workers that were not killed {pool.cpu_seconds:.0f} s",
        flush=True,
    )
    found, wanted = checksum("issues"), expected(rows)
    print(f"JiraIssues has       {found[0]:,} rows, {found[1]:,} issues, checksum {found[2]:016x}")
    print(f"one undisturbed run: {wanted[0]:,} rows, {wanted[1]:,} issues, checksum {wanted[2]:016x}", flush=True)
    agreed = found == wanted and verification.behind == 0 and report.scanned == rows
    if asked.cli:
        agreed = run_command(client, report, found) and agreed
    print("The same." if agreed else "NOT THE SAME.")
    return 0 if agreed else 1


def run_command(client: Any, cloud_report: Any, found: tuple[int, int, int]) -> bool:
    create_table(client, "issues-cli", JIRA_ISSUES)
    writer = IssueWriter(client, "issues-cli", history=timedelta(days=36_500), snapshots=Snapshots())
    started = time.monotonic()
    report = Backfill(client, Checkpoint(None, "legacy", 4), writer).run()
    table = checksum("issues-cli")
    print(
        f"the command: {report.scanned:,} rows in {time.monotonic() - started:.0f} s; "
        f"{table[0]:,} rows, checksum {table[2]:016x}"
    )
    return table == found and (report.scanned, report.skipped) == (cloud_report.scanned, cloud_report.skipped)


if __name__ == "__main__":
    sys.exit(main())
