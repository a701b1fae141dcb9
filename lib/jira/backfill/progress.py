"""The progress of a backfill in the cloud: rows of JiraOperations.

::

    backfill#<run>          RUN            what runs, at which pace, and whether it is stopped
    backfill#<run>          SEGMENT#0007   how far the segment is, its counts, and who works on it
    backfill#<run>#skipped  a legacy key   why its row was skipped

The row of a segment is the only record of its position: a message names the segment, and no position. So a message that is
delivered twice, late or after its worker was killed repeats one page at most. Every write of a segment is conditional: a
worker takes only a free one, and counts a page only if it still owns the segment and no other page was counted since.
"""

import enum
import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from lib.jira.backfill.pages import Wait, with_retries
from lib.jira.backfill.report import Report, Verification
from lib.platform import clock
from lib.platform.contract import BACKFILL_PARTITIONS
from lib.platform.dynamodb import Applied, Condition, Item, Table, Update, number

LEASE = timedelta(minutes=1)
"""How long a worker owns a segment after its last page. It is over when the message of a killed worker is delivered again,
since that takes longer than an invocation."""

KEPT = timedelta(days=90)
"""How long the rows are kept after the last change."""

_RUN = "RUN"
_SEGMENT = "SEGMENT#"
_MAX_ERROR = 300
_FREE = "#phase <> :done AND (attribute_not_exists(#owner) OR #owner = :owner OR #lease_until < :now)"
_OWNERSHIP = ("message", "owner", "lease_until")
_COUNTS = ("scanned", "stored", "superseded", "duplicate", "skipped")


