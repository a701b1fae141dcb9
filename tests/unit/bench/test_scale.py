"""The simulation of docs/scale.md follows DynamoDB's rules, takes its units from the real store, and loses nothing itself."""

from datetime import UTC, datetime, timedelta

import pytest

from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery as Reported
from lib.platform import clock
from tests.bench.scale import throttling
from tests.bench.scale.costs import Meter, changes_of, throughputs
from tests.bench.scale.scenarios import Changes, run, scenarios
from tests.bench.scale.simulation import Delivery, Outcome, Sender, Simulation
from tests.bench.scale.throttling import Throughput, position, write

HOT, COLD = position("hot", None), position("hot", None) ^ 1 << 63
"""Places in different partitions."""


def seconds_pass(throughput: Throughput, seconds: float) -> None:
    for _ in range(int(seconds / throttling.STEP_SECONDS)):
        throughput.next_step()


def test_a_partition_takes_1000_units_per_second_and_no_more() -> None:
    table = Throughput("table")
    assert all(write([table], [(0, HOT, 10)]) for _ in range(100))
    assert not write([table], [(0, HOT, 1)])
    assert write([table], [(0, COLD, 1)]), "another partition is free"
    seconds_pass(table, 0.5)
    assert write([table], [(0, HOT, 500)])
    assert not write([table], [(0, HOT, 1)])


def test_a_new_table_takes_4000_units_and_later_twice_its_peak() -> None:
    table = Throughput("table")
    for where in range(8):
        write([table], [(0, where << 61, 500)])
    assert not any(write([table], [(0, where << 61, 1)]) for where in range(8))
    seconds_pass(table, 1)
    assert table.peak_table == 4_000
    seconds_pass(table, 29 * 60)
    assert table.units_per_second == 4_000
    seconds_pass(table, 60)
    assert table.units_per_second == 8_000


def test_a_full_partition_of_an_index_throttles_the_write_of_the_table() -> None:
    table, index = Throughput("table"), Throughput("index")
    assert write([table, index], [(0, COLD, 1), (1, HOT, 1_000)])
    assert not write([table, index], [(0, COLD, 1), (1, HOT, 1)])
    assert (index.throttled, table.throttled) == (1, 0)
    assert table.partition(COLD).taken == 1, "a throttled write takes nothing"


@pytest.mark.parametrize(("places", "partitions"), [(1, 4), (2, 5)], ids=["one-place", "two-places"])
def test_a_hot_partition_is_split_after_minutes_if_its_load_is_in_two_places(places: int, partitions: int) -> None:
    table = Throughput("table")
    for _ in range(throttling.SPLIT_AFTER_SECONDS):
        for number in range(2):
            write([table], [(0, HOT - number % places, 500)])
        seconds_pass(table, 1)
    assert len(table.partitions) == partitions


AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def units(layout: str, *, hours: int = 0, status: str = "Done") -> int:
    """What the indexes take of a second delivery; tests/dynamodb_local/test_index_costs.py has the same from an engine."""

    def reported(at: datetime, status: str) -> Reported:
        stamp = Stamp(clock.canonical(at), clock.epoch_ms(at), "d")
        return Reported("OPS-7", "1", stamp, "x", IssueFields("s", status, "ada", "Ada", ("1.0",)))

    changes = changes_of((reported(AT, "Done"), reported(AT + timedelta(hours=hours, seconds=1), status)))
    costs = [cost for change in changes for cost in Meter(layout).costs(change)]
    return sum(units for number, _, units in costs if number > 0)


def test_the_units_of_the_indexes_are_those_of_an_engine() -> None:
    assert units("after") == 4
    assert units("after", status="To Do") == 5
    assert units("after", hours=1) == units("after", hours=1, status="To Do") == 7
    assert units("before") == 7


def outcome_of(count: int, sender: Sender, *, rate: int, units: int = 1) -> Outcome:
    """What happens to so many deliveries of one issue at once."""
    deliveries = [Delivery(sender, (((0, HOT, units),),)) for _ in range(count)]
    return Simulation(throughputs("after"), rate=rate, burst=rate).run([deliveries])


def test_jira_sends_again_what_the_store_throttles_and_nothing_is_lost() -> None:
    outcome = outcome_of(3_000, Sender.JIRA, rate=9_000)
    assert outcome.refused["store"] == 1_500, "1,000 at once, 500 by the store's own retry half a second later"
    assert (outcome.stored, outcome.lost, outcome.by_reconciliation) == (3_000, 0, 0)
    assert 300 < outcome.stored_at < 1_800


def test_reconciliation_stores_what_jira_gives_up() -> None:
    outcome = outcome_of(2_000, Sender.JIRA, rate=1)
    assert (outcome.stored, outcome.lost) == (2_000, 0)
    assert 0 < outcome.by_reconciliation < 2_000


def test_a_push_is_lost_only_if_the_api_refuses_it() -> None:
    outcome = outcome_of(130, Sender.GIT, rate=100)
    assert (outcome.stored, outcome.lost) == (100, 30)
    outcome = outcome_of(3_000, Sender.GIT, rate=9_000)
    assert (outcome.stored, outcome.lost) == (3_000, 0)


def test_more_requests_at_once_than_environments_are_refused() -> None:
    outcome = outcome_of(7_000, Sender.JIRA, rate=99_000, units=0)
    assert outcome.refused["concurrency"] == pytest.approx(750, abs=1), "1,000 environments for 6.25 deliveries per step"
    assert outcome.stored == 7_000


def test_every_scenario_runs_and_a_name_of_all_issues_is_no_longer_hot() -> None:
    changes = Changes(1_000)
    hottest = {}
    for scenario in scenarios(scale=0.01):
        if scenario.per_second == 900 and scenario.rate > 50:
            result = run(scenario, changes)
            assert result.outcome.stored == result.outcome.arrived == 1_000
            hottest[scenario.layout] = max(index.peak_asked for index in result.store[1:])
    assert hottest["before"] > throttling.PARTITION_UNITS >= hottest["after"]
