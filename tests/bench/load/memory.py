"""One function's process, under Lambda's own runtime client, through tens of thousands of invocations, its memory sampled.

There is no HTTP API and no engine in between: events arrive through the Runtime API and AWS is
:mod:`tests.bench.aws_stub`, so that nothing grows but the function itself.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stack.local.functions import Credentials, FunctionHost, FunctionSpec
from tests.bench import events

SAMPLE_EVERY = 1_000
WARM_UP = 5_000
"""Caches fill and Python's arenas settle until then. A run shorter than twice that takes its first third for it."""
ALLOWED_MB = 4.0
"""How much a process may grow from there to the end: two samples' noise. A leak of 100 bytes an invocation would show."""
_WINDOW = 5


@dataclass(frozen=True, slots=True)
class Memory:
    """What one function's process held.

    Attributes:
        entry_point: the function.
        samples: (invocations so far, resident MB).
        seconds: how long the start and the invocations took together.
    """

    entry_point: str
    samples: tuple[tuple[int, float], ...]
    seconds: float

    @property
    def invocations(self) -> int:
        """How many there were."""
        return self.samples[-1][0]

    @property
    def settled_mb(self) -> float:
        """What it held once it was warm: the median of the five samples from then on."""
        warm_up = min(WARM_UP, self.invocations // 3)
        return statistics.median([mb for count, mb in self.samples if count >= warm_up][:_WINDOW])

    @property
    def last_mb(self) -> float:
        """What it held in the end: the median of the last five samples."""
        return statistics.median([mb for _, mb in self.samples][-_WINDOW:])

    @property
    def growth_mb(self) -> float:
        """The difference."""
        return self.last_mb - self.settled_mb

    @property
    def is_flat(self) -> bool:
        """Whether it grew by no more than it may."""
        return self.growth_mb <= ALLOWED_MB


class FailedInvocationError(Exception):
    """A function did not do what it should have: the run says nothing of its memory."""


def measure(entry_point: str, invocations: int, aws_url: str, on_progress: Callable[[int], None]) -> Memory:
    """Invoke a function so often, and sample its memory every 1,000 times (or ten times in all, if that is more often).

    Raises:
        FailedInvocationError: an invocation failed.
    """
    host = FunctionHost(
        FunctionSpec(
            name=f"{entry_point}-load",
            arn=f"arn:aws:lambda:us-west-2:123456789012:function:{entry_point}-load",
            handler=f"handlers.{entry_point}.lambda_handler",
            timeout_seconds=60,
            memory_mb=512,
            environment=events.environment(entry_point, aws_url),
            log_group=entry_point,
            log_format="JSON",
            role_arn="arn:aws:iam::123456789012:role/load",
        ),
        aws_url=aws_url,
        region="us-west-2",
        credentials=Credentials(access_key_id="test", secret_access_key="test", session_token="test"),
        write_log=lambda *_: None,
    )
    host.start()
    try:
        return _drive(host, entry_point, invocations, on_progress)
    finally:
        host.stop()


def resident_mb(pid: int) -> float:
    """The resident set of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _drive(host: FunctionHost, entry_point: str, invocations: int, on_progress: Callable[[int], None]) -> Memory:
    every = max(1, min(SAMPLE_EVERY, invocations // 20))
    [pid] = host.pids
    samples: list[tuple[int, float]] = []
    started = time.monotonic()
    for count, payload in enumerate(events.payloads(entry_point), 1):
        result = host.invoke(payload)
        complaint = result.payload.decode()[:300] if result.error else events.complaint(entry_point, result.payload)
        if complaint:
            raise FailedInvocationError(f"invocation {count} of {entry_point}: {complaint}")
        if count % every == 0:
            samples.append((count, resident_mb(pid)))
            on_progress(count)
        if count >= invocations:
            break
    if host.pids != [pid]:
        raise FailedInvocationError(f"the process of {entry_point} was replaced under way")
    return Memory(entry_point, tuple(samples), time.monotonic() - started)