class Phase(enum.Enum):
    """What is next in a segment: a segment is stored to its end, then compared from its beginning, then done."""

    STORE = "store"
    COMPARE = "compare"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A backfill in the cloud.

    Attributes:
        run_id: names it; sorts by time.
        source: the ARN of the legacy table.
        segments: the number of parallel scans.
        writes_per_second: the bound over all segments.
        first_phase: COMPARE if nothing is to be stored.
        running: whether it is not stopped. A run whose segments are all done is still running.
        started_at: canonical time.
    """

    run_id: str
    source: str
    segments: int
    writes_per_second: int
    first_phase: Phase
    running: bool
    started_at: str

    def to_item(self) -> Item:
        """Its row."""
        return {
            **run_key(self.run_id),
            "run_id": {"S": self.run_id},
            "source": {"S": self.source},
            "segments": number(self.segments),
            "writes_per_second": number(self.writes_per_second),
            "first_phase": {"S": self.first_phase.value},
            "running": {"BOOL": self.running},
            "started_at": {"S": self.started_at},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the scan.

    Attributes:
        run_id, number: name it.
        phase: what is next.
        position: the last key of the phase that is done; None at its beginning.
        pages: how many pages were counted, in all phases.
        report: the outcomes of the rows.
        verification: the result of the comparison.
        message, owner: the SQS message and the invocation that work on it.
        moved_at: canonical time of the last change; empty before the first.
        error: why the last attempt failed.
        failed: whether that was the last attempt: its message is a dead letter.
    """

    run_id: str
    number: int
    phase: Phase = Phase.STORE
    position: Item | None = field(default=None, repr=False)
    pages: int = 0
    report: Report = field(default_factory=Report)
    verification: Verification = field(default_factory=Verification)
    message: str = ""
    owner: str = ""
    moved_at: str = ""
    error: str = ""
    failed: bool = False

    def to_item(self) -> Item:
        """Its row before anybody worked on it."""
        return {**segment_key(self.run_id, self.number), "phase": {"S": self.phase.value}, "pages": number(0)}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run and its segments at one time."""

    run: Run
    segments: tuple[Segment, ...]

    @property
    def unfinished(self) -> tuple[Segment, ...]:
        """The segments that are not done."""
        return tuple(segment for segment in self.segments if segment.phase is not Phase.DONE)


class LostSegmentError(Exception):
    """Another worker has the segment. ``to_same_message``: it received another delivery of the same message."""

    def __init__(self, *, to_same_message: bool) -> None:
        super().__init__("another worker has the segment")
        self.to_same_message = to_same_message


class Progress:
    """The rows in one JiraOperations table. ``client`` is a DynamoDB client of :mod:`lib.platform.aws`.

    Every method raises SwitchboardError if the table can't be reached or refuses; ``wait`` says how often it tries.
    """

    def __init__(self, client: Any, table_name: str, *, wait: Wait, now: clock.Clock = clock.utc_now) -> None:
        self._table = Table(client, table_name)
        self._wait = wait
        self._now = now

    def read(self, run_id: str) -> Snapshot | None:
        """A run and its segments; None if there is no such run. One query."""
        items = with_retries(
            lambda: list(
                self._table.query(
                    "read the progress of the backfill",
                    KeyConditionExpression="session_id = :run",
                    ExpressionAttributeValues={":run": {"S": BACKFILL_PARTITIONS + run_id}},
                    ConsistentRead=True,
                )
            ),
            self._wait,
        )
        runs = [_read_run(item) for item in items if item["operation_key"]["S"] == _RUN]
        segments = (_read_segment(run_id, item) for item in items if item["operation_key"]["S"].startswith(_SEGMENT))
        return Snapshot(runs[0], tuple(segments)) if runs else None

    def take(self, run_id: str, number_: int, message: str, owner: str) -> Segment | None:
        """Own a segment; None if it is done or unknown.

        Raises:
            LostSegmentError: it has another owner.
        """
        values = {":done": {"S": Phase.DONE.value}, ":now": {"S": clock.canonical(self._now())}}
        update = Update(
            key=segment_key(run_id, number_),
            sets={"message": {"S": message}, "owner": {"S": owner}, **self._moved()},
            removes=("failed",),
            condition=Condition(expression=f"attribute_exists(session_id) AND {_FREE}", values=values),
        )
        taken = self._update(update, "take a segment")
        if taken.item is None or _text(taken.item, "phase") == Phase.DONE.value:
            return None
        if not taken.accepted:
            raise _lost(taken.item, message)
        return _read_segment(run_id, taken.item)

    def advance(self, segment: Segment) -> Segment:
        """Record ``segment``, which its owner has changed by one page.

        Raises:
            LostSegmentError: it has another owner.
        """
        report, verification = segment.report, segment.verification
        counts = {name: number(getattr(report, name)) for name in _COUNTS}
        counts |= {"compared": number(verification.rows), "behind": number(verification.behind)}
        position = {"position": {"M": segment.position}} if segment.position else {}
        update = Update(
            key=segment_key(segment.run_id, segment.number),
            sets={
                **counts,
                **position,
                "phase": {"S": segment.phase.value},
                "pages": number(segment.pages + 1),
                "reasons": {"L": [{"S": reason} for reason in report.reasons]},
                "behind_keys": {"L": [{"S": key} for key in verification.keys]},
                **self._moved(),
            },
            removes=("error",) if position else ("error", "position"),
            condition=_owned(segment, " AND #pages = :before", {":before": number(segment.pages)}),
        )
        moved = replace(segment, pages=segment.pages + 1, error="")
        applied = self._update(update, "record a page")
        # An earlier try whose answer was lost may have recorded this page.
        if applied.accepted or _is_recorded(applied.item, moved):
            return moved
        raise _lost(applied.item, segment.message)

    def release(self, segment: Segment) -> None:
        """Let another message have the segment.

        Raises:
            LostSegmentError: it has another owner.
        """
        update = Update(
            key=segment_key(segment.run_id, segment.number),
            sets={"moved_at": {"S": clock.canonical(self._now())}},
            removes=_OWNERSHIP,
            condition=_owned(segment),
        )
        applied = self._update(update, "release a segment")
        if not applied.accepted and "owner" in (applied.item or {}):
            raise _lost(applied.item, segment.message)

    def fail(self, segment: Segment, error: str, *, finally_: bool) -> None:
        """Record why an attempt failed and let another message have the segment, unless it has another owner."""
        update = Update(
            key=segment_key(segment.run_id, segment.number),
            sets={
                "error": {"S": error[:_MAX_ERROR]},
                "moved_at": {"S": clock.canonical(self._now())},
                **({"failed": {"BOOL": True}} if finally_ else {}),
            },
            removes=_OWNERSHIP,
            condition=_owned(segment),
        )
        self._update(update, "record a failure")

    def record_skipped(self, segment: Segment, reasons: tuple[str, ...]) -> None:
        """Record rows that were skipped, each once however often its page is repeated."""
        for reason in reasons:
            digest = hashlib.sha256(reason.encode()).hexdigest()
            key = {**skipped_partition(segment.run_id), "operation_key": {"S": f"SKIPPED#{segment.number:04}#{digest[:32]}"}}
            self._update(Update(key=key, sets={"reason": {"S": reason}, **self._kept()}), "record a skipped row")

    def _update(self, update: Update, doing: str) -> Applied:
        return with_retries(lambda: self._table.update(update, doing), self._wait)

    def _moved(self) -> Item:
        now = self._now()
        times = {"moved_at": clock.canonical(now), "lease_until": clock.canonical(now + LEASE)}
        return {**{name: {"S": time} for name, time in times.items()}, **self._kept()}

    def _kept(self) -> Item:
        return kept_from(self._now())


def kept_from(now: datetime) -> Item:
    """When a row that changed at ``now`` expires."""
    return {"expires_at": number(clock.epoch_s(now + KEPT))}


def run_key(run_id: str) -> Item:
    """The key of a run's row."""
    return {"session_id": {"S": BACKFILL_PARTITIONS + run_id}, "operation_key": {"S": _RUN}}


