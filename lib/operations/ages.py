"""Lengths of time and instants as people write them: ``30m``, ``12h``, ``90d``, ``4w``; ``2026-01-22T13:00`` in Phoenix."""

import re
from datetime import datetime, timedelta

from lib.platform import clock, errors

_AGE = re.compile(r"([0-9]{1,5})([mhdw])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_age(text: str, *, minutes: bool = True) -> timedelta:
    """The length of time.

    Args:
        text: a number and a unit.
        minutes: whether ``m`` is a unit. Where something is deleted by age, ``3m`` could be meant as months.

    Raises:
        InvalidInputError: it is not one.
    """
    match = _AGE.fullmatch(text)
    if match is None or (match[2] == "m" and not minutes):
        examples = "30m, 12h, 7d or 4w" if minutes else "12h, 90d or 4w"
        raise errors.InvalidInputError(f"{text[:20]!a} is not a length of time: write {examples}")
    return int(match[1]) * _UNITS[match[2]]


def parse_moment(text: str, now: datetime) -> datetime:
    """The instant that is meant.

    Args:
        text: an age before ``now``, or an ISO 8601 time, which is in Phoenix if it has no offset.
        now: the present.

    Raises:
        InvalidInputError: it is neither.
    """
    if _AGE.fullmatch(text):
        return now - parse_age(text)
    for offset in ("", "-07:00"):
        try:
            return clock.parse(text.strip() + offset)
        except ValueError:
            continue
    raise errors.InvalidInputError(f"{text[:40]!a} is not a time: write 30m, 12h, 7d or 2026-01-22T13:00")
