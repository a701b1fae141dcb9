"""Checks that entities make on their own values."""

from collections.abc import Mapping
from datetime import datetime

from lib.platform import errors, fields

MAX_VALUES_BYTES = 8 * 1024
"""The names and values of a session or of an app config, in UTF-8, taken together."""


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


def require_values(values: Mapping[str, str], what: str) -> None:
    """Refuse a map that is too large or not valid Unicode. The error names ``what``, and no part of the map: it may be secret.

    Raises:
        InvalidInputError: as above, or a name is empty.
    """
    require(all(values), f"{what} has an empty name")
    text = "".join(part for pair in values.items() for part in pair)
    fields.checked(text, what, max_bytes=MAX_VALUES_BYTES)
