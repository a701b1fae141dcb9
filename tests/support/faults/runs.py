"""Breaks one flow at one call in one way, lets the sender or the platform retry as usual, and reports what was wrong."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.support.faults.proxy import Fault, FaultProxy, from_nth, nth
from tests.support.faults.world import Killed, World


@dataclass(frozen=True, slots=True)
class Tried:
    """What one attempt came to.

    Attributes:
        acknowledged: whether whoever sent it takes it for done, and will not send it again.
        answer: the answer in a word or two, as docs/reference/faults.md has it.
    """

    acknowledged: bool
    answer: str


class Run:
    """One time through a flow, on keys of its own. A flow says what it does, and what must be true."""

    comes_again_after = timedelta(minutes=5)
    """When whoever sent it tries again: by then no claim of a killed process holds."""

    def __init__(self, world: World) -> None:
        self.world = world

    def attempt(self) -> Tried:
        """Send it once."""
        raise NotImplementedError

    def never(self) -> list[str]:
        """What is wrong that must not be at any time."""
        return []

    def kept(self) -> list[str]:
        """What is wrong with the state at the moment of the acknowledgement."""
        return []

    def settle(self) -> None:
        """Let what was left on queues be done."""

    def ended(self) -> list[str]:
        """What is wrong in the end."""
        raise NotImplementedError


@dataclass(slots=True)
class Outcome:
    """What came of breaking one call."""

    call: str
    answer: str
    complaints: list[str] = field(default_factory=list)


def calls_of(world: World, begin: Callable[[World], Run]) -> list[str]:
    """The calls that a flow makes when nothing is wrong, in order. It is run for them once."""
    if begin not in world.calls:
        world.calls[begin] = _record_calls(world, begin)
    return world.calls[begin]


def _record_calls(world: World, begin: Callable[[World], Run]) -> list[str]:
    world.clear()  # each time the flow is broken, it starts from nothing too
    run = begin(world)
    world.proxy.forget()
    tried = run.attempt()
    calls = list(world.proxy.calls)
    assert tried.acknowledged, tried
    assert run.never() + run.kept() == []
    run.settle()
    assert run.never() + run.ended() == []
    return calls


def break_at(world: World, begin: Callable[[World], Run], position: int, call: str, fault: Fault, *, lasting: bool) -> Outcome:
    """Break the call at ``position``, for once or until all hope is gone, and then restore the connection."""
    before: list[str] = []
    for _ in range(3):  # a busy machine may be late by itself, and the flow never come to this call
        outcome = _break_at(world, begin, position, call, fault, lasting=lasting)
        outcome.complaints += before
        if world.proxy.fired:
            return outcome
        before = list(outcome.complaints)  # whatever was wrong is wrong, though nothing was broken on purpose
    outcome.complaints.append("nothing was broken")
    return outcome


def _break_at(world: World, begin: Callable[[World], Run], position: int, call: str, fault: Fault, *, lasting: bool) -> Outcome:
    run = _prepared(world, begin)
    world.proxy.break_call(from_nth(position, call) if lasting else nth(position), fault)
    tried = _attempt(run)
    outcome = Outcome(call, tried.answer)
    if not lasting:
        world.proxy.clear_faults()
    outcome.complaints += run.never()
    if tried.acknowledged:
        outcome.complaints += run.kept()
    for _ in range(2):
        if not tried.acknowledged:
            world.pass_time(run.comes_again_after)
            tried = _attempt(run)
            outcome.complaints += run.never()
    world.proxy.clear_faults()
    for _ in range(2):  # redriven, or found by the sender's own means, once all works again
        if not tried.acknowledged:
            world.pass_time(run.comes_again_after)
            tried = _attempt(run)
    if not tried.acknowledged:
        outcome.complaints.append(f"it is never acknowledged: {tried.answer}")
    with world.past_the_proxy():
        run.settle()
    outcome.complaints += run.never() + run.ended()
    return outcome


def _prepared(world: World, begin: Callable[[World], Run]) -> Run:
    """The run of a flow just before its first attempt: it is prepared once, and what it brought about copied."""
    if begin not in world.prepared:
        world.clear()
        with world.past_the_proxy():
            world.prepared[begin] = world.state(begin(world))
    run: Run = world.restore(world.prepared[begin])
    return run


def _attempt(run: Run) -> Tried:
    try:
        return run.attempt()
    except Killed:
        return Tried(False, "killed")
    finally:
        _revive(run.world.proxy)


def _revive(proxy: FaultProxy) -> None:
    proxy.killed.clear()


def break_all(
    world: World, begin: Callable[[World], Run], fault: Fault, *, lasting: bool, kinds: Collection[str] | None = None
) -> list[Outcome]:
    """Break each call in turn; of several alike in a row the first and the last, or just the first of each of ``kinds``."""
    calls = calls_of(world, begin)
    world.clear()
    positions = ends_of_runs(calls) if kinds is None else sorted(calls.index(kind) for kind in kinds)
    return [break_at(world, begin, position, calls[position], fault, lasting=lasting) for position in positions]


def ends_of_runs(calls: list[str]) -> list[int]:
    """The positions to break: where a run of calls alike begins and ends."""
    last = len(calls) - 1
    return [
        position
        for position, call in enumerate(calls)
        if position in {0, last} or calls[position - 1] != call or calls[position + 1] != call
    ]


def complaints_of(outcomes: list[Outcome]) -> list[str]:
    """Every complaint with the call it is about."""
    return [f"{outcome.call} ({outcome.answer}): {each}" for outcome in outcomes for each in outcome.complaints]


def http(method: str, path: str, body: Any, headers: dict[str, str] | None = None, **context: Any) -> dict[str, Any]:
    """An API Gateway event."""
    from tests.support.web.events import http_event

    event = http_event(method, path, body, headers)
    event["requestContext"] |= context
    return event
