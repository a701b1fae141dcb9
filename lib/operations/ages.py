"""Lengths of time and instants as people write them: ``30m``, ``12h``, ``90d``, ``4w``; ``2026-01-22T13:00`` in Phoenix."""

import re
from datetime import datetime, timedelta

from lib.platform import clock, errors

_AGE = re.compile(r"([0-9]+)([mhdw])", re.ASCII)
_MOST_DIGITS = 5
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_age(text: str, *, minutes: bool = True) -> timedelta:
    """The length of time.

    Args:
        text: a number and a unit.
        minutes: whether ``m`` is a unit. Where something is deleted by age, ``3m`` could be meant as months.

    Raises:
        InvalidInputError: it is not one, or too long.
    """
    match = _AGE.fullmatch(text)
    if match is None or (match[2] == "m" and not minutes):
        examples = "30m, 12h, 7d or 4w" if minutes else "12h, 90d or 4w"
        raise errors.InvalidInputError(f"{text[:20]!a} is not a length of time: write {examples}")
    if len(match[1]) > _MOST_DIGITS:
        raise errors.InvalidInputError(f"{text[:20]!a} is too long: write at most {'9' * _MOST_DIGITS}{match[2]}")
    return int(match[1]) * _UNITS[match[2]]


def parse_moment(text: str, now: datetime) -> datetime:
    """The instant that is meant. It is in 1970 at the earliest: nothing is older, and AWS takes no earlier time.

    Args:
        text: an age before ``now``, or an ISO 8601 time, which is in Phoenix if it has no offset.
        now: the present.

    Raises:
        InvalidInputError: it is neither, or an age that is too long.
    """
    epoch = clock.from_epoch_ms(0)
    if _AGE.fullmatch(text):
        return max(now - parse_age(text), epoch)
    for offset in ("", "-07:00"):
        try:
            return max(clock.parse(text.strip() + offset), epoch)
        except ValueError:
            continue
    raise errors.InvalidInputError(f"{text[:40]!a} is not a time: write 30m, 12h, 7d or 2026-01-22T13:00")
