"""Turns values from strangers into text for people: any type, any length, never an error.

What can't be used becomes empty text or None, so that a message leaves it out. Nothing here knows events or channels.
"""

import math
import re
from datetime import timedelta
from decimal import Decimal

from lib.platform import characters

LIMIT = 200
"""Characters of a value in a message, unless the field has a limit of its own."""
LARGEST_AMOUNT = Decimal(10) ** 12

_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,10})?", re.ASCII)
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_EMAIL = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.)+[A-Za-z0-9-]{2,63}")


def text(value: object, limit: int = LIMIT) -> str:
    """One line of at most ``limit`` characters: text and numbers as they are, true and false as yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        number = amount(value)
        return "" if number is None else f"{number.normalize():f}"
    if not isinstance(value, str):
        return ""
    # Cut before the work, so that a long value costs no more than a short one; what is cut again below is never shown.
    line = " ".join(characters.blank(value[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def amount(value: object) -> Decimal | None:
    """A number, also one written as text; None for what is none or has no sensible size."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int) and abs(value) < LARGEST_AMOUNT:
        return Decimal(value)
    if isinstance(value, float) and math.isfinite(value) and abs(value) < LARGEST_AMOUNT:
        return round(Decimal(repr(value)), 10)
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < LARGEST_AMOUNT:
        return round(value, 10)
    return None


def money(dollars: Decimal) -> str:
    """``$1,234.50``: the lease system counts in US dollars."""
    return f"{'-' if dollars < 0 else ''}${abs(dollars):,.2f}"


def span(duration: timedelta) -> str:
    """``6 days 23 hours``, ``24 hours``, ``5 hours 12 minutes``, ``less than a minute``; days from the second day on."""
    minutes = int(duration.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    days, hours = (minutes // 1440, minutes % 1440 // 60) if minutes > 2 * 1440 else (0, minutes // 60)
    parts = ((days, "day"), (hours, "hour"), (0 if days else minutes % 60, "minute"))
    return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count)


def hours(value: object) -> str:
    """A duration given in hours, in words; empty for what is no positive number of hours below a century."""
    number = amount(value)
    if number is None or not 0 < number < 24 * 36525:
        return ""
    return span(timedelta(hours=float(number)))


def email(value: object) -> str:
    """An e-mail address as it stands, or empty text if it is none that mail can be sent to."""
    if isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value):
        return value
    return ""


def readable(line: str) -> str:
    """``line``, with a constant (``SOME_NEW_REASON``) as words. Text that is not one constant as a whole stays as it is."""
    return words(line) if _CONSTANT.fullmatch(line) else line


def words(name: str) -> str:
    """A name in the lease system's spelling as words: ``SomeNewReason`` and ``SOME_NEW_REASON`` are ``some new reason``."""
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z\s_-]+", text(name))).lower()
