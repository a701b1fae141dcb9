"""The soak itself: start a cloud, load it under faults, let it settle as an operator would, and check what came of it."""

import itertools
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.bench.soak import checks, machine_checks, stored
from tests.bench.soak.checks import Check
from tests.bench.soak.clockwork import Clockwork
from tests.bench.soak.faults import Faults
from tests.bench.soak.history import CLICK, COMMENT, DRAFT, FORGED, POSTED, PUSH, PUT, SHUTTLE, WEBHOOK, History
from tests.bench.soak.load import DRAFTS, PROJECTS, SECRET, Load, lost
from tests.bench.soak.machine_checks import Growth, Raised
from tests.bench.soak.operator import Command, Operator
from tests.bench.soak.people import People
from tests.bench.soak.plan import Plan
from tests.bench.soak.sampling import CLOUD, AlarmChange, Sample, Sampler
from tests.bench.soak.shops import open_shops
from tests.support.approvals.cloud import ApprovalsCloud, running_approvals
from tests.support.shuttle.api import ShuttleApi

THREADS = 16
BACKLOG = 100
"""With so many jobs that wait for a thread, the machine does not keep up, and an arrival is skipped."""
SETTLE_SECONDS = 1_500.0
"""The lease of an import, 17 minutes, and some more for its job."""
MEMORY_SECONDS = 600.0
"""In a shorter run, the functions do not get warm, so that their memory is not judged."""
REDRIVE_SECONDS = 60.0
RECONCILE_SECONDS = 300.0
OPERATOR_SECONDS = 600.0
OVER_SECONDS = 1_200
POISON = "soak-poison"


@dataclass(frozen=True, slots=True)
class Results:
    """What came of a soak.

    Attributes:
        plan: the faults.
        rate: arrivals per second that were asked for.
        history: what was sent.
        samples: what the cloud looked like.
        changes: of the alarms.
        alarms: when each was on.
        growths: memory of each process that lived long enough.
        checks: the verdicts.
        commands: what the operator ran.
        settled: how long the cloud needed after the load; None if it did not settle.
        skipped: arrivals for which the machine was too slow.
        stalls: when the AWS API took too long to answer.
        repeated: lease events that were sent twice on a channel.
    """

    plan: Plan
    rate: float
    history: History
    samples: list[Sample]
    changes: list[AlarmChange]
    alarms: list[Raised]
    growths: list[Growth]
    checks: list[Check]
    commands: list[Command]
    settled: float | None
    skipped: int
    stalls: list[float]
    repeated: int

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(each.passed for each in self.checks)


def run(plan: Plan, rate: float, on_progress: Callable[[float, str], None], say: Callable[[str], None]) -> Results:
    """Run a plan. ``on_progress`` gets the seconds since the start and a line about now, ``say`` what happens."""
    secrets: dict[str, Any] = dict.fromkeys(("eventWebhookSecret", "jiraWebhookSecret", "commitWebhookSecret"), SECRET)
    projects = ",".join((*PROJECTS, DRAFTS))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_approvals("--schedules", jiraProjects=projects, **secrets) as world,
    ):
        soak = _Soak(world, plan, rate, Path(folder), say)
        with soak.closing():
            soak.load(on_progress)
            soak.settle(on_progress)
            return soak.results()


