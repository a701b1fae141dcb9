"""A circuit breaker: after failures in a row, stop asking for a while, then ask once and see.

It only decides; it neither calls nor logs. One breaker serves one process and may be used by many threads::

    closed ── 3 failures in a row ──► open ── 60 s ──► one probe may pass ──┬─ success ─► closed
                                       ▲                                    ├─ failure ─► open, 60 s more
                                       │                                    └─ no word (the probe's thread died)
                                       └── 60 s more ───────────────────────────┘
"""

import threading

from lib.platform import clock

FAILURES = 3
COOLDOWN_SECONDS = 60.0


class Breaker:
    """The breaker before one dependency.

    Args:
        monotonic: the clock, in seconds.
        failures: so many in a row open it.
        cooldown_seconds: so long it stays open before a probe, and between probes.
    """

    def __init__(
        self,
        monotonic: clock.Monotonic = clock.monotonic,
        *,
        failures: int = FAILURES,
        cooldown_seconds: float = COOLDOWN_SECONDS,
    ) -> None:
        self._monotonic = monotonic
        self._failures = failures
        self._cooldown_seconds = cooldown_seconds
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._next_probe_at: float | None = None

    def allows(self) -> bool:
        """Whether the caller may go ahead. True while open means that the caller is the probe, and must report back."""
        with self._lock:
            if self._next_probe_at is None:
                return True
            now = self._monotonic()
            if now < self._next_probe_at:
                return False
            # Moving the time on lets nobody else through, and needs no word from the probe to let the next one.
            self._next_probe_at = now + self._cooldown_seconds
            return True

    def succeeded(self) -> None:
        """Report that the dependency answered."""
        with self._lock:
            self._in_a_row = 0
            self._next_probe_at = None

    def failed(self) -> None:
        """Report that it did not."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= self._failures:
                self._next_probe_at = self._monotonic() + self._cooldown_seconds
