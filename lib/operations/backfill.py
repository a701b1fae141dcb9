"""Backfill: stores the issues of a legacy table, in the same way as a webhook.

The store keeps the later of two states, so a backfill may run while webhooks arrive, be stopped, and be run again. A legacy
row has the key ``issue_key``, or ``issue_key`` and ``updated_at``, times with ``Z`` or an offset, with or without fraction, and
its issue as a snapshot (one attribute, a map or JSON) or in flat attributes: see docs/how-to/migrate.md.
"""

import functools
import hashlib
import json
import operator
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from lib.jira import snapshot_codec
from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter, Outcome
from lib.jira.issues import IssueFields, Stamp, issue_key, read_fields, read_updated
from lib.jira.webhooks import Delivery
from lib.platform import aws, clock, errors
from lib.platform.dynamodb import Item, paginate
from lib.platform.fields import id_at, optional_object, optional_objects, optional_text, read_object

Result = TypeVar("Result")

_SNAPSHOTS = ("raw", "snapshot", "payload", "issue", "data")
_TRIES = 5
_KEPT_REASONS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a backfill.

    Attributes:
        scanned: legacy rows read.
        stored, superseded, duplicate: their outcomes in the store.
        skipped: rows that are not an issue or can't be read.
        stopped: why segments stopped before their end. Run again with the same checkpoint.
        reasons: why rows were skipped, of the first 20.
    """

    scanned: int = 0
    stored: int = 0
    superseded: int = 0
    duplicate: int = 0
    skipped: int = 0
    stopped: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def plus(self, other: "Report") -> "Report":
        """The sum of both reports."""
        total = Report(*map(operator.add, astuple(self), astuple(other)))
        return replace(total, reasons=total.reasons[:_KEPT_REASONS])


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the store has what the legacy table has. ``behind`` legacy rows are later than the HEAD of their issue, or it has
    none; the first 20 of their keys are in ``keys``."""

    rows: int = 0
    behind: int = 0
    keys: tuple[str, ...] = ()

    def plus(self, other: "Verification") -> "Verification":
        """The sum of both."""
        total = Verification(*map(operator.add, astuple(self), astuple(other)))
        return replace(total, keys=total.keys[:_KEPT_REASONS])


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

    The client needs a read timeout that is long enough for a page. ``on_progress`` is called with each page's report, from any
    thread.
    """

    def __init__(
        self,
        client: Any,
        checkpoint: Checkpoint,
        store: IssueWriter | None,
        *,
        on_progress: Callable[[Report], None] = lambda _report: None,
        page_size: int = 100,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._checkpoint = checkpoint
        self._store = store
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
                result = result.plus(_compare(page["Items"], reader))
        return result

    def _run_segment(self, segment: int) -> Report:
        report = Report()
        if segment in self._checkpoint.reached and self._checkpoint.reached[segment] is None:
            return report
        try:
            for page in self._pages(segment, self._checkpoint.reached.get(segment)):
                stored = sum_up(map(self._store_row, page["Items"]))
                report = report.plus(stored)
                if self._store is not None:
                    self._checkpoint.advance(segment, page.get("LastEvaluatedKey"))
                self._on_progress(stored)
        except errors.SwitchboardError as error:
            report = replace(report, stopped=(f"segment {segment}: {error}",))
        return report

    def _store_row(self, item: Mapping[str, Any]) -> Report:
        try:
            delivery = read_legacy(item)
        except errors.InvalidInputError as error:
            return Report(scanned=1, skipped=1, reasons=(f"{_name(item)}: {error}",))
        store = self._store
        if store is None:
            return Report(scanned=1)
        outcome = self._with_retries(lambda: store.record(delivery)).outcome
        return Report(
            scanned=1,
            stored=int(outcome is Outcome.STORED),
            superseded=int(outcome is Outcome.SUPERSEDED),
            duplicate=int(outcome is Outcome.DUPLICATE),
        )

    def _pages(self, segment: int, start: dict[str, Any] | None) -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": self._checkpoint.table,
            "Segment": segment,
            "TotalSegments": self._checkpoint.segments,
            "Limit": self._page_size,
            **({"ExclusiveStartKey": start} if start else {}),
        }
        return paginate(f"scan {self._checkpoint.table}", self._scan, request, sleep=self._sleep)

    def _scan(self, **request: Any) -> Any:
        def scan() -> Any:
            with aws.translated(f"scan {self._checkpoint.table}"):
                return self._client.scan(**request)

        return self._with_retries(scan)

    def _with_retries(self, call: Callable[[], Result]) -> Result:
        """Call until it succeeds, up to five times. A backfill outruns a table now and then, and can wait."""
        for attempt in range(1, _TRIES):
            try:
                return call()
            except (errors.RetryableError, errors.AmbiguousError):
                self._sleep(0.5 * 2**attempt)
        return call()


def sum_up(reports: Iterable[Report]) -> Report:
    """The sum of all reports."""
    return functools.reduce(Report.plus, reports, Report())


def read_legacy(item: Mapping[str, Any]) -> Delivery:
    """The delivery of a legacy row. Pure: the same row always gives the same delivery.

    Raises:
        InvalidInputError: it is not the row of an issue, or has no time with an offset.
    """
    row = {name: _plain(value) for name, value in item.items()}
    issue = _snapshot(row)
    fields = optional_object(issue, "fields") or {} if issue is not None else {}
    key = issue_key(optional_text(row, "issue_key", max_bytes=256))
    stamped = row.get("updated_at") or row.get("updated") or fields.get("updated")
    updated = read_updated({"updated": stamped})
    if updated is None:
        raise errors.InvalidInputError("the row has no time with an offset")
    sent = row.get("event_at", row.get("timestamp"))
    event_at = int(sent) if isinstance(sent, Decimal) and 0 <= sent < 10**15 else max(0, clock.epoch_ms(updated))
    digest = hashlib.sha256(json.dumps(item, sort_keys=True, default=str).encode()).hexdigest()
    return Delivery(
        issue_key=key,
        issue_id=id_at(issue or {}, "id") or id_at(row, "issue_id"),
        stamp=Stamp(
            clock.canonical(updated),
            event_at,
            optional_text(row, "idempotency_key", max_bytes=256) or f"backfill:{digest}",
        ),
        event_type="backfill",
        fields=read_fields(fields) if fields else _flat_fields(row),
        deleted=row.get("deleted") is True,
        snapshot="" if issue is None else json.dumps(issue, separators=(",", ":"), default=_number),
    )


def _snapshot(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The issue in a row: an attribute that holds an issue or a whole webhook, as a map or as JSON."""
    for name in _SNAPSHOTS:
        value = row.get(name)
        if isinstance(value, bytes) and name == "snapshot":
            value = _decoded(value)
        if isinstance(value, str) and value.startswith("{"):
            value = read_object(value)
        if isinstance(value, dict):
            issue = value.get("issue", value)
            if isinstance(issue, dict) and isinstance(issue.get("fields"), dict):
                return issue
    return None


