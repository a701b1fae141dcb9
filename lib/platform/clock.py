"""The one module that handles time and time zones.

Stored instants are UTC in the canonical form ``YYYY-MM-DDTHH:MM:SS.ffffffZ``, whose text order is time order.
What people read is America/Phoenix, which has been UTC-7 all year since 1968. Code that needs the time takes a
:data:`Clock`, so that a test can set it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from lib.platform import contract

TIMEZONE = contract.TIMEZONE
# Reading the time zone database takes 4 ms of a cold start, and 40 ms where only the package tzdata has it.
_PHOENIX = timezone(timedelta(hours=-7), TIMEZONE)
_FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)

LAST_EPOCH_MS = int((_LAST - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
"""The last instant that every time zone can represent, in milliseconds since the Unix epoch: the end of 9999-12-30."""

FIRST_EPOCH_MS = 10**11
"""March 1973, in milliseconds. A smaller number from outside is read as seconds, or is not a time."""

Clock = Callable[[], datetime]
"""Returns the current instant, in UTC."""

Monotonic = Callable[[], float]
"""Returns seconds that never go backwards; only differences mean anything."""


def utc_now() -> datetime:
    """The current instant, in UTC."""
    return datetime.now(UTC)


monotonic: Monotonic = time.monotonic


def elapsed_ms(started: float) -> float:
    """The milliseconds since :data:`monotonic` returned ``started``."""
    return round((monotonic() - started) * 1000, 1)


def parse(text: str) -> datetime:
    """Read an ISO 8601 instant, with any offset and fraction, as UTC.

    Jira writes ``2020-08-03T19:25:21.559-0700``, EventBridge ``2026-01-22T12:00:00Z``.

    Raises:
        ValueError: the text is not an instant, has no offset, or is within a day of the first or last datetime, which some
            time zones can't represent.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text[:40]!r} has no offset")
    try:
        return _check_supported_range(moment.astimezone(UTC))
    except OverflowError as error:
        raise ValueError(f"the time {text[:40]!r} is out of range") from error


def canonical(moment: datetime) -> str:
    """The stored form of an instant: ``2026-01-22T12:00:00.000000Z``.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_epoch_ms(milliseconds: int) -> datetime:
    """The instant ``milliseconds`` after the Unix epoch, in UTC.

    Raises:
        ValueError: it is outside of the years 1 to 9999, or on their first or last day.
    """
    try:
        seconds, rest = divmod(milliseconds, 1000)
        return _check_supported_range(datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000))
    except (OverflowError, OSError) as error:
        raise ValueError(f"{milliseconds} ms is out of range") from error


def _check_supported_range(moment: datetime) -> datetime:
    """``moment``, if every time zone can represent it; converting 0001-01-01T00:00Z to Phoenix overflows."""
    if not _FIRST <= moment <= _LAST:
        raise OverflowError("the time is at the end of the calendar")
    return moment


def epoch_ms(moment: datetime) -> int:
    """Milliseconds from the Unix epoch to ``moment``, rounded down."""
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1000 + moment.microsecond // 1000


def epoch_s(moment: datetime) -> int:
    """Seconds from the Unix epoch to ``moment``, rounded down: what a DynamoDB TTL attribute holds."""
    return epoch_ms(moment) // 1000


def phoenix(moment: datetime) -> str:
    """The instant as logs and run records show it: ``2026-01-22T05:00:00.000-07:00``."""
    return moment.astimezone(_PHOENIX).isoformat(timespec="milliseconds")


def for_people(moment: datetime) -> str:
    """The instant as a message shows it: ``22 Jan 2026 05:00 Phoenix time``."""
    return f"{moment.astimezone(_PHOENIX):%d %b %Y %H:%M} Phoenix time"
