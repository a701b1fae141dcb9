"""For any order of moves, commits and recomputes, the commits of a moved issue end under its current key.

Each event leaves a recompute of the keys that it touches. Recomputes run at any later time, in any order, and crash before
any of their writes; a crashed one runs again. A recompute may also run, together with events, before a write of another one.
"""

import itertools
from datetime import timedelta
from random import Random
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from lib.platform import errors
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import NOW
from tests.support.jira.moves import Mover, stored
from tests.support.project.examples import examples

PATHS = (
    ("OPS-1", "DEV-1"),
    ("OPS-1", "DEV-1", "GOLD-1"),
    ("OPS-1", "DEV-1", "OPS-1"),
    ("OPS-1", "DEV-1", "OPS-1", "DEV-1"),
    ("OPS-1", "DEV-1", "GOLD-1", "OPS-1"),
)


class Crash(errors.ConnectionLostError):
    """The function died."""


def crash_after(table: FakeTable, writes: int) -> None:
    left = [writes]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crash("crash")

    table.before_write = count


@settings(max_examples=examples(100, thorough=1_500), deadline=None)
@given(data=st.data(), path=st.sampled_from(PATHS))
def test_commits_end_under_the_current_key_in_any_order(data: Any, path: tuple[str, ...]) -> None:
    table = FakeTable()
    mover = Mover(table, "issues", path)
    named = data.draw(st.lists(st.sampled_from(sorted(set(path))), max_size=4))
    events: list[tuple[Any, int, str | None]] = [(mover.arrive, position, None) for position in range(len(path))]
    events += [(mover.push, number, key) for number, key in enumerate(named)]
    pending: list[str] = []

    def run(position: int, writes: int | None) -> None:
        key = pending.pop(position)
        if writes is not None:
            crash_after(table, writes)
        try:
            mover.links.recompute(key)
        except Crash:
            pending.append(key)
        finally:
            table.before_write = lambda: None

    for act, number, key in data.draw(st.permutations(events)):
        pending += act(number) if key is None else act(number, key)
        for _ in range(data.draw(st.integers(0, len(pending)))):
            run(data.draw(st.integers(0, len(pending) - 1)), data.draw(st.none() | st.integers(0, 6)))
    while pending:
        run(data.draw(st.integers(0, len(pending) - 1)), None)

    assert stored(lambda key: table.items[key, "CORRELATION"], sorted(set(path))) == mover.expected(len(named))
    assert {key for key, row in table.items if row.startswith("COMMIT#")} <= {path[-1]}


@settings(max_examples=examples(40, thorough=600), deadline=None)
@given(random=st.randoms(use_true_random=True), path=st.sampled_from(PATHS))
def test_commits_end_under_the_current_key_after_overlapping_recomputes(random: Random, path: tuple[str, ...]) -> None:
    table, ticks = FakeTable(), itertools.count()
    mover = Mover(table, "issues", path)
    mover.links._now = lambda: NOW + timedelta(milliseconds=next(ticks))
    pushes = random.randint(1, 4)
    events = [lambda position=position: mover.arrive(position) for position in range(len(path))]
    events += [lambda number=number: mover.push(number, random.choice(path)) for number in range(pushes)]
    random.shuffle(events)
    pending: list[str] = []
    running: list[str] = []

    def overtake() -> None:
        if len(running) < 3 and random.random() < 0.2:
            if events and random.random() < 0.5:
                pending.extend(events.pop()())
            recompute_one()

    def recompute_one() -> None:
        if not pending:
            return
        key = pending.pop(random.randrange(len(pending)))
        running.append(key)
        try:
            mover.links.recompute(key)
        except errors.UnavailableError:  # overtaken too often: its message comes again
            pending.append(key)
        finally:
            running.pop()

    table.before_write = overtake
    while events:
        pending.extend(events.pop()())
        recompute_one()
    while pending:
        recompute_one()

    assert stored(lambda key: table.items[key, "CORRELATION"], sorted(set(path))) == mover.expected(pushes)
    assert {key for key, row in table.items if row.startswith("COMMIT#")} == {path[-1]}
