"""A backfill on this machine: segments in threads, and a checkpoint in a file. lib/jira/backfill/ processes the rows."""

import functools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lib.jira.backfill import pages
from lib.jira.backfill.report import Report, Verification, sum_up
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter, Outcome
from lib.jira.webhooks import Delivery
from lib.platform import errors
from lib.platform.dynamodb import Item, paginate

_TRIES = 5


@dataclass(slots=True)
class Checkpoint:
    """The progress of each segment, in a file, so that a stopped backfill can be resumed.

    Attributes:
        path: the file; None keeps it in memory.
        table: the legacy table.
        segments: the number of parallel scans; the same for the whole backfill.
        reached: the last key of each segment that was started; None for one that is done.
    """

    path: Path | None
    table: str
    segments: int
    reached: dict[int, dict[str, Any] | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """The checkpoint of a file.

        Raises:
            InvalidInputError: it can't be read.
        """
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            reached = {int(segment): key for segment, key in value["reached"].items()}
            return cls(path, str(value["table"]), int(value["segments"]), reached)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise errors.InvalidInputError(f"the checkpoint {path} can't be read: {error}") from None

    def advance(self, segment: int, key: dict[str, Any] | None) -> None:
        """Record that ``segment`` is done up to ``key``, or to its end (None)."""
        with self._lock:
            self.reached[segment] = key
            if self.path is None:
                return
            value = {"table": self.table, "segments": self.segments, "reached": self.reached}
            written = self.path.with_suffix(self.path.suffix + ".new")
            written.write_text(json.dumps(value), encoding="utf-8")
            written.replace(self.path)  # whole or not at all


class Backfill:
    """A backfill from the legacy table of ``checkpoint`` to ``store``; None is a dry run.

    The client needs a read timeout that is long enough for a page. ``keys`` are the key attributes of the legacy table, which
    name a skipped row. ``on_progress`` is called with each page's report, from any thread.
    """

    def __init__(
        self,
        client: Any,
        checkpoint: Checkpoint,
        store: IssueWriter | None,
        *,
        keys: tuple[str, ...] = (),
        on_progress: Callable[[Report], None] = lambda _report: None,
        page_size: int = pages.PAGE_SIZE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._checkpoint = checkpoint
        self._record = functools.partial(self._record_in, store) if store is not None else None
        self._keys = keys
        self._on_progress = on_progress
        self._page_size = page_size
        self._sleep = sleep

    def run(self) -> Report:
        """Store every row after the checkpoint, segments in parallel. Errors are in the report."""
        with ThreadPoolExecutor(self._checkpoint.segments, thread_name_prefix="backfill") as pool:
            reports = list(pool.map(self._run_segment, range(self._checkpoint.segments)))
        return sum_up(reports)

    def verify(self, reader: IssueReader) -> Verification:
        """Scan the legacy table again and compare each row with its issue's HEAD.

        Raises:
            SwitchboardError: a table can't be read.
        """
        result = Verification()
        for segment in range(self._checkpoint.segments):
            for page in self._pages(segment, None):
                result = result.plus(pages.compare(page["Items"], reader))
        return result

    def _run_segment(self, segment: int) -> Report:
        report = Report()
        if segment in self._checkpoint.reached and self._checkpoint.reached[segment] is None:
            return report
        try:
            for page in self._pages(segment, self._checkpoint.reached.get(segment)):
                stored = pages.store(page["Items"], self._record, self._keys)
                report = report.plus(stored)
                if self._record is not None:
                    self._checkpoint.advance(segment, page.get("LastEvaluatedKey"))
                self._on_progress(stored)
        except errors.SwitchboardError as error:
            report = replace(report, stopped=(f"segment {segment}: {error}",))
        return report

    def _record_in(self, store: IssueWriter, delivery: Delivery) -> Outcome:
        return pages.with_retries(lambda: store.record(delivery).outcome, self._wait)

    def _pages(self, segment: int, start: dict[str, Any] | None) -> Iterator[Item]:
        table, segments = self._checkpoint.table, self._checkpoint.segments

        def read(*, ExclusiveStartKey: dict[str, Any] | None) -> Item:  # noqa: N803 - DynamoDB's name
            scan = functools.partial(
                pages.scan, self._client, table, segment, segments, ExclusiveStartKey, page_size=self._page_size
            )
            return pages.with_retries(scan, self._wait)

        return paginate(f"scan {table}", read, {"ExclusiveStartKey": start})

    def _wait(self, attempt: int, _: errors.SwitchboardError) -> bool:
        if attempt == _TRIES:
            return False
        self._sleep(0.5 * 2**attempt)
        return True
