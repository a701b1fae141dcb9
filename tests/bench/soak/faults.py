"""Switches the faults of a plan on and off, and kills processes."""

import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import requests

from tests.bench.soak.clockwork import Clockwork
from tests.bench.soak.history import History, Job
from tests.bench.soak.plan import Fault, Plan
from tests.support.approvals.cloud import ApprovalsCloud

KILLS = 3
"""So often are the processes of a function killed during a fault, because those that are idle fail nothing."""
REFUSALS_PER_MINUTE = 6


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that was killed."""

    at: float
    function: str
    pid: int


class Faults:
    """Carries out a plan. ``senders`` send what a fault provokes."""

    def __init__(
        self,
        world: ApprovalsCloud,
        plan: Plan,
        history: History,
        clockwork: Clockwork,
        senders: Mapping[str, Callable[[], None]],
        say: Callable[[str], None],
    ) -> None:
        self._world = world
        self._history = history
        self._clockwork = clockwork
        self._senders = senders
        self._say = say
        self.kills: list[Kill] = []
        for fault in plan.faults:
            self._clockwork.add(self._starting(fault), fault.start)
            if fault.end > fault.start:
                self._clockwork.add(self._ending(fault), fault.end)

    def _starting(self, fault: Fault) -> Job:
        def start() -> float | None:
            self._say(f"{self._history.now():7.0f} s  {fault.name}, for {fault.end - fault.start:.0f} s")
            if fault.aws:
                url = f"{self._world.cloud.aws_url}/_local/faults"
                requests.post(url, json=list(fault.aws), timeout=30).raise_for_status()
            for values, standin in ((fault.jira, self._world.jira), (fault.slack, self._world.slack)):
                if values:
                    requests.post(f"{standin.url}/_standin/faults", json=list(values), timeout=30).raise_for_status()
            for kind in fault.provoke:
                self._senders[kind]()
            if fault.kill:
                for number in range(KILLS):
                    self._clockwork.add(self._killing(fault), number * (fault.end - fault.start) / KILLS)
            if fault.name == "wrong signatures":
                self._clockwork.add(self._forging(fault.end))
            return None

        return start

    def _ending(self, fault: Fault) -> Job:
        def end() -> float | None:
            if fault.aws:
                requests.delete(f"{self._world.cloud.aws_url}/_local/faults", timeout=30).raise_for_status()
            for values, standin in ((fault.jira, self._world.jira), (fault.slack, self._world.slack)):
                if values:
                    requests.delete(f"{standin.url}/_standin/faults", timeout=30).raise_for_status()
            return None

        return end

    def _killing(self, fault: Fault) -> Job:
        def kill() -> float | None:
            for kind in fault.provoke:
                self._senders[kind]()
            for pid in self._world.cloud.pids(fault.kill):
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(pid, signal.SIGKILL)
                    self.kills.append(Kill(self._history.now(), fault.kill, pid))
            return None

        return kill

    def _forging(self, end: float) -> Job:
        def forge() -> float | None:
            self._senders["forge"]()
            return 60 / REFUSALS_PER_MINUTE if self._history.now() < end else None

        return forge