def _decoded(stored: bytes) -> str:
    """The snapshot of a row that Switchboard wrote."""
    try:
        return snapshot_codec.decode(stored)
    except errors.PayloadTooLargeError as error:
        raise errors.InvalidInputError(str(error)) from error


def _flat_fields(row: Mapping[str, Any]) -> IssueFields:
    versions = row.get("fix_versions", row.get("fixVersions")) or None
    if isinstance(versions, str):
        versions = [versions]
    if isinstance(versions, list):
        versions = [_as_object(version, "name") for version in versions]
    return read_fields(
        {
            "summary": row.get("summary"),
            "status": _as_object(row.get("status"), "name"),
            "assignee": _as_object(row.get("assignee"), "accountId"),
            # Strict, unlike for webhooks: a layout that can only be read in part must not be migrated.
            "fixVersions": optional_objects({"fix_versions": versions}, "fix_versions"),
        }
    )


def _as_object(value: Any, name: str) -> Any:
    return {name: value} if isinstance(value, str) else value


def _plain(value: Mapping[str, Any]) -> Any:
    """The Python value of a DynamoDB attribute."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return Decimal(content)
        case "NULL":
            return None
        case "L":
            return [_plain(element) for element in content]
        case "M":
            return {name: _plain(element) for name, element in content.items()}
        case "SS":
            return sorted(content)
    return content


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _name(item: Mapping[str, Any]) -> str:
    names = (_plain(item[name]) for name in ("issue_key", "updated_at") if name in item)
    return " ".join(str(name)[:60] for name in names)


def _compare(items: Iterable[Mapping[str, Any]], reader: IssueReader) -> Verification:
    wanted: list[tuple[str, str]] = []
    for item in items:
        try:
            delivery = read_legacy(item)
        except errors.InvalidInputError:
            continue
        wanted.append((delivery.issue_key, delivery.stamp.version_at))
    heads = reader.heads([key for key, _ in wanted])
    behind = [key for key, at in wanted if key not in heads or heads[key].stamp.version_at < at]
    return Verification(len(wanted), len(behind), tuple(behind[:_KEPT_REASONS]))