def segment_key(run_id: str, segment: int) -> Item:
    """The key of a segment's row."""
    return {"session_id": {"S": BACKFILL_PARTITIONS + run_id}, "operation_key": {"S": f"{_SEGMENT}{segment:04}"}}


def skipped_partition(run_id: str) -> Item:
    """The partition of a run's skipped rows."""
    return {"session_id": {"S": f"{BACKFILL_PARTITIONS}{run_id}#skipped"}}


def _owned(segment: Segment, more: str = "", values: Item | None = None) -> Condition:
    return Condition(expression=f"#owner = :owner{more}", values={":owner": {"S": segment.owner}, **(values or {})})


def _is_recorded(item: Item | None, segment: Segment) -> bool:
    row = item or {}
    return _text(row, "owner") == segment.owner and _count(row, "pages") == segment.pages


def _lost(item: Item | None, message: str) -> LostSegmentError:
    return LostSegmentError(to_same_message=_text(item or {}, "message") == message)


def _read_run(item: Item) -> Run:
    return Run(
        run_id=item["run_id"]["S"],
        source=item["source"]["S"],
        segments=int(item["segments"]["N"]),
        writes_per_second=int(item["writes_per_second"]["N"]),
        first_phase=Phase(item["first_phase"]["S"]),
        running=item["running"]["BOOL"],
        started_at=item["started_at"]["S"],
    )


def _read_segment(run_id: str, item: Item) -> Segment:
    return Segment(
        run_id=run_id,
        number=int(item["operation_key"]["S"].removeprefix(_SEGMENT)),
        phase=Phase(item["phase"]["S"]),
        position=item["position"]["M"] if "position" in item else None,
        pages=_count(item, "pages"),
        report=Report(
            scanned=_count(item, "scanned"),
            stored=_count(item, "stored"),
            superseded=_count(item, "superseded"),
            duplicate=_count(item, "duplicate"),
            skipped=_count(item, "skipped"),
            reasons=_texts(item, "reasons"),
        ),
        verification=Verification(_count(item, "compared"), _count(item, "behind"), _texts(item, "behind_keys")),
        message=_text(item, "message"),
        owner=_text(item, "owner"),
        moved_at=_text(item, "moved_at"),
        error=_text(item, "error"),
        failed="failed" in item,
    )


def _count(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def _text(item: Item, name: str) -> str:
    return str(item[name]["S"]) if name in item else ""


def _texts(item: Item, name: str) -> tuple[str, ...]:
    return tuple(each["S"] for each in item[name]["L"]) if name in item else ()
