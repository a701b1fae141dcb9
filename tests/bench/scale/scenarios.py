"""What is simulated: a bulk change, and a day of ten million events, each in both layouts."""

import functools
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery as Reported
from lib.operations.costs.pricing import Workload
from lib.platform import clock
from tests.bench.scale.costs import LAYOUTS, Change, Meter, changes_of, throughputs
from tests.bench.scale.simulation import Delivery, Outcome, Sender, Simulation
from tests.bench.scale.throttling import STEP_SECONDS, Cost, Throughput
from tests.bench.speed.samples import ISSUE

_WORDS = ("disk", "build", "image", "machine", "deploy", "rack", "power", "cable", "host", "queue", "retry", "signal", "window")
_STATUSES = {"Done": 0.45, "In Progress": 0.25, "To Do": 0.2, "In Review": 0.1}
_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 10, 8, 10, 11, 11, 10, 8, 5, 3, 2, 2, 1, 1)
"""How the events of a day are spread over its hours, by the day of one continent."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulation.

    Attributes:
        title: what it is called.
        layout: a key of :data:`LAYOUTS`.
        rate: httpRateLimit; the burst is twice of it.
        issues: how many are changed at once; 0 for a day of events.
        per_second: deliveries of the bulk change.
        events: of the day.
    """

    title: str
    layout: str
    rate: int
    issues: int = 0
    per_second: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What a simulation shows."""

    scenario: Scenario
    outcome: Outcome
    store: Sequence[Throughput]


def scenarios(scale: float = 1) -> Iterator[Scenario]:
    """All of them; ``scale`` below 1 makes them smaller."""
    issues, events = int(100_000 * scale), int(10_000_000 * scale)
    for per_second in (400, 900):
        for layout in LAYOUTS:
            yield Scenario(f"bulk change at {per_second} per second", layout, 2_000, issues, per_second)
    yield Scenario("bulk change at 900 per second, httpRateLimit 50", "after", 50, issues, 900)
    for layout in LAYOUTS:
        yield Scenario("day", layout, 1_000, events=events)
    yield Scenario("day, httpRateLimit 50", "after", 50, events=events)


class Changes:
    """The writes of many updates, made once by the real store and used by every scenario.

    Attributes:
        bulk, daily: for each layout, the costs of the writes of each update.
    """

    def __init__(self, count: int, seed: int = 1) -> None:
        rng = random.Random(seed)
        texts = [" ".join(rng.choices(_WORDS, k=rng.randrange(20, 2_500))) for _ in range(200)]
        bulk = [_bulk_change(number, rng.choice(texts)) for number in range(1, count + 1)]
        daily = [_daily_change(rng, rng.choice(texts)) for _ in range(count // 5)]
        meters = {layout: Meter(layout, seed) for layout in LAYOUTS}
        self.bulk = {layout: [_costs(meter, each) for each in bulk] for layout, meter in meters.items()}
        self.daily = {layout: [_costs(meter, each) for each in daily] for layout, meter in meters.items()}


def run(scenario: Scenario, changes: Changes, *, seed: int = 1) -> Result:
    """Run one simulation."""
    store = throughputs(scenario.layout)
    simulation = Simulation(store, rate=scenario.rate, burst=2 * scenario.rate, seed=seed)
    arrivals = _bulk(scenario, changes) if scenario.issues else _day(scenario, changes, random.Random(seed))
    return Result(scenario, simulation.run(arrivals), store)


def _bulk(scenario: Scenario, changes: Changes) -> Iterator[Sequence[Delivery]]:
    costs = changes.bulk[scenario.layout][: scenario.issues]
    each_step = int(scenario.per_second * STEP_SECONDS)
    for first in range(0, len(costs), each_step):
        yield [Delivery(Sender.JIRA, writes) for writes in costs[first : first + each_step]]


def _day(scenario: Scenario, changes: Changes, rng: random.Random) -> Iterator[Sequence[Delivery]]:
    """Deliveries of Jira and pushes; the other events do not use this table, and this leaves their requests out."""
    workload = Workload(events_per_day=scenario.events)
    jira = changes.daily[scenario.layout]
    pushes = [(((0, writes[0][0][1], 1),),) for writes in jira]
    for step in range(int(24 * 3600 / STEP_SECONDS)):
        share = _HOURS[int(step * STEP_SECONDS // 3600)] / sum(_HOURS) / 3600 * STEP_SECONDS
        deliveries, links = (
            _about(scenario.events * kind * share, rng) for kind in (workload.jira_share, workload.commit_share)
        )
        yield [
            *(Delivery(Sender.JIRA, writes) for writes in rng.choices(jira, k=deliveries)),
            *(Delivery(Sender.GIT, writes) for writes in rng.choices(pushes, k=links)),
        ]


def _about(mean: float, rng: random.Random) -> int:
    """A number of arrivals with this mean, as chance has it."""
    return max(0, math.floor(rng.gauss(mean, math.sqrt(mean)) + rng.random()))


def _costs(meter: Meter, changes: Sequence[Change]) -> tuple[tuple[Cost, ...], ...]:
    return tuple(meter.costs(change) for change in changes)


def _bulk_change(number: int, text: str) -> list[Change]:
    """An issue of one project goes from ``To Do`` to ``Done``, days after its last change; bot and release are the same."""
    fields = IssueFields(
        summary=f"Rack {number}", status="To Do", assignee="bot", assignee_name="Bot", fix_versions=("2026.4",)
    )
    before = _reported(f"OPS-{number}", _AT - timedelta(days=3), fields, text)
    return changes_of((before, _reported(f"OPS-{number}", _AT, replace(fields, status="Done"), text)))


def _daily_change(rng: random.Random, text: str) -> list[Change]:
    """Someone changes an issue; the change before was in another hour, which is the expensive case."""
    key = f"P{int(rng.paretovariate(1)) % 40}-{rng.randrange(1, 100_000)}"
    status, later = rng.choices(list(_STATUSES), list(_STATUSES.values()), k=2)
    fields = IssueFields(
        summary=key,
        status=status,
        assignee=f"person-{int(rng.paretovariate(0.8)) % 5_000}",
        fix_versions=rng.choice([(), ("2026.3",), ("2026.4",)]),
    )
    changed = replace(fields, status=later if rng.random() < 0.3 else status)
    return changes_of((_reported(key, _AT - timedelta(hours=5), fields, text), _reported(key, _AT, changed, text)))


def _reported(key: str, at: datetime, fields: IssueFields, text: str) -> Reported:
    stamp = Stamp(clock.canonical(at), clock.epoch_ms(at), f"{key}@{clock.epoch_ms(at):056d}")
    return Reported(key, "10007", stamp, "jira:issue_updated", fields, snapshot=_snapshot(text))


@functools.cache
def _snapshot(text: str) -> str:
    issue = {**ISSUE["issue"], "fields": {**ISSUE["issue"]["fields"], "description": text}}
    return json.dumps({**ISSUE, "issue": issue}, separators=(",", ":"))
