"""Rows of earlier releases are indexed as a delivery would, and a delivery that comes first wins."""

from typing import Any

import pytest

from lib.jira import items
from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from lib.operations.reindex import reindex_project
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import TABLE, make_reader, make_store

INDEX_KEYS = ("status_shard", "assignee_shard", "fix_version_shard", "changed_hour")


def record(table: FakeTable, key: str, second: int, **given: Any) -> None:
    stamp = Stamp(f"2026-03-01T12:00:{second:02d}.000000Z", second, f"d-{second}")
    fields = IssueFields(**{"status": "Done", "assignee": "ada", "fix_versions": ("1", "2"), **given})
    make_store(table).record(Delivery(key, "1", stamp, "jira:issue_updated", fields))


@pytest.fixture
def table(jira_issues: FakeTable) -> FakeTable:
    """Three issues as an earlier release stored them."""
    for number in (1, 2, 3):
        record(jira_issues, f"OPS-{number}", number)
    for item in jira_issues.items.values():
        for name in INDEX_KEYS:
            item.pop(name, None)
    return jira_issues


def test_the_rows_become_what_a_delivery_writes(table: FakeTable, jira_issues: FakeTable) -> None:
    progress: list[tuple[int, str]] = []
    assert reindex_project(table, TABLE, "OPS", workers=1, on_progress=lambda *done: progress.append(done)) == 3
    assert progress == [(3, "OPS-3")]
    fresh = FakeTable()
    for number in (1, 2, 3):
        record(fresh, f"OPS-{number}", number)
    assert table.items == fresh.items
    assert reindex_project(table, TABLE, "OPS", workers=1) == 0


def test_an_issue_that_changed_meanwhile_is_left_as_it_is(table: FakeTable) -> None:
    read = table.query

    def query(**request: Any) -> dict[str, Any]:
        answer = read(**request)
        table.query = read  # type: ignore[method-assign]
        record(table, "OPS-2", 20, status="To Do", fix_versions=())
        return answer

    table.query = query  # type: ignore[method-assign]
    reindex_project(table, TABLE, "OPS", workers=1)

    assert [issue.issue_key for issue in make_reader(table).by_status("To Do")] == ["OPS-2"]
    assert [issue.issue_key for issue in make_reader(table).by_status("Done")] == ["OPS-3", "OPS-1"]
    assert [issue.issue_key for issue in make_reader(table).by_fix_version("2")] == ["OPS-3", "OPS-1"]
    assert items.key("OPS-2", "FIXVERSION#2") not in [items.key(*key) for key in table.items]
