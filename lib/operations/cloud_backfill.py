"""Starts, stops and reports the backfill that the function ``backfill`` works on (lib/jira/backfill/worker.py).

A deployment has one backfill at a time. The row ``backfill#current`` / ``RUN`` of JiraOperations names the last one.
"""

import enum
import functools
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from lib.jira.backfill.messages import Part
from lib.jira.backfill.progress import (
    LEASE,
    Phase,
    Progress,
    Run,
    Segment,
    Snapshot,
    kept_from,
    run_key,
    skipped_partition,
)
from lib.jira.backfill.report import Report, Verification, sum_up
from lib.platform import clock, errors
from lib.platform.contract import BACKFILL_PARTITIONS
from lib.platform.dynamodb import Condition, Item, Put, Table, Update
from lib.platform.queues import Queue

STALLED_AFTER = timedelta(minutes=20)
"""The message of a killed worker is delivered again after 16 minutes."""

_CURRENT: Item = {"session_id": {"S": f"{BACKFILL_PARTITIONS}current"}, "operation_key": {"S": "RUN"}}


class State(enum.Enum):
    """What a backfill does. STOPPING: workers finish their pages. FAILED: what is left needs ``resume``."""

    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A backfill at one time.

    Attributes:
        run: what runs.
        state: what it does.
        report: the outcomes of the rows so far.
        verification: the result of the comparison so far.
        done: how many segments are done.
        comparing: whether every segment is stored.
        failed: the segments that no worker processes any longer: their message is a dead letter, or was lost.
        notes: the last error of each segment that has one.
    """

    run: Run
    state: State
    report: Report
    verification: Verification
    done: int
    comparing: bool
    failed: tuple[int, ...]
    notes: tuple[str, ...]


def judge(seen: Snapshot, now: clock.Clock = clock.utc_now) -> Status:
    """The status of a backfill from its rows. Pure."""
    at = now()
    unfinished = seen.unfinished
    working = [each for each in unfinished if each.owner and not each.failed and _age(each, seen.run, at) < LEASE]
    lost = [each for each in unfinished if each.failed or _age(each, seen.run, at) >= STALLED_AFTER]
    if not unfinished:
        state = State.DONE
    elif not seen.run.running:
        state = State.STOPPING if working else State.STOPPED
    else:
        state = State.FAILED if len(lost) == len(unfinished) else State.RUNNING
    return Status(
        run=seen.run,
        state=state,
        report=sum_up(each.report for each in seen.segments),
        verification=functools.reduce(Verification.plus, (each.verification for each in seen.segments), Verification()),
        done=len(seen.segments) - len(unfinished),
        comparing=all(each.phase is not Phase.STORE for each in seen.segments),
        failed=tuple(each.number for each in lost),
        notes=tuple(f"segment {each.number}: {each.error}" for each in unfinished if each.error),
    )


def _age(segment: Segment, run: Run, now: Any) -> timedelta:
    age: timedelta = now - clock.parse(segment.moved_at or run.started_at)
    return age


class CloudBackfill:
    """The backfill of a deployment. Every method raises SwitchboardError if a table or the queue can't be reached.

    Args:
        client: a DynamoDB client of :mod:`lib.platform.aws`.
        operations_table_name: the table JiraOperations.
        source: the ARN of the legacy table.
        queue: the queue of the function ``backfill``.
        now: the clock.
    """

    def __init__(
        self, client: Any, operations_table_name: str, source: str, queue: Queue, *, now: clock.Clock = clock.utc_now
    ) -> None:
        self._table = Table(client, operations_table_name)
        self._progress = Progress(client, operations_table_name, wait=lambda *_: False, now=now)
        self._source = source
        self._queue = queue
        self._now = now

    def status(self) -> Status:
        """The last backfill.

        Raises:
            NotFoundError: there is none.
        """
        return judge(self._read(), self._now)

    def start(self, segments: int, writes_per_second: int, *, compare_only: bool = False) -> Status:
        """Start a backfill from the beginning.

        Raises:
            InvalidInputError: one is running.
        """
        before = self._current()
        seen = self._progress.read(before) if before else None
        if seen is not None and judge(seen, self._now).state not in (State.DONE, State.STOPPED):
            raise errors.InvalidInputError(f"the backfill {before} is not finished: follow it, or stop it first")
        at = self._now()
        run = Run(
            run_id=f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
            source=self._source,
            segments=segments,
            writes_per_second=writes_per_second,
            first_phase=Phase.COMPARE if compare_only else Phase.STORE,
            running=True,
            started_at=clock.canonical(at),
        )
        parts = [Segment(run_id=run.run_id, number=number, phase=run.first_phase) for number in range(segments)]
        kept = kept_from(at)
        rows = (run.to_item(), *(each.to_item() for each in parts))
        self._table.batch_write((Put(item={**row, **kept}) for row in rows), "store the backfill", tries=5)
        latest = Put(
            item={**_CURRENT, "run_id": {"S": run.run_id}, **kept},
            condition=Condition(
                expression="attribute_not_exists(session_id) OR run_id = :before", values={":before": {"S": before or "-"}}
            ),
        )
        if not self._table.put(latest, "start the backfill").accepted:
            raise errors.InvalidInputError("another backfill was started at the same time: follow that one")
        self._send(parts)
        return judge(Snapshot(run, tuple(parts)), self._now)

    def stop(self) -> Status:
        """Have the workers stop after their pages. What was stored stays, and :meth:`resume` continues."""
        return self._switch(self._read(), running=False)

    def resume(self, writes_per_second: int | None = None) -> Status:
        """Continue a backfill that is stopped or has failed, perhaps at another pace. Segments in progress are not disturbed.

        Raises:
            InvalidInputError: it is done.
        """
        seen = self._read()
        if not seen.unfinished:
            raise errors.InvalidInputError(f"the backfill {seen.run.run_id} is done")
        status = self._switch(seen, running=True, writes_per_second=writes_per_second)
        self._send(seen.unfinished)
        return status

    def skipped(self, run_id: str) -> list[str]:
        """Why rows were skipped, all of them."""
        partition = skipped_partition(run_id)["session_id"]
        items = self._table.query(
            "list the skipped rows",
            KeyConditionExpression="session_id = :partition",
            ExpressionAttributeValues={":partition": partition},
        )
        return [item["reason"]["S"] for item in items]

    def _current(self) -> str | None:
        item = self._table.get(_CURRENT, "find the backfill")
        return str(item["run_id"]["S"]) if item else None

    def _read(self) -> Snapshot:
        current = self._current()
        seen = self._progress.read(current) if current else None
        if seen is None:
            raise errors.NotFoundError("no backfill was started in the cloud in the last 90 days")
        return seen

    def _switch(self, seen: Snapshot, *, running: bool, writes_per_second: int | None = None) -> Status:
        run = replace(seen.run, running=running, writes_per_second=writes_per_second or seen.run.writes_per_second)
        changed = {name: run.to_item()[name] for name in ("running", "writes_per_second")}
        self._table.update(Update(key=run_key(run.run_id), sets=changed), "change the backfill")
        return judge(Snapshot(run, seen.segments), self._now)

    def _send(self, segments: Iterable[Segment]) -> None:
        for segment in segments:
            self._queue.send(Part(run_id=segment.run_id, segment=segment.number).to_body())
