"""One table's conditional writes, transactions and pages. What DynamoDB itself decides is moto's here."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lib.platform import errors
from lib.platform.contract import JIRA_OPERATIONS
from lib.platform.dynamodb import (
    CONFLICT_TRIES,
    Applied,
    Check,
    Condition,
    ContendedError,
    Delete,
    Item,
    Put,
    Refusal,
    Table,
    Update,
    paginate,
)
from tests.support.aws.moto_clients import Unreliable, moto_client, throttled
from tests.support.aws.wire import aws_error
from tests.support.dynamodb import tables

ABSENT = Condition(expression="attribute_not_exists(#session_id)")
PRESENT = Condition(expression="attribute_exists(#session_id)")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with moto_client("dynamodb") as client:
        tables.create_table(client, "rows", JIRA_OPERATIONS)
        yield client


def key(name: str) -> Item:
    return {"session_id": {"S": "s"}, "operation_key": {"S": name}}


def row(name: str, status: str = "new") -> Item:
    return {**key(name), "status": {"S": status}}


def conflict(operation: str) -> ClientError:
    return aws_error("TransactionConflictException", operation=operation)


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    return aws_error("TransactionCanceledException", operation="TransactWriteItems", CancellationReasons=reasons)


def test_a_refused_put_returns_the_row_that_is_there(client: Any) -> None:
    table = Table(client, "rows")
    assert table.put(Put(item=row("a"), condition=ABSENT), "store it") == Applied(accepted=True, item=None)
    assert table.put(Put(item=row("a", "newer"), condition=ABSENT), "store it") == Applied(accepted=False, item=row("a"))
    assert table.get(key("a"), "read it") == row("a")


def test_a_put_and_a_delete_return_the_row_before(client: Any) -> None:
    table = Table(client, "rows")
    table.put(Put(item=row("a")), "store it")
    assert table.put(Put(item=row("a", "newer")), "store it") == Applied(accepted=True, item=row("a"))
    assert table.delete(Delete(key=key("a")), "delete it") == Applied(accepted=True, item=row("a", "newer"))
    assert table.delete(Delete(key=key("a"), condition=PRESENT), "delete it") == Applied(accepted=False, item=None)
    assert table.get(key("a"), "read it") is None


def test_an_update_sets_defaults_adds_takes_and_removes(client: Any) -> None:
    table = Table(client, "rows")
    before = {**row("a"), "old": {"S": "x"}, "names": {"SS": ["one", "two"]}, "created": {"N": "1"}}
    table.put(Put(item=before), "store it")
    applied = table.update(
        Update(
            key=key("a"),
            sets={"status": {"S": "done"}},
            defaults={"created": {"N": "2"}, "changed": {"N": "2"}},
            adds={"attempts": {"N": "1"}},
            takes={"names": {"SS": ["one"]}},
            removes=("old",),
            condition=Condition(expression="#status = :before", values={":before": {"S": "new"}}),
        ),
        "change it",
    )
    expected = {**row("a", "done"), "names": {"SS": ["two"]}, "created": {"N": "1"}, "changed": {"N": "2"}}
    assert applied == Applied(accepted=True, item={**expected, "attempts": {"N": "1"}})


def test_a_refused_update_returns_the_row_that_is_there(client: Any) -> None:
    table = Table(client, "rows")
    update = Update(key=key("a"), sets={"status": {"S": "done"}}, condition=PRESENT)
    assert table.update(update, "change it") == Applied(accepted=False, item=None)


def test_a_transaction_writes_everything_or_names_what_refused(client: Any) -> None:
    table = Table(client, "rows")
    assert table.transact([Put(item=row("a"), condition=ABSENT), Put(item=row("b"))], "store both") == ()
    refused = table.transact(
        [
            Check(key=key("b"), condition=PRESENT),
            Put(item=row("a", "newer"), condition=ABSENT),
            Update(key=key("d"), sets={"status": {"S": "newer"}}),
            Delete(key=key("c"), condition=PRESENT),
        ],
        "store all",
    )
    assert refused == (Refusal(1, row("a")), Refusal(3, None))
    assert (table.get(key("a"), "read"), table.get(key("d"), "read")) == (row("a"), None)


@pytest.mark.parametrize("fault", [conflict("PutItem"), cancelled("None", "TransactionConflict")])
def test_a_conflict_is_retried_and_then_reported(client: Any, fault: ClientError) -> None:
    waits: list[float] = []
    line = Unreliable(client, fault, fault)
    assert Table(line, "rows", sleep=waits.append).transact([Put(item=row("a"))], "store it") == ()
    assert len(line.calls) == 3

    line = Unreliable(client, *[fault] * CONFLICT_TRIES)
    with pytest.raises(ContendedError, match="could not store it: other requests changed the same rows"):
        Table(line, "rows", sleep=waits.append).put(Put(item=row("b")), "store it")
    assert len(line.calls) == CONFLICT_TRIES
    assert sum(waits) < 1


def test_a_refusal_beside_a_conflict_is_the_answer(client: Any) -> None:
    line = Unreliable(client, cancelled("ConditionalCheckFailed", "TransactionConflict"))
    statements = [Put(item=row("a"), condition=ABSENT), Put(item=row("b"))]
    assert Table(line, "rows").transact(statements, "store both") == (Refusal(0, None),)
    assert len(line.calls) == 1


def test_a_throttled_call_is_repeated_once_and_counted(client: Any) -> None:
    retries: list[str] = []
    line = Unreliable(client, throttled("PutItem"))
    table = Table(line, "rows", on_throttle=lambda: retries.append("throttled"), sleep=lambda _: None)
    assert table.put(Put(item=row("a")), "store it").accepted
    with pytest.raises(errors.ThrottledError):
        Table(Unreliable(client, *[throttled("GetItem")] * 2), "rows", sleep=lambda _: None).get(key("a"), "read it")
    assert retries == ["throttled"]


def test_a_lost_answer_is_ambiguous_and_not_repeated(client: Any) -> None:
    line = Unreliable(client, (ReadTimeoutError(endpoint_url="https://dynamodb"), "after"))
    table = Table(line, "rows")
    with pytest.raises(errors.AmbiguousError, match="could not store it"):
        table.transact([Put(item=row("a"))], "store it")
    assert line.calls == ["transact_write_items"]
    assert table.get(key("a"), "read it") == row("a")


def test_a_query_and_a_scan_return_the_rows_of_every_page(client: Any) -> None:
    table = Table(client, "rows")
    names = [f"row {number}" for number in range(5)]
    for name in names:
        table.put(Put(item=row(name)), "store it")
    condition = {"KeyConditionExpression": "session_id = :s", "ExpressionAttributeValues": {":s": {"S": "s"}}}
    found = table.query("read them", Limit=2, **condition)
    assert [item["operation_key"]["S"] for item in found] == names
    later = table.query("read them", Limit=2, ExclusiveStartKey=key("row 1"), **condition)
    assert [item["operation_key"]["S"] for item in later] == names[2:]
    assert len(list(table.scan("read all", Limit=2))) == 5


def test_a_page_is_read_only_when_it_is_needed(client: Any) -> None:
    for number in range(3):
        Table(client, "rows").put(Put(item=row(str(number))), "store it")
    line = Unreliable(client)
    pages = paginate("read them", line.scan, {"TableName": "rows", "Limit": 1})
    assert line.calls == []
    next(pages)
    assert line.calls == ["scan"]


class LeavesSome:
    """Leaves the last ``left`` entries of each batch unprocessed, for the first ``times`` calls."""

    def __init__(self, left: int, times: int) -> None:
        self.left, self.times = left, times
        self.sizes: list[int] = []

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
        keys = RequestItems["rows"]["Keys"]
        done, left = self._split(keys)
        return {"Responses": {"rows": done}, "UnprocessedKeys": {"rows": {"Keys": left}} if left else {}}

    def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803
        left = self._split(RequestItems["rows"])[1]
        return {"UnprocessedItems": {"rows": left} if left else {}}

    def _split(self, entries: list[Any]) -> tuple[list[Any], list[Any]]:
        self.sizes.append(len(entries))
        position = len(entries) - (self.left if len(self.sizes) <= self.times else 0)
        return entries[:position], entries[position:]


def test_a_batch_get_reads_100_rows_per_call_and_what_was_left() -> None:
    keys = [key(str(number)) for number in range(120)]
    client = LeavesSome(left=30, times=1)
    assert list(Table(client, "rows").batch_get(keys, "read them")) == keys
    assert client.sizes == [100, 30, 20]


def test_a_batch_get_of_which_nothing_is_processed_is_throttled() -> None:
    with pytest.raises(errors.ThrottledError):
        list(Table(LeavesSome(left=1, times=9), "rows").batch_get([key("a")], "read it"))


def test_a_batch_write_sends_what_is_left_again_after_a_pause() -> None:
    waits: list[float] = []
    client = LeavesSome(left=5, times=1)
    table = Table(client, "rows", sleep=waits.append)
    table.batch_write([Put(item=row("a")), *(Delete(key=key(str(number))) for number in range(29))], "write them")
    assert (client.sizes, waits) == ([25, 5, 5], [0.5])


def test_a_batch_write_that_leaves_rows_each_time_is_throttled() -> None:
    client = LeavesSome(left=1, times=9)
    with pytest.raises(errors.ThrottledError, match="1 of 2 rows"):
        Table(client, "rows", sleep=lambda seconds: None).batch_write([Put(item=row("a")), Put(item=row("b"))], "write them")
    assert len(client.sizes) == 2


def test_a_batch_write_refuses_a_condition() -> None:
    with pytest.raises(ValueError, match="condition"):
        Table(LeavesSome(0, 0), "rows").batch_write([Put(item=row("a"), condition=ABSENT)], "write it")
