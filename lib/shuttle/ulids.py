"""ULIDs: ids whose text order is the order of their creation, by the millisecond (https://github.com/ulid/spec).

Not from a package: the common one takes 48 ms to import and does not offer the bounds of a time range, which the table's
queries need.
"""

import re
import secrets
from datetime import datetime

from lib.platform import clock

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PATTERN = re.compile(rf"[0-7][{_ALPHABET}]{{25}}")
_RANDOM_BITS = 80


def new(now: datetime) -> str:
    """A new ULID of the instant ``now``: 26 characters, 48 bits of time and 80 random ones."""
    return _encode(clock.epoch_ms(now) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS))


def first_at(moment: datetime) -> str:
    """The smallest ULID of the millisecond of ``moment``: a lower bound for a range of time."""
    return _encode(clock.epoch_ms(moment) << _RANDOM_BITS)


def last_at(moment: datetime) -> str:
    """The greatest ULID of the millisecond of ``moment``: an upper bound for a range of time."""
    return _encode((clock.epoch_ms(moment) + 1 << _RANDOM_BITS) - 1)


def is_ulid(text: str) -> bool:
    """Whether ``text`` is a ULID in its canonical form: 26 characters, capitals."""
    return _PATTERN.fullmatch(text) is not None


def _encode(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
