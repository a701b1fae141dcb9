"""Bounds the writes per second of one worker."""

import time
from collections.abc import Callable

from lib.platform import clock

CREDIT_SECONDS = 1.0
"""What a slow write leaves unused may be used within this time."""

_LEAST = 1 / 32


class Pace:
    """At most ``per_second`` writes per second, in any second and one more of credit; fewer after a throttle.

    Each throttle halves the pace, down to a 32nd. :meth:`recover`, called regularly, raises it by a quarter.
    """

    def __init__(
        self, per_second: float, *, now: clock.Monotonic = clock.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._factor = 1.0
        self._free_at = now()
        self.per_second = per_second

    def take(self, writes: int) -> None:
        """Wait until ``writes`` more writes are within the bound."""
        now = self._now()
        start = max(self._free_at, now - CREDIT_SECONDS)
        if start > now:
            self._sleep(start - now)
        self._free_at = start + writes / (self.per_second * self._factor)

    def slow(self) -> None:
        """A write was throttled."""
        self._factor = max(_LEAST, self._factor / 2)

    def recover(self) -> None:
        """Some time has passed."""
        self._factor = min(1.0, self._factor * 1.25)
