"""EventBridge Scheduler: moto stores schedules, and this module runs them (``up --schedules``).

It reads them before each check, so a schedule that is created, changed or disabled through the AWS API counts at once.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from moto.scheduler.models import scheduler_backends

_CHECK_SECONDS = 1.0
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_MAX_DAYS = 366 * 5
"""A cron expression without a time in this many days never runs."""


class ExpressionError(ValueError):
    """The expression is wrong, or of a kind that the local cloud does not run (``L``, ``W`` and ``#``)."""


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


def next_run(expression: str, after: datetime) -> datetime | None:
    """When a schedule runs next, in the time zone of ``after``; None for never. A rate counts from ``after``.

    Raises:
        ExpressionError: see there.
    """
    kind, _, rest = expression.strip().partition("(")
    if not rest.endswith(")"):
        raise ExpressionError(f"{expression[:60]} is not rate(…), cron(…) or at(…)")
    fields = rest[:-1].split()
    try:
        if kind == "rate":
            count, unit = fields
            period = int(count) * _UNITS[unit.removesuffix("s")]
            if period <= timedelta():
                raise ValueError("a rate is positive")
            return after + period
        if kind == "at":
            moment = datetime.fromisoformat(rest[:-1]).replace(tzinfo=after.tzinfo)
            return moment if moment > after else None
        if kind == "cron":
            return _next_of_cron(fields, after)
    except (ValueError, KeyError) as error:
        raise ExpressionError(f"the local cloud can't run {expression[:60]}") from error
    raise ExpressionError(f"{expression[:60]} is not rate(…), cron(…) or at(…)")


def _next_of_cron(fields: list[str], after: datetime) -> datetime | None:
    minute, hour, day, month, weekday, year = fields
    minutes, hours = _numbers(minute, 0, 59), _numbers(hour, 0, 23)
    days, months = _numbers(day, 1, 31), _numbers(month, 1, 12, _MONTHS)
    weekdays, years = _numbers(weekday, 1, 7, _WEEKDAYS), _numbers(year, 1970, 2199)
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for offset in range(_MAX_DAYS):
        date = first.date() + timedelta(days=offset)
        is_day = date.day in days and date.isoweekday() % 7 + 1 in weekdays
        if not (is_day and date.month in months and date.year in years):
            continue
        for at_hour in sorted(hours):
            for at_minute in sorted(minutes):
                moment = datetime(date.year, date.month, date.day, at_hour, at_minute, tzinfo=after.tzinfo)
                if moment >= first:
                    return moment
    return None


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    def number(text: str) -> int:
        value = (names or {}).get(text.upper())
        value = int(text) if value is None else value
        if not low <= value <= high:
            raise ValueError(f"{text} is not from {low} to {high}")
        return value

    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        if span in {"*", "?"}:
            first, last = low, high
        else:
            start, dash, end = span.partition("-")
            first = number(start)
            last = number(end) if dash else high if slash else first
        found.update(range(first, last + 1, int(step) if slash else 1))
    return frozenset(found)


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
        """Stop; runs that have started go on."""
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
