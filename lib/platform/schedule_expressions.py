"""The expressions of EventBridge Scheduler: ``rate(5 minutes)``, ``cron(0 2 * * ? *)``, ``at(2026-01-22T12:00:00)``.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from datetime import datetime, timedelta

_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_MAX_DAYS = 366 * 5
"""A cron expression without a time in this many days never runs."""


class ExpressionError(ValueError):
    """The expression is wrong, or of a kind that is not supported (``L``, ``W`` and ``#``)."""


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
        raise ExpressionError(f"{expression[:60]} is wrong or not supported") from error
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
