"""Works on segments of a backfill, one per message of a queue.

::

    message ─► take the segment ─► a page ─► a page ─► … ─┬─ stored and compared to its end: done
                                                          ├─ the run is stopped: release
                                                          └─ time is nearly up: release ─► next message

A message is deleted when its segment is done, released or held by another message. Until then SQS keeps it, so a killed
worker's segment continues when its message is delivered again. A segment is released before the next message is sent, which
therefore finds it free, and before the run is read once more: so a resumed run always has a message (docs/adr/0035).
"""

import functools
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lib.jira.backfill import pages
from lib.jira.backfill.messages import MAX_PARTS, Part, read_part
from lib.jira.backfill.pace import Pace
from lib.jira.backfill.progress import LostSegmentError, Phase, Progress, Segment, Snapshot
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter, Outcome
from lib.jira.items import hinted
from lib.jira.webhooks import Delivery
from lib.platform import clock, errors
from lib.platform.contract import MAX_RECEIVES
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.platform.sqs_batch import Record

RESERVE_SECONDS = 60.0
"""Reserved of an invocation's 15 minutes: for the page that is being stored, and for handing over the rest."""

LAST_WAIT_SECONDS = 15.0
"""With less time left, nothing is retried."""

LOOK_SECONDS = 5.0
"""How often a worker reads the run: whether it is stopped, its bound, and how many segments share it."""

PAGE_SECONDS = 10.0
"""A page has no more rows than the bound allows in this time, so that a stop is noticed soon."""

WRITES_PER_ROW = 2
"""The version and HEAD. A further fix version is one more."""

_LONGEST_WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a worker works with: the clients of the function, the legacy table's ARN, the stores, and the function's queue."""

    client: Any
    source: str
    operations_table_name: str
    writer: IssueWriter
    reader: IssueReader
    queue: Queue
    logger: Logger
    now: clock.Clock = clock.utc_now
    monotonic: clock.Monotonic = clock.monotonic
    sleep: Callable[[float], None] = time.sleep


def work(record: Record, tools: Tools, seconds_left: Callable[[], float]) -> bool:
    """Work on the segment of a message; False if SQS is to deliver the message again."""
    try:
        return _Worker(tools, record, read_part(record.body), seconds_left).run()
    except errors.SwitchboardError as error:
        tools.logger.error("backfill_failed", error, messages=[record.id])
    except Exception as error:
        tools.logger.defect("backfill_failed", error, messages=[record.id])
    return False


class _Worker:
    """One invocation."""

    def __init__(self, tools: Tools, record: Record, part: Part, seconds_left: Callable[[], float]) -> None:
        self._tools = tools
        self._record = record
        self._part = part
        self._seconds_left = seconds_left
        self._progress = Progress(tools.client, tools.operations_table_name, wait=self._wait, now=tools.now)
        self._pace = Pace(1, now=tools.monotonic, sleep=tools.sleep)
        self._look_at = 0.0

    def run(self) -> bool:
        seen = self._read_run()
        if seen is None:
            return self._end("not_running")
        try:
            segment = self._progress.take(self._part.run_id, self._part.segment, self._record.id, uuid.uuid4().hex)
            return self._end("done") if segment is None else self._attempt(segment, seen)
        except LostSegmentError as lost:
            # Another message brings the segment to its end. This one is kept if another delivery of it does.
            self._end("held")
            return not lost.to_same_message

    def _attempt(self, segment: Segment, seen: Snapshot) -> bool:
        try:
            return self._work(segment, seen)
        except errors.SwitchboardError as error:
            self._progress.fail(segment, str(error), finally_=self._record.receives >= MAX_RECEIVES)
            raise

    def _work(self, segment: Segment, seen: Snapshot) -> bool:
        begun = segment.pages
        current: Snapshot | None = seen
        while current is not None and segment.phase is not Phase.DONE and self._seconds_left() > RESERVE_SECONDS:
            segment = self._progress.advance(self._page(segment, current.run.segments))
            if self._tools.monotonic() >= self._look_at:
                current = self._read_run()
        if segment.phase is Phase.DONE:
            return self._end("done", segment)
        if current is not None and segment.pages == begun:
            raise errors.UnavailableError("no page could be done within one invocation")
        if self._part.number >= MAX_PARTS:
            raise errors.LimitReachedError(f"the segment is not done after {MAX_PARTS} invocations")
        self._progress.release(segment)
        if self._read_run() is None:
            return self._end("stopped", segment)
        self._tools.queue.send(replace(self._part, number=self._part.number + 1).to_body())
        return self._end("continued", segment)

    def _read_run(self) -> Snapshot | None:
        """The run with its segments, whose bound counts from now on; None if it is not running."""
        seen = self._progress.read(self._part.run_id)
        self._look_at = self._tools.monotonic() + LOOK_SECONDS
        if seen is None or not seen.run.running:
            return None
        # Each unfinished segment may have a worker, so that all of them together never exceed the bound.
        self._pace.per_second = seen.run.writes_per_second / max(1, len(seen.unfinished))
        self._pace.recover()
        return seen

    def _page(self, segment: Segment, segments: int) -> Segment:
        size = min(pages.PAGE_SIZE, max(1, int(self._pace.per_second * PAGE_SECONDS / WRITES_PER_ROW)))
        scan = functools.partial(
            pages.scan, self._tools.client, self._tools.source, segment.number, segments, segment.position, page_size=size
        )
        page = pages.with_retries(scan, self._wait)
        end = page.get("LastEvaluatedKey")
        if segment.phase is Phase.STORE:
            report = pages.store(page["Items"], self._record_row)
            self._progress.record_skipped(segment, report.reasons)
            moved = replace(segment, report=segment.report.plus(report))
        else:
            compare = functools.partial(pages.compare, page["Items"], self._tools.reader)
            moved = replace(segment, verification=segment.verification.plus(pages.with_retries(compare, self._wait)))
        following = Phase.COMPARE if segment.phase is Phase.STORE else Phase.DONE
        return replace(moved, position=end, phase=segment.phase if end else following)

    def _record_row(self, delivery: Delivery) -> Outcome:
        self._pace.take(WRITES_PER_ROW + len(hinted(delivery.fields.fix_versions)))
        return pages.with_retries(lambda: self._tools.writer.record(delivery).outcome, self._wait)

    def _wait(self, attempt: int, error: errors.SwitchboardError) -> bool:
        """Wait longer with each attempt, as long as there is time."""
        if isinstance(error, errors.ThrottledError):
            self._pace.slow()
        seconds = min(_LONGEST_WAIT_SECONDS, 0.25 * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311 - not for security
        if self._seconds_left() - seconds < LAST_WAIT_SECONDS:
            return False
        self._tools.sleep(seconds)
        return True

    def _end(self, outcome: str, segment: Segment | None = None) -> bool:
        report = segment.report if segment else None
        counts = {"scanned": report.scanned, "skipped": report.skipped, "pages": segment.pages} if segment and report else {}
        part = self._part
        self._tools.logger.info(
            "backfill_part", backfill=part.run_id, segment=part.segment, part=part.number, outcome=outcome, **counts
        )
        return True
