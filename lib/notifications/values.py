"""Turns untrusted values into text for people: any type, any length, never an error.

An unusable value becomes empty text or None, so that a message omits it. Nothing here knows events or channels.
"""

import math
import re
from datetime import timedelta
from decimal import Decimal

from lib.platform import characters
from lib.platform.wording import counted

LIMIT = 200
"""Characters of a value in a message, unless its field has another limit."""
LARGEST_AMOUNT = Decimal(10) ** 12

_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,10})?", re.ASCII)
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_EMAIL = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.)+[A-Za-z0-9-]{2,63}")


def text(value: object, limit: int = LIMIT) -> str:
    """One line of at most ``limit`` characters: text and numbers unchanged, true and false as yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        number = amount(value)
        return "" if number is None else f"{number.normalize():f}"
    if not isinstance(value, str):
        return ""
    # Cut first, so that a long value costs no more time than a short one. The exact cut is below.
    line = " ".join(characters.blank(value[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def amount(value: object) -> Decimal | None:
    """A number, or text that is one; None for anything else and for absurdly large numbers."""
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
    return " ".join(counted(count, unit) for count, unit in parts if count)


def hours(value: object) -> str:
    """A duration given in hours, in words; empty unless it is more than 0 hours and less than a century."""
    number = amount(value)
    if number is None or not 0 < number < 24 * 36525:
        return ""
    return span(timedelta(hours=float(number)))


def email(value: object) -> str:
    """``value``, if it is an e-mail address that mail can be sent to; else empty."""
    if isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value):
        return value
    return ""


def readable(line: str) -> str:
    """``line``, in words if it is a constant (``SOME_NEW_REASON``); else unchanged."""
    return words(line) if _CONSTANT.fullmatch(line) else line


def words(name: str) -> str:
    """A name of the lease system in words: ``SomeNewReason`` and ``SOME_NEW_REASON`` become ``some new reason``."""
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z\s_-]+", text(name))).lower()
