"""A circuit breaker: after consecutive failures, stop calling for a while, then try one probe.

It only decides; it neither calls nor logs. One breaker serves one process and is thread-safe::

    closed ── 3 consecutive failures ──► open ── 60 s ──► one probe may pass ──┬─ success ─► closed
                                          ▲                                    ├─ failure ─► open, 60 s more
                                          │                                    └─ no report (the probe's thread died)
                                          └── 60 s more ───────────────────────────┘
"""

import threading

from lib.platform import clock, restore

FAILURES = 3
COOLDOWN_SECONDS = 60.0


class Breaker:
    """The breaker of one dependency.

    Args:
        monotonic: the clock, in seconds.
    """

    def __init__(self, monotonic: clock.Monotonic = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._consecutive_failures = 0
        self._next_probe_at: float | None = None
        restore.register(self, Breaker.succeeded)

    def allows(self) -> bool:
        """Whether the caller may make its call. If the breaker is open, the caller is the probe and must report the result."""
        with self._lock:
            if self._next_probe_at is None:
                return True
            now = self._monotonic()
            if now < self._next_probe_at:
                return False
            # Until this time, no other caller passes. A probe that never reports does not block the next one.
            self._next_probe_at = now + COOLDOWN_SECONDS
            return True

    def succeeded(self) -> None:
        """Report that the dependency answered."""
        with self._lock:
            self._consecutive_failures = 0
            self._next_probe_at = None

    def failed(self) -> None:
        """Report that the dependency did not answer."""
        with self._lock:
            self._consecutive_failures += 1
            if self._consecutive_failures >= FAILURES:
                self._next_probe_at = self._monotonic() + COOLDOWN_SECONDS
