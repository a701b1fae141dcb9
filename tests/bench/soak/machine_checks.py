"""What must be true of the machine: memory, queues, alarms, processes and permissions. Pure."""

import statistics
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from tests.bench.soak.checks import Check, check
from tests.bench.soak.plan import Fault

WARM_UP_SHARE = 0.3
"""The share of a process's life in which caches fill and Python's arenas settle."""
LEAST_SAMPLES = 20
ALLOWED_MB = 4.0
"""How much a process may grow after its warm-up. ``make load`` has the same limit."""
LOW_DEPTH = 10
"""A queue that holds no more is not growing: it is one batch of its function."""
BUSY_LOAD = 1.5
"""A load average per core over which latencies say more about the machine than about the code."""
STALLED_SECONDS, SLOW_SECONDS = 120.0, 900.0
"""So long before an alarm, a stall or a high load is a cause of it. An alarm on slowness looks at three periods."""
SLOWNESS = frozenset({"approvals-slow", "enrichment-latency"})

Series = Sequence[tuple[float, float]]
"""(seconds, value)."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory of one process after its warm-up."""

    process: str
    seconds: float
    first_mb: float
    last_mb: float
    mb_per_hour: float

    @property
    def growth_mb(self) -> float:
        """What the slope means for the time that was measured."""
        return self.mb_per_hour * self.seconds / 3600

    @property
    def is_flat(self) -> bool:
        """Whether it grew by no more than it may."""
        return self.growth_mb <= ALLOWED_MB


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that was on from a time to another; without an end, it still is."""

    alarm: str
    start: float
    end: float | None


def growth(process: str, samples: Series) -> Growth | None:
    """The slope of a process's memory, by Theil and Sen (one outlier changes nothing); None with too few samples."""
    if not samples:
        return None
    begin, end = samples[0][0], samples[-1][0]
    warm = [(at, mb) for at, mb in samples if at >= begin + WARM_UP_SHARE * (end - begin)]
    if len(warm) < LEAST_SAMPLES:
        return None
    thinned = warm[:: max(1, len(warm) // 150)]
    slopes = [
        (later_mb - mb) / (later - at)
        for number, (at, mb) in enumerate(thinned)
        for later, later_mb in thinned[number + 1 :]
        if later > at
    ]
    values = [mb for _, mb in warm]
    window = max(1, len(values) // 10)
    return Growth(
        process,
        warm[-1][0] - warm[0][0],
        statistics.median(values[:window]),
        statistics.median(values[-window:]),
        statistics.median(slopes) * 3600,
    )


def memory_flat(growths: Sequence[Growth]) -> Check:
    """No process grows after its warm-up."""
    return check(
        "the memory of every function is flat",
        (
            None if each.is_flat else f"{each.process} grew by {each.growth_mb:.1f} MB, from {each.first_mb:.1f} MB"
            for each in growths
        ),
    )


def queues_drained(depths: Mapping[str, Series], load_seconds: float, final: Mapping[str, int]) -> Check:
    """Each work queue was nearly empty in the last fifth of the load, and is empty in the end."""

    def fact(queue: str) -> str | None:
        late = [depth for at, depth in depths[queue] if 0.8 * load_seconds <= at <= load_seconds]
        if not late:
            return f"{queue} was not looked at"
        if min(late) > LOW_DEPTH:
            return f"{queue} never had fewer than {min(late):.0f} messages in the last fifth of the load"
        left = final.get(queue, 0)
        return f"{queue} still has {left} messages" if left else None

    return check("no queue grows, and all are empty in the end", map(fact, sorted(depths)))


def raised(changes: Sequence[tuple[float, str, str]]) -> list[Raised]:
    """The times at which alarms were on, from their changes: (seconds, alarm, state)."""
    on: dict[str, float] = {}
    found = []
    for at, alarm, state in sorted(changes):
        if state == "ALARM":
            on.setdefault(alarm, at)
        elif alarm in on:
            found.append(Raised(alarm, on.pop(alarm), at))
    return found + [Raised(alarm, at, None) for alarm, at in on.items()]


def alarms_fired(faults: Sequence[Fault], alarms: Sequence[Raised]) -> Check:
    """Each alarm that a fault must raise was on at some time from its start to shortly after its end."""

    def fact(fault: Fault, name: str) -> str | None:
        end = fault.end + fault.grace
        on = any(each.alarm == name and each.start <= end and (each.end is None or each.end >= fault.start) for each in alarms)
        return None if on else f"{fault.name} at {fault.start:.0f} s did not raise {name}"

    return check(
        "every alarm that should be raised is raised", (fact(fault, name) for fault in faults for name in sorted(fault.raises))
    )


def by_machine(each: Raised, load_per_core: Series, stalls: Sequence[float]) -> bool:
    """Whether the machine is a cause of an alarm: it stalled shortly before, or it was busy before an alarm on slowness."""
    if any(each.start - STALLED_SECONDS <= at <= each.start for at in stalls):
        return True
    loads = [load for at, load in load_per_core if each.start - SLOW_SECONDS <= at <= each.start]
    return each.alarm in SLOWNESS and bool(loads) and max(loads) > BUSY_LOAD


def alarms_explained(
    faults: Sequence[Fault], alarms: Sequence[Raised], load_per_core: Series, stalls: Sequence[float] = ()
) -> Check:
    """No alarm was raised without a cause: a fault, or the machine."""

    def fact(each: Raised) -> str | None:
        if any(fault.explains(each.alarm, each.start) for fault in faults) or by_machine(each, load_per_core, stalls):
            return None
        return f"{each.alarm} was raised at {each.start:.0f} s without a cause"

    return check("no alarm is raised without a cause", map(fact, alarms))


def alarms_over(alarms: Sequence[Raised], states: Mapping[str, str]) -> Check:
    """Each alarm that was raised is over once its period is: ``states`` are those of 20 minutes later."""
    names = sorted({each.alarm for each in alarms})
    return check(
        "every alarm goes back to OK",
        (None if states.get(name) == "OK" else f"{name} stays {states.get(name)}" for name in names),
    )


def failures_alarmed(counts: Mapping[str, float], alarms: Sequence[Raised]) -> Check:
    """Each alarm whose metric counted a failure was raised, whatever caused it. ``counts`` are failures by alarm."""
    names = {each.alarm for each in alarms}
    return check(
        "every counted failure raised its alarm",
        (
            None if name in names or not count else f"{count:.0f} failures did not raise {name}"
            for name, count in sorted(counts.items())
        ),
    )


def processes_replaced(kills: Sequence[tuple[str, int]], last: Set[tuple[str, int]]) -> Check:
    """Each function of a killed process has another one in the end. Processes are functions with their process id."""
    left = last - set(kills)

    def fact(function: str) -> str | None:
        return None if any(name == function for name, _ in left) else f"{function} has no process since it was killed"

    return check("every killed process is replaced", map(fact, sorted({function for function, _ in kills})))


def calls_granted(grants: Mapping[str, Any]) -> Check:
    """No function made a call that its role does not grant."""
    uses = sum(int(grant.get("uses", 0)) for grant in grants.get("grants", []))
    refusals = tuple(str(refusal) for refusal in grants.get("refusals", []))
    return Check("no call lacks a grant", uses, refusals)
