"""What storing and reading cost, in calls and capacity units. docs/database-schema.md states the same numbers."""

import dataclasses
import json
import math

import pytest

from lib.jira import commits, items
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from tests.bench.speed.samples import ISSUE
from tests.support.dynamodb.fake_table import item_bytes
from tests.support.jira.builders import TABLE, incompressible, make_reader, make_store


@pytest.fixture
def table(jira_issues):
    return jira_issues


def stamp(number):
    return Stamp(f"2026-03-01T12:{number // 60:02d}:{number % 60:02d}.000000Z", number, f"d-{number}")


def delivery(number=1, *, key="OPS-7", versions=("1.0",), snapshot=10_000, **more):
    fields = IssueFields("s", "Done", "ada", "Ada", versions)
    return Delivery(key, "1", stamp(number), "jira:issue_updated", fields, snapshot=incompressible(snapshot), **more)


def cost(table, act):
    table.calls.clear()
    act()
    return list(table.calls)


@pytest.mark.parametrize("versions", [(), ("1.0",)])
@pytest.mark.parametrize("snapshot", [2_000, 10_000, 100_000])
def test_a_delivery_costs_two_writes_of_the_rows_sizes_and_no_read(table, versions, snapshot):
    calls = cost(table, lambda: make_store(table).record(delivery(versions=versions, snapshot=snapshot)))
    sizes = {name: item_bytes(item) for (_, name), item in table.items.items()}
    assert [call for call, _ in calls] == ["put_item", "put_item"]
    assert [units for _, units in calls] == [math.ceil(sizes[stamp(1).version_at] / 1024), 1]
    assert sizes["HEAD"] < 1024


def test_a_webhook_of_3_kb_costs_two_units(table):
    webhook = json.dumps(ISSUE, separators=(",", ":"))
    assert len(webhook) > 3_000
    calls = cost(table, lambda: make_store(table).record(dataclasses.replace(delivery(), snapshot=webhook)))
    assert calls == [("put_item", 1), ("put_item", 1)]


def test_history_does_not_raise_the_cost_of_a_delivery(table):
    store = make_store(table)
    costs = [cost(table, lambda number=number: store.record(delivery(number))) for number in range(1, 100)]
    assert costs[50] == costs[98] == [("put_item", 8), ("put_item", 1)]


def test_a_move_costs_four_small_writes_more(table):
    calls = cost(table, lambda: make_store(table).record(delivery(moved_from="WEB-1")))
    assert calls == [("put_item", 8), *[("put_item", 1)] * 5]


def test_each_further_fix_version_costs_one_small_write(table):
    calls = cost(table, lambda: make_store(table).record(delivery(versions=("1", "2", "3"))))
    assert sorted(calls) == [("put_item", 1), ("put_item", 1), ("put_item", 1), ("put_item", 8)]


@pytest.mark.parametrize("versions", [1, 100])
def test_reading_the_current_state_costs_the_same_whatever_the_history(table, versions):
    for number in range(versions):
        make_store(table).record(delivery(number))
    reader = make_reader(table)
    assert cost(table, lambda: reader.latest("OPS-7")) == [("get_item", 1)]
    assert cost(table, lambda: list(reader.by_project("OPS"))) == [("query", 0.5)]
    for read in (
        lambda: reader.by_status("Done"),
        lambda: reader.by_assignee("ada"),
        lambda: reader.by_fix_version("1.0"),
    ):
        calls = cost(table, lambda read=read: list(read()))
        assert [call for call, _ in calls] == ["query"] * items.NAME_SHARDS
        assert max(units for _, units in calls) == 0.5, "DynamoDB Local charges nothing for a shard without rows"


def test_hints_are_checked_a_page_at_a_time(table):
    for number in range(1, 61):
        make_store(table).record(delivery(number, key=f"OPS-{number}", versions=("1", "2")))
    calls = cost(table, lambda: list(make_reader(table).by_fix_version("2")))
    assert [call for call, _ in calls] == ["query"] * items.NAME_SHARDS + ["batch_get_item"]


def test_pages_are_fetched_on_demand(table):
    for number in range(1, 251):
        make_store(table).record(delivery(number, key=f"OPS-{number}", snapshot=0))
    issues = make_reader(table).by_project("OPS")
    assert len(cost(table, lambda: next(issues))) == 1
    assert [call for call, _ in cost(table, lambda: list(issues))] == ["query", "query"]


def test_a_recompute_costs_one_query_and_one_write_whatever_the_history(table):
    for number in range(200):
        make_store(table).record(delivery(number))
    links = CorrelationStore(table, TABLE)
    links.record_commits([commits.Commit("a" * 40, "o/r", "OPS-7 fix", stamp(1).version_at, ("OPS-7",))])
    assert cost(table, lambda: links.recompute("OPS-7")) == [("query", 1), ("put_item", 1)]


def test_knowing_a_project_costs_one_row(table):
    for number in range(1, 200):
        make_store(table).record(delivery(number, key=f"OPS-{number}"))
    assert cost(table, lambda: make_reader(table).project_is_known("OPS")) == [("query", 0.5)]
