"""Runs jobs at their time on a few threads, and each again when it asks for that."""

import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.bench.soak.history import Job

_TICK = 0.05


class Clockwork:
    """Jobs by the time at which they are due. ``failures`` has the trace of each job that raised: a defect of the soak."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="soak")
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._running = 0
        self.failures: list[str] = []

    @property
    def pending(self) -> int:
        """Jobs that run or wait."""
        with self._lock:
            return self._running + len(self._due)

    @property
    def running(self) -> int:
        """Jobs that run or wait for a thread."""
        with self._lock:
            return self._running

    def add(self, job: Job, after: float = 0.0) -> None:
        """Run a job after so many seconds."""
        with self._lock:
            heapq.heappush(self._due, (time.monotonic() + after, next(self._numbers), job))

    def run(self, is_over: Callable[[], bool]) -> None:
        """Start what is due until ``is_over``, which is asked continuously."""
        while not is_over():
            for job in self._take():
                self._threads.submit(self._work, job)
            time.sleep(_TICK)

    def close(self) -> None:
        """Drop what waits, and wait for what runs."""
        with self._lock:
            self._due.clear()
        self._threads.shutdown(cancel_futures=True)

    def _take(self) -> list[Job]:
        jobs = []
        with self._lock:
            while self._due and self._due[0][0] <= time.monotonic():
                jobs.append(heapq.heappop(self._due)[2])
            self._running += len(jobs)
        return jobs

    def _work(self, job: Job) -> None:
        again: float | None = None
        try:
            again = job()
        except Exception:
            self.failures.append(traceback.format_exc())
            print(self.failures[-1], file=sys.stderr)
        with self._lock:
            self._running -= 1
        if again is not None:
            self.add(job, again)
