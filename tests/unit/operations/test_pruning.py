"""Pruning takes superseded versions, and nothing that anybody still needs."""

from datetime import timedelta

import pytest

from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from lib.operations.pruning import Pruned, Pruner
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import NOW, TABLE, make_reader, make_store

LATER = NOW + timedelta(days=30)


def record(table, second, *, key="OPS-7", received=NOW, deleted=False):
    stamp = Stamp(f"2026-03-01T12:{second // 60:02d}:{second % 60:02d}.000000Z", second, f"d-{second}")
    fields = IssueFields("s", fix_versions=("1", "2"))
    store = make_store(table, now=lambda: received)
    store.record(Delivery(key, "1", stamp, "jira:issue_updated", fields, deleted=deleted, snapshot="{}"))


@pytest.fixture
def table():
    table = FakeTable()
    for second in range(1, 61):
        record(table, second)
    record(table, 1, key="OPS-8")
    record(table, 2, key="OPS-8", deleted=True)
    table.put_item(TableName=TABLE, Item={"issue_key": {"S": "health#1"}, "updated_at": {"S": "2026"}})
    return table


def test_only_the_current_version_and_the_other_rows_stay(table):
    others = {key: item for key, item in table.items.items() if key[1] > "A" or not key[0].startswith("OPS")}
    assert Pruner(table, TABLE).prune(LATER) == Pruned(versions=62, deleted=60)
    left = [version.stamp.event_at for version in make_reader(table).history("OPS-7")]
    assert left == [60]
    assert [version.deleted for version in make_reader(table).history("OPS-8")] == [True]
    assert {key: item for key, item in table.items.items() if key in others} == others


def test_recent_versions_stay(table):
    record(table, 90, received=LATER)
    record(table, 91, received=LATER)
    Pruner(table, TABLE).prune(NOW + timedelta(days=1))
    assert [version.stamp.event_at for version in make_reader(table).history("OPS-7")] == [91, 90]


def test_a_dry_run_counts_and_deletes_nothing(table):
    before = dict(table.items)
    assert Pruner(table, TABLE).prune(LATER, dry_run=True).deleted == 60
    assert table.items == before
