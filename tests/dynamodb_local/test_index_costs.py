"""What the indexes add to a write, as the engine bills it; docs/database-schema.md and the cost estimate say the same."""

from collections.abc import Iterator
from typing import Any

import pytest

from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from lib.platform.contract import JIRA_ISSUES
from tests.support.dynamodb.tables import a_table
from tests.support.jira.builders import make_store


class Billed:
    """Passes puts on to one table and adds up the write units that its indexes took."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name
        self.units = 0.0

    def put_item(self, **request: Any) -> Any:
        answer = self._client.put_item(**request | {"TableName": self._name, "ReturnConsumedCapacity": "INDEXES"})
        indexes = answer["ConsumedCapacity"].get("GlobalSecondaryIndexes", {})
        self.units += sum(index["CapacityUnits"] for index in indexes.values())
        return answer


@pytest.fixture
def billed(engine: Any) -> Iterator[Billed]:
    with a_table(engine, JIRA_ISSUES) as name:
        yield Billed(engine, name)


def units(billed: Billed, second: int, *, hour: int = 12, status: str = "Done", deleted: bool = False) -> float:
    billed.units = 0.0
    stamp = Stamp(f"2026-03-01T{hour}:00:{second:02d}.000000Z", second, f"d-{second}")
    fields = IssueFields("s", status, "ada", "Ada", ("1.0",))
    make_store(billed).record(Delivery("OPS-7", "1", stamp, "jira:issue_updated", fields, deleted=deleted))
    return billed.units


def test_an_index_costs_one_unit_to_enter_leave_or_change_and_two_to_move(billed: Billed) -> None:
    assert units(billed, 1) == 4, "HEAD enters all four"
    assert units(billed, 2) == 4, "no entry moves while the hour is the same"
    assert units(billed, 3, status="To Do") == 5, "one moves to another status"
    assert units(billed, 4, hour=13, status="To Do") == 7, "it stays in ProjectIndex, and moves in the three sorted by hour"
    assert units(billed, 5, hour=13, deleted=True) == 4, "it leaves all four"
