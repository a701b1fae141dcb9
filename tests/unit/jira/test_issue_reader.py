"""Reading issues: typed, in order, and without rows that are not issues."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from lib.jira import items
from lib.jira.issue_reader import IssueReader
from lib.jira.issues import IssueFields, Stamp
from lib.jira.items import Issue
from lib.jira.webhooks import Delivery
from lib.platform import errors
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import TABLE, latest, make_reader, make_store


def record(
    table: FakeTable, key: str = "OPS-7", second: int = 1, *, hour: int = 12, deleted: bool = False, **given: Any
) -> None:
    stamp = Stamp(f"2026-03-01T{hour}:00:{second:02d}.000000Z", second, f"d-{second}")
    fields = IssueFields(**{"summary": "s", "status": "Done", **given})
    make_store(table).record(Delivery(key, "1", stamp, "jira:issue_updated", fields, deleted=deleted, snapshot="{}"))


@pytest.fixture
def table(jira_issues: FakeTable) -> FakeTable:
    return jira_issues


def keys(issues: Iterable[Issue]) -> list[str]:
    return [issue.issue_key for issue in issues]


def test_latest_is_the_current_state(table: FakeTable) -> None:
    record(table, second=1, status="To Do")
    record(table, second=2, status="Done", fix_versions=("1", "2"))
    issue = latest(table, "OPS-7")
    assert (issue.project_key, issue.issue_number, issue.fields.status) == ("OPS", 7, "Done")
    assert issue.fields.fix_versions == ("1", "2")


def test_latest_distinguishes_deleted_from_unknown(table: FakeTable) -> None:
    record(table, deleted=True)
    assert latest(table, "OPS-7").deleted
    assert make_reader(table).latest("OPS-8") is None


def test_history_is_the_versions_only_newest_first(table: FakeTable) -> None:
    for second in (2, 1, 3):
        record(table, second=second, fix_versions=("1", "2"))
    seconds = [version.stamp.event_at for version in make_reader(table).history("OPS-7")]
    assert seconds == [3, 2, 1]


def test_history_goes_on_before_a_time_and_never_into_other_rows(table: FakeTable) -> None:
    for second in (1, 2, 3):
        record(table, second=second)
    reader = make_reader(table)

    def seconds(before: str) -> list[int]:
        return [version.stamp.event_at for version in reader.history("OPS-7", before=before)]

    assert seconds("2026-03-01T12:00:03.000000Z") == [2, 1]
    assert seconds("2026-03-01T12:00:01.000000Z") == []
    assert seconds("Z") == [3, 2, 1]


def test_a_version_is_read_by_its_time_and_no_other_row_is(table: FakeTable) -> None:
    record(table, second=2)
    reader = make_reader(table)

    found = reader.version("OPS-7", "2026-03-01T12:00:02.000000Z")
    assert found is not None
    assert found.stamp.event_at == 2
    for name in ("", "HEAD", "CORRELATION", "2026-03-01T12:00:01.000000Z"):
        assert reader.version("OPS-7", name) is None


def test_a_project_is_listed_in_the_order_of_numbers(table: FakeTable) -> None:
    for number in (10, 9, 100, 1):
        record(table, f"OPS-{number}")
    record(table, "OPS2-5")
    reader = make_reader(table)
    assert keys(reader.by_project("OPS")) == ["OPS-1", "OPS-9", "OPS-10", "OPS-100"]
    assert keys(reader.by_project("OPS", after=1, through=10)) == ["OPS-9", "OPS-10"]
    assert keys(reader.by_project("OPS", after=10, through=10)) == []


def test_old_states_and_deleted_issues_are_in_no_list(table: FakeTable) -> None:
    record(table, second=1, status="To Do", assignee="ada")
    record(table, second=2, status="Done", assignee="grace")
    record(table, "OPS-8", second=1)
    record(table, "OPS-8", second=2, deleted=True)
    reader = make_reader(table)
    assert keys(reader.by_status("To Do")) == []
    assert keys(reader.by_status("Done")) == ["OPS-7"]
    assert keys(reader.by_assignee("ada")) == []
    assert keys(reader.by_assignee("grace")) == ["OPS-7"]
    assert keys(reader.by_project("OPS")) == ["OPS-7"]


def test_lists_have_the_latest_changed_first(table: FakeTable) -> None:
    for second, key in enumerate(("OPS-3", "OPS-1", "OPS-2"), start=1):
        record(table, key, second=second)
    assert keys(make_reader(table).by_status("Done")) == ["OPS-2", "OPS-1", "OPS-3"]


def test_a_list_is_in_order_over_shards_and_hours_and_continues_anywhere(table: FakeTable) -> None:
    for number in range(40):
        record(table, f"OPS-{number + 1}", second=number * 7 % 20, hour=10 + number % 3, assignee="ada")
    reader = IssueReader(table, TABLE, page_size=2)
    issues = list(reader.by_assignee("ada"))
    positions = [(issue.stamp.version_at, issue.issue_key) for issue in issues]

    assert len({items.index_keys(issue.issue_key, issue.stamp, status="x")["status_shard"]["S"] for issue in issues}) > 8
    assert positions == sorted(positions, reverse=True)
    assert len(positions) == 40
    for number in (0, 13, 14, 39):
        assert list(reader.by_assignee("ada", after=positions[number])) == issues[number + 1 :]


def test_a_name_that_ends_like_a_shard_is_another_name(table: FakeTable) -> None:
    record(table, "OPS-7", status="Done")
    record(table, "OPS-8", status="Done#14")
    assert [keys(make_reader(table).by_status(name)) for name in ("Done", "Done#14")] == [["OPS-7"], ["OPS-8"]]


def test_issues_are_spread_evenly_over_the_shards() -> None:
    stamp = Stamp("2026-03-01T12:00:00.000000Z", 1, "d")
    shards = (items.index_keys(f"OPS-{number}", stamp, status="Done")["status_shard"]["S"] for number in range(1, 10_001))
    counts = Counter(shards)
    assert set(counts) == set(items.shard_keys("Done"))
    assert max(counts.values()) < 1.2 * 10_000 / items.NAME_SHARDS


def test_sentinel_rows_never_show(table: FakeTable) -> None:
    table.put_item(TableName=TABLE, Item={"issue_key": {"S": "health#1"}, "updated_at": {"S": "sentinel"}})
    reader = make_reader(table)
    with pytest.raises(errors.InvalidInputError):
        reader.latest("health#1")
    assert keys(reader.by_project("OPS")) == []


@pytest.mark.parametrize("key", ["", "ops-7", "OPS-07", "OPS-0", "OPS", "OPS-7 ", "OPS-7\n", "ÖPS-7", "OPS-٧"])
def test_a_malformed_issue_key_is_refused(table: FakeTable, key: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        make_reader(table).latest(key)


def test_an_empty_name_is_refused(table: FakeTable) -> None:
    with pytest.raises(errors.InvalidInputError):
        make_reader(table).by_status("")


class PartlyThrottled(FakeTable):
    """Processes at most ``limit`` keys of a batch."""

    limit = 1

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((name, request),) = RequestItems.items()
        done, left = request["Keys"][: self.limit], request["Keys"][self.limit :]
        if not done:
            return {"Responses": {}, "UnprocessedKeys": RequestItems}
        answer = super().batch_get_item(RequestItems={name: {**request, "Keys": done}})
        return {**answer, "UnprocessedKeys": {name: {**request, "Keys": left}} if left else {}}


def test_unprocessed_keys_are_requested_again() -> None:
    table = PartlyThrottled()
    for number in range(1, 4):
        record(table, f"OPS-{number}")
    assert len(IssueReader(table, TABLE).heads([f"OPS-{number}" for number in range(1, 4)])) == 3


def test_a_batch_of_which_nothing_is_processed_is_a_throttle() -> None:
    table = PartlyThrottled()
    table.limit = 0
    with pytest.raises(errors.ThrottledError):
        IssueReader(table, TABLE).heads(["OPS-1"])
