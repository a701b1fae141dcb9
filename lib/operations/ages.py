"""Lengths of time as people write them: ``30m``, ``12h``, ``90d``, ``4w``."""

import re
from datetime import timedelta

from lib.platform import errors

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