class _Soak:
    def __init__(self, world: ApprovalsCloud, plan: Plan, rate: float, folder: Path, say: Callable[[str], None]) -> None:
        self._world, self._plan, self._rate, self._say = world, plan, rate, say
        for service in ("dynamodb", "events", "sqs", "sns", "lambda", "cloudwatch"):
            world.cloud.client(service)  # threads must not make the same one at once
        self._history = History()
        self._clockwork = Clockwork(THREADS)
        self._load = Load(world, self._history, self._clockwork, plan.seed)
        self._people = People(world, self._history, self._clockwork, plan.seed)
        self._operator = Operator(world.cloud, folder, self._history)
        self._load.prepare()
        self._history.restart()
        self._sampler = Sampler(world, self._history)
        self._shops = open_shops(ShuttleApi(world.cloud), self._history, plan.seed)
        self._senders = {**self._load.senders, "draft": self._people.draft, "reconcile": self._reconcile}
        self._faults = Faults(world, plan, self._history, self._clockwork, self._senders, say)
        self._settled: float | None = None
        self._skipped = 0

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Stop every thread at the end."""
        try:
            yield
        finally:
            for shop in self._shops:
                shop.finish()
            self._sampler.close()
            self._clockwork.close()

    def load(self, on_progress: Callable[[float, str], None]) -> None:
        """Let everything arrive for the time of the plan."""
        chance, history = random.Random(self._plan.seed), self._history
        self._clockwork.add(self._load.deliver)
        self._repeat(RECONCILE_SECONDS, self._reconcile, first=60.0)
        self._repeat(OPERATOR_SECONDS, self._redrive, first=OPERATOR_SECONDS)
        due = itertools.accumulate(iter(lambda: chance.expovariate(self._rate), -1.0))
        next_at = next(due)

        def is_over() -> bool:
            nonlocal next_at
            while next_at <= min(history.now(), self._plan.seconds):
                next_at = next(due)
                if self._clockwork.running > BACKLOG:
                    self._skipped += 1
                else:
                    self._senders[self._load.choose()]()
            on_progress(min(history.now(), self._plan.seconds), f"{len(history.of()):,} sent")
            return history.now() >= self._plan.seconds

        self._clockwork.run(is_over)

    def settle(self, on_progress: Callable[[float, str], None]) -> None:
        """Wait until nothing is under way, and send dead letters back, for at most SETTLE_SECONDS."""
        self._say(f"{self._history.now():7.0f} s  the load is over; it settles")
        for shop in self._shops:
            shop.finish()
        began, looked, redriven, quiet = time.monotonic(), 0.0, -REDRIVE_SECONDS, 0

        def is_over() -> bool:
            nonlocal looked, redriven, quiet
            passed = time.monotonic() - began
            if passed - looked < 1:
                return False
            looked = passed
            waiting, letters = self._sampler.waiting(), sum(self._sampler.dead_letters().values())
            busy = self._clockwork.pending - 1 + sum(shop.is_alive() for shop in self._shops)  # one is the delivery of webhooks
            on_progress(self._plan.seconds, f"settles: {sum(waiting.values())} queued, {letters} dead, {busy} under way")
            if passed - redriven > REDRIVE_SECONDS and (letters > self._load.poison or self._retry_failed()):
                redriven = passed
                self._redrive()
            is_quiet = not waiting and busy <= 0 and letters == self._load.poison and passed - redriven > 10
            quiet = quiet + 1 if is_quiet else 0
            if quiet >= 3:
                self._settled = passed
            return self._settled is not None or passed > SETTLE_SECONDS

        self._clockwork.run(is_over)

    def results(self) -> Results:
        """Read what is stored, and check it."""
        cloud, history, world = self._world.cloud, self._history, self._world
        chains = self._load.chains
        keys = {key for key in chains if key.partition("-")[0] in (*PROJECTS, DRAFTS)}
        given_up = {key for sent in history.of(WEBHOOK) if lost(sent) for key in sent.facts["keys"]}
        accepted = {key for sent in history.of(WEBHOOK) if sent.accepted for key in sent.facts["keys"]}

        def keys_of(key: str) -> set[str]:
            return {other for other, issue in chains.items() if issue == chains.get(key)} | {key}

        before = stored.issues(cloud)
        jira = stored.in_jira(world, keys)
        live = {key for key, state in jira.items() if state is not None}
        self._say(f"{history.now():7.0f} s  full reconciliation")
        for project in (*PROJECTS, DRAFTS):
            self._operator.run("reconcile", "--project", project, "--full", "--max-deletes", "1000")
        self._wait_empty()
        after = stored.issues(cloud)
        letters = stored.dead_letters(cloud)
        lost_answers = [kill.at for kill in self._faults.kills if kill.function == "notification"] + self._sampler.stalls
        forged = history.of(FORGED)
        exports = {shop.domain: shop.export() for shop in self._shops if not shop.is_alive() and not shop.failure}
        everything = [sent for sent in history.of() if sent.attempts]
        found = [
            checks.versions_kept(history.of(WEBHOOK), before.versions),
            checks.issues_match(
                "every issue is as in Jira, by webhooks alone",
                {key: state for key, state in jira.items() if key in accepted},
                before.heads,
                frozenset(other for key in given_up for other in keys_of(key)),
            ),
            checks.issues_match("every issue is as in Jira, after a full reconciliation", jira, after.heads),
            checks.lists_match(jira, stored.lists(cloud)),
            checks.commits_linked(history.of(PUSH), after.links, keys_of),
            checks.fetched(history.of(COMMENT), live, after.correlated, keys_of),
            checks.notified_once(history.of(POSTED, PUT), self._sampler.notified(), lost_answers),
            checks.drafts_created_once(history.of(DRAFT), history.of(CLICK), stored.decisions(cloud), stored.titles(world)),
            checks.catalogues_equal({shop.domain: shop.catalogue for shop in self._shops}, exports),
            checks.jobs_as_expected([job for shop in self._shops for job in shop.jobs]),
            checks.senders_know(everything),
            checks.nothing_given_up(history.of(PUSH, POSTED, PUT, DRAFT, CLICK, SHUTTLE)),
            checks.forged_refused(forged, stored.names(cloud)),
            checks.dead_letters_planned(letters, self._load.poison, POISON),
            checks.commands_succeeded(self._operator.commands, self._may_fail),
            *self._machine_checks(),
            checks.check("the soak itself has no error", [None, *self._own_errors()]),
        ]
        changes = self._sampler.alarm_changes()
        return Results(
            plan=self._plan,
            rate=self._rate,
            history=history,
            samples=self._sampler.samples,
            changes=changes,
            alarms=_raised(changes),
            growths=self._growths(),
            checks=found,
            commands=self._operator.commands,
            settled=self._settled,
            skipped=self._skipped,
            stalls=self._sampler.stalls,
            repeated=sum(count > 1 for found in self._sampler.notified().values() for count in found.values()),
        )

    def _machine_checks(self) -> Iterator[Check]:
        cloud, samples, faults = self._world.cloud, self._sampler.samples, self._plan.faults
        if self._plan.seconds >= MEMORY_SECONDS:
            yield machine_checks.memory_flat(self._growths())
        depths: dict[str, list[tuple[float, float]]] = {}
        for sample in samples:
            for queue, depth in sample.depths.items():
                if queue not in self._sampler.dead_letter_queues:
                    depths.setdefault(queue, []).append((sample.at, depth))
        yield machine_checks.queues_drained(depths, self._plan.seconds, self._sampler.waiting())
        self._operator.run("redrive", "--drop", answers=f"y\n{self._load.poison}\n")
        time.sleep(12)  # two evaluations of the alarms
        states = requests.get(f"{cloud.aws_url}/_local/alarms", params={"after": OVER_SECONDS}, timeout=60).json()
        self._sampler.close()
        alarms = _raised(self._sampler.alarm_changes())
        cores = os.cpu_count() or 1
        yield machine_checks.alarms_fired(faults, alarms)
        loads = [(sample.at, sample.load_average / cores) for sample in samples]
        yield machine_checks.alarms_explained(faults, alarms, loads, self._sampler.stalls)
        yield machine_checks.alarms_over(alarms, {name.rpartition("-")[0]: state for name, state in states.items()})
        yield machine_checks.failures_alarmed(stored.failures(cloud), alarms)
        kills = [(kill.function, kill.pid) for kill in self._faults.kills]
        last = samples[-1].memory.keys() if samples else set()
        yield machine_checks.processes_replaced(kills, last)
        yield machine_checks.calls_granted(requests.get(f"{cloud.aws_url}/_local/iam", timeout=60).json())

    def _growths(self) -> list[Growth]:
        series: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for sample in self._sampler.samples:
            if sample.at > self._plan.seconds:
                break  # what settles is no load
            for process, mb in sample.memory.items():
                series.setdefault(process, []).append((sample.at, mb))
        found = (machine_checks.growth(name, samples) for (name, _), samples in series.items() if name != CLOUD)
        return [each for each in found if each is not None]

    def _own_errors(self) -> list[str]:
        stuck = [f"{shop.name} did not end" for shop in self._shops if shop.is_alive()]
        unsettled = [] if self._settled is not None else [f"it did not settle: {self._sampler.depths()}"]
        failures = [shop.failure for shop in self._shops if shop.failure]
        return [*self._clockwork.failures, *self._sampler.errors, *failures, *stuck, *unsettled]

    def _may_fail(self, command: Command) -> bool:
        """Reconciliation refuses while Jira or a table fails, or while the function is killed; a redrive brings poison back."""
        faulty = any(fault.start - 5 <= command.at <= fault.end + 30 for fault in self._plan.faults)
        return command.at < self._plan.seconds and faulty

    def _repeat(self, seconds: float, action: Callable[[], Any], first: float) -> None:
        """Do something at intervals until the load is over."""

        def job() -> float | None:
            action()
            return seconds if self._history.now() + seconds < self._plan.seconds else None

        if first < self._plan.seconds:
            self._clockwork.add(job, first)

    def _reconcile(self) -> None:
        self._operator.run("reconcile")

    def _redrive(self) -> None:
        if sum(self._sampler.dead_letters().values()):
            self._operator.run("redrive", "--limit", "1000", "--yes")

    def _retry_failed(self) -> bool:
        """Have failed creations tried again, as the operator does after Jira was down; whether there were any."""
        failed = [session for session, state in stored.session_states(self._world.cloud).items() if state == "failed"]
        for session in failed:
            self._operator.run("operations", "retry", session, "--by", "U0OPERATOR")
        return bool(failed)

    def _wait_empty(self) -> None:
        end = time.monotonic() + 60
        while self._sampler.waiting() and time.monotonic() < end:
            time.sleep(1)


def _raised(changes: list[AlarmChange]) -> list[Raised]:
    return machine_checks.raised([(change.at, change.alarm, change.state) for change in changes])
