"""Deliveries on their way: sender, HTTP API, function, store, work queue and worker, in steps of half a second.

arrive ─► API's rate ─► concurrency ─► two puts, one retry each ─► stored ─► queue ─► correlation
   ▲          │ 429          │ 503            │ 503
   └──────────┴──────────────┴────────────────┴─ Jira: up to five times, then reconciliation
                                                Git hosts: never; a throttled push goes to the queue
"""

import heapq
import itertools
import random
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from lib.platform import aws
from stack.functions.jira_worker import JIRA_WORKERS
from tests.bench.scale.throttling import STEP_SECONDS, Cost, Throughput, write

JIRA_RETRIES, JIRA_RETRY_SECONDS = 5, (300, 900)
ENVIRONMENTS, NEW_ENVIRONMENTS = 1_000, 1_000
DELIVERY_SECONDS = 0.08
BATCH, BATCH_SECONDS = 10, 0.25
REDELIVERY_SECONDS = 30 * 60
SWEEP_SECONDS, SWEPT_PER_SECOND = 15 * 60, 50

assert aws.THROTTLE_RETRY_DELAY_SECONDS == STEP_SECONDS, "a step is the wait before the store's retry"


Due = TypeVar("Due")


class Sender(Enum):
    """Who sends again what was refused."""

    JIRA = "jira"
    GIT = "git"


@dataclass(slots=True)
class Delivery:
    """A delivery and the writes that are left of it."""

    sender: Sender
    writes: Sequence[Sequence[Cost]]
    arrived: float = 0
    done: int = 0
    retried: bool = False
    refusals: int = 0


@dataclass(slots=True)
class Outcome:
    """What happened to all deliveries. ``lost`` ones are pushes that the HTTP API refused: no Git host sends them again.

    Attributes:
        refused: how often, by what.
        by_reconciliation: of the stored ones, those that their sender gave up.
        stored_at, correlated_at: when the last was, in seconds from the start.
        late: stored ones that took longer than a minute.
        series: for each ten seconds: arrived, stored, refused.
    """

    arrived: int = 0
    stored: int = 0
    lost: int = 0
    by_reconciliation: int = 0
    late: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    stored_at: float = 0
    correlated_at: float = 0
    longest_queue: int = 0
    most_in_flight: int = 0
    most_environments: int = 0
    series: list[list[int]] = field(default_factory=list)


