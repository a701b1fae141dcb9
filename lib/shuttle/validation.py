"""Checks that entities make on their own values."""

from datetime import datetime

from lib.platform import errors


def require(is_valid: bool, problem: str) -> None:
    """Refuse a value.

    Raises:
        InvalidInputError: ``is_valid`` is false; ``problem`` says what is wrong.
    """
    if not is_valid:
        raise errors.InvalidInputError(problem)


def require_instants(*moments: datetime) -> None:
    """Refuse a time without a time zone.

    Raises:
        InvalidInputError: one of the moments has none.
    """
    require(all(moment.tzinfo is not None for moment in moments), "an instant has no time zone")


def whole_second(moment: datetime) -> datetime:
    """``moment`` without its fraction of a second, as the TTL attribute stores it."""
    return moment.replace(microsecond=0)
