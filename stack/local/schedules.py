"""Runs the schedules of EventBridge Scheduler, which moto only stores (``up --schedules``).

It reads them before each check, so a schedule that is created, changed or disabled through the AWS API counts at once.
"""

import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from moto.scheduler.models import scheduler_backends

from lib.platform.schedule_expressions import ExpressionError, next_run

_CHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule as it is when it should run."""

    arn: str
    name: str
    expression: str
    timezone: str
    function_arn: str
    role_arn: str
    payload: str


Invoke = Callable[[str, str, str], None]
"""Invokes a function asynchronously: its ARN, the payload, and the ARN of the role that may do it."""


class Planner:
    """Decides what is due. A schedule counts from when the planner first sees it, or sees it changed."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, str, str], datetime | None] = {}

    def due(self, schedules: Iterable[Due], now: datetime) -> list[Due]:
        """The schedules that should run at ``now``; each run is due once."""
        planned: dict[tuple[str, str, str], datetime | None] = {}
        found = []
        for schedule in schedules:
            key = (schedule.arn, schedule.expression, schedule.timezone)
            if key in self._next:
                moment = self._next[key]
                if moment is not None and moment <= now:
                    found.append(schedule)
                    moment = _next_or_never(schedule, now)
            else:
                moment = _next_or_never(schedule, now)
            planned[key] = moment
        self._next = planned
        return found


def _next_or_never(schedule: Due, now: datetime) -> datetime | None:
    try:
        return next_run(schedule.expression, now.astimezone(ZoneInfo(schedule.timezone)))
    except (ExpressionError, ZoneInfoNotFoundError) as error:
        print(f"local cloud: schedule {schedule.name} never runs: {error}", file=sys.stderr)
        return None


class ScheduleRunner:
    """One thread that runs the enabled schedules of a local cloud."""

    def __init__(
        self, account_id: str, region: str, invoke: Invoke, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._backend: Any = scheduler_backends[account_id][region]
        self._invoke = invoke
        self._now = now
        self._planner = Planner()
        self._stop = threading.Event()
        self.check()
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Run what is due."""
        for due in self._planner.due(self._enabled(), self._now()):
            try:
                self._invoke(due.function_arn, due.payload, due.role_arn)
            except Exception as error:  # the other schedules must run
                print(f"local cloud: schedule {due.name} could not start its function: {error}", file=sys.stderr)

    def close(self) -> None:
        """Stop; runs that have started continue."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(_CHECK_SECONDS):
            self.check()

    def _enabled(self) -> list[Due]:
        return [
            Due(
                arn=schedule.arn,
                name=schedule.name,
                expression=schedule.schedule_expression,
                timezone=schedule.schedule_expression_timezone or "UTC",
                function_arn=schedule.target["Arn"],
                role_arn=schedule.target["RoleArn"],
                payload=schedule.target.get("Input") or "{}",
            )
            for group in list(self._backend.schedule_groups.values())
            for schedule in list(group.schedules.values())
            if schedule.state != "DISABLED"  # moto stores no state if an update names none
        ]