class Simulation:
    """One run. ``rate`` and ``burst`` are httpRateLimit and httpBurstLimit."""

    def __init__(self, store: Sequence[Throughput], *, rate: int, burst: int, seed: int = 1) -> None:
        self._throughputs = store
        self._rate, self._burst = rate, burst
        self._random = random.Random(seed)
        self._now = 0.0
        self._requests: float = burst
        self._environments = self._busy = 0.0
        self._allowed: float = NEW_ENVIRONMENTS
        self._waiting: list[Delivery] = []  # for the store's own retry, in their environments
        self._later: list[tuple[float, int, Delivery]] = []
        self._missed: list[tuple[float, int, Delivery]] = []  # until a run of reconciliation stores them
        self._queue: deque[Cost] = deque()  # positions of issues to correlate
        self._invisible: list[tuple[float, int, Cost]] = []
        self._numbers = itertools.count()
        self.outcome = Outcome()

    def run(self, arrivals: Iterable[Sequence[Delivery]]) -> Outcome:
        """Run until every delivery is stored and correlated, or lost. ``arrivals`` are those of each step."""
        coming = iter(arrivals)
        more = True
        while more or self._later or self._waiting or self._missed or self._queue or self._invisible:
            arrived = next(coming, None)
            more = arrived is not None
            self._step(arrived or ())
        return self.outcome

    def _step(self, arrived: Sequence[Delivery]) -> None:
        for throughput in self._throughputs:
            throughput.next_step()
        if self._now % 10 == 0:
            self.outcome.series.append([0, 0, 0])
        self._now += STEP_SECONDS
        self._requests = min(self._burst, self._requests + self._rate * STEP_SECONDS)
        waiting, self._waiting = self._waiting, []
        for delivery in waiting:
            self._store(delivery)
        self._busy = float(len(waiting))
        for delivery in arrived:
            delivery.arrived = self._now
        self._count(0, len(arrived))
        self.outcome.arrived += len(arrived)
        self._receive([*self._due(self._later), *arrived])
        self._reconcile()
        self._correlate()

    def _receive(self, deliveries: Sequence[Delivery]) -> None:
        """Lambda adds environments as they are needed: 1,000 per ten seconds, of which the unused are not kept for later."""
        needed = min(ENVIRONMENTS, self._busy + len(deliveries) * DELIVERY_SECONDS / STEP_SECONDS)
        self._allowed = min(NEW_ENVIRONMENTS, self._allowed + NEW_ENVIRONMENTS / 10 * STEP_SECONDS)
        added = min(self._allowed, max(0, needed - self._environments))
        self._allowed -= added
        self._environments += added
        self.outcome.most_environments = max(self.outcome.most_environments, round(self._environments))
        for delivery in deliveries:
            if self._requests < 1:
                self._refuse(delivery, "HTTP API")
                continue
            self._requests -= 1
            if self._busy >= self._environments:
                self._refuse(delivery, "concurrency")
                continue
            self._busy += DELIVERY_SECONDS / STEP_SECONDS
            self._store(delivery)

    def _store(self, delivery: Delivery, *, sweeping: bool = False) -> bool:
        """Make the writes that are left. A throttled one is tried once more, a step later."""
        while delivery.done < len(delivery.writes):
            if write(self._throughputs, delivery.writes[delivery.done]):
                delivery.done += 1
                delivery.retried = False
            elif sweeping:
                return False
            elif not delivery.retried:
                delivery.retried = True
                self._waiting.append(delivery)
                return False
            else:
                self._refuse(delivery, "store")
                return False
        self.outcome.stored += 1
        self.outcome.stored_at = self._now
        self.outcome.late += self._now - delivery.arrived > 60
        self._count(1, 1)
        self._queue.append((0, delivery.writes[0][0][1], 1))
        return True

    def _refuse(self, delivery: Delivery, by: str) -> None:
        self.outcome.refused[by] += 1
        self._count(2, 1)
        delivery.done, delivery.retried = 0, False  # the sender sends all of it again
        delivery.refusals += 1
        if delivery.sender is Sender.GIT:
            if by == "store":  # the queue takes what the store does not (docs/adr/0031)
                self._put_later(REDELIVERY_SECONDS, delivery)
            else:
                self.outcome.lost += 1
        elif delivery.refusals > JIRA_RETRIES:
            self._miss(delivery)
        else:
            self._put_later(self._random.uniform(*JIRA_RETRY_SECONDS), delivery)

    def _miss(self, delivery: Delivery) -> None:
        """The next run of reconciliation finds what Jira has and the table lacks."""
        next_run = (self._now // SWEEP_SECONDS + 1) * SWEEP_SECONDS
        heapq.heappush(self._missed, (next_run, next(self._numbers), delivery))

    def _reconcile(self) -> None:
        for delivery in self._due(self._missed, most=int(SWEPT_PER_SECOND * STEP_SECONDS)):
            if self._store(delivery, sweeping=True):
                self.outcome.by_reconciliation += 1
            else:
                self._miss(delivery)

    def _correlate(self) -> None:
        """The workers of the queue: a message whose write is throttled comes back when it is visible again."""
        self._queue.extend(self._due(self._invisible))
        self.outcome.longest_queue = max(self.outcome.longest_queue, len(self._queue))
        for _ in range(min(len(self._queue), int(JIRA_WORKERS * BATCH / BATCH_SECONDS * STEP_SECONDS))):
            cost = self._queue.popleft()
            if write(self._throughputs, (cost,)):
                self.outcome.correlated_at = self._now
            else:
                heapq.heappush(self._invisible, (self._now + REDELIVERY_SECONDS, next(self._numbers), cost))
        self.outcome.most_in_flight = max(self.outcome.most_in_flight, len(self._invisible) + JIRA_WORKERS * BATCH)

    def _put_later(self, seconds: float, delivery: Delivery) -> None:
        heapq.heappush(self._later, (self._now + seconds, next(self._numbers), delivery))

    def _due(self, heap: list[tuple[float, int, Due]], most: int | None = None) -> list[Due]:
        due: list[Due] = []
        while heap and heap[0][0] <= self._now and len(due) != most:
            due.append(heapq.heappop(heap)[2])
        return due

    def _count(self, column: int, number: int) -> None:
        self.outcome.series[-1][column] += number
