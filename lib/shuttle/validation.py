"""The few checks that every entity makes on its own values."""

from datetime import datetime

from lib.platform import errors


def require(holds: bool, otherwise: str) -> None:
    """Refuse a value.

    Raises:
        InvalidInputError: ``holds`` is false; ``otherwise`` says what is wrong.
    """
    if not holds:
        raise errors.InvalidInputError(otherwise)


def require_instants(*moments: datetime) -> None:
    """Refuse a time that could mean any zone.

    Raises:
        InvalidInputError: one of the moments has no time zone.
    """
    require(all(moment.tzinfo is not None for moment in moments), "an instant has no time zone")


def whole_second(moment: datetime) -> datetime:
    """``moment`` without its fraction of a second, as the TTL attribute keeps it."""
    return moment.replace(microsecond=0)
