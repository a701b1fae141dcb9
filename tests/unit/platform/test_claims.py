"""First-wins claims: each change of state, and each failure of a call."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from lib.platform import errors
from lib.platform.claims import Claims, Verdict
from lib.platform.contract import JIRA_OPERATIONS
from tests.support.aws.moto_clients import Unreliable, throttled
from tests.support.dynamodb.tables import a_table

LEASE = timedelta(seconds=50)
KEEP = timedelta(days=400)
LOST_ANSWER = (ReadTimeoutError(endpoint_url="dynamodb"), "after")
NO_ANSWER = ReadTimeoutError(endpoint_url="dynamodb")
UNREACHABLE = EndpointConnectionError(endpoint_url="dynamodb")


class Table:
    """The operations table at a time that the test sets."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        self.now = datetime(2026, 1, 22, 12, 0, tzinfo=UTC)
        self.waits: list[float] = []

    def claims(self, client: Any = None, keep: timedelta | None = KEEP) -> Claims:
        now, sleep = lambda: self.now, self.waits.append
        return Claims(client or self.client, self.name, lease=LEASE, keep=keep, now=now, sleep=sleep)

    def row(self, operation_key: str = "sns") -> dict[str, Any]:
        key = {"session_id": {"S": "event#1"}, "operation_key": {"S": operation_key}}
        item = self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True)["Item"]
        return {name: next(iter(value.values())) for name, value in item.items()}


@pytest.fixture
def table(dynamodb: Any) -> Iterator[Table]:
    with a_table(dynamodb, JIRA_OPERATIONS) as name:
        yield Table(dynamodb, name)


# From state to state


def test_the_first_claim_wins(table: Table) -> None:
    claim = table.claims().claim("event#1", "sns", "first")

    assert claim.verdict is Verdict.WON
    row = table.row()
    assert (row["status"], row["claim_owner"], row["attempts"]) == ("pending", "first", "1")
    assert row["created_at"] == row["updated_at"] == "2026-01-22T12:00:00.000000Z"
    assert row["claim_expires_at"] == "2026-01-22T12:00:50.000000Z"


def test_a_claim_leaves_a_row_that_expires(table: Table) -> None:
    table.claims().claim("event#1", "sns", "first")
    assert int(table.row()["expires_at"]) == int((table.now + KEEP).timestamp())


def test_a_claim_kept_forever_leaves_a_row_without_an_expiry(table: Table) -> None:
    table.claims().release(table.claims().claim("event#1", "sns", "first"), "busy")

    assert table.claims(keep=None).claim("event#1", "sns", "second").verdict is Verdict.WON
    assert "expires_at" not in table.row()


def test_the_second_claim_is_held_while_the_first_lasts(table: Table) -> None:
    table.claims().claim("event#1", "sns", "first")
    table.now += LEASE - timedelta(microseconds=1)

    assert table.claims().claim("event#1", "sns", "second").verdict is Verdict.HELD
    assert table.row()["claim_owner"] == "first"


def test_a_crashed_owners_claim_is_won_when_its_lease_ends(table: Table) -> None:
    table.claims().claim("event#1", "sns", "first")
    table.now += LEASE

    assert table.claims().claim("event#1", "sns", "second").verdict is Verdict.WON
    assert (table.row()["claim_owner"], table.row()["attempts"]) == ("second", "2")


def test_a_completed_claim_is_done_forever(table: Table) -> None:
    claims = table.claims()
    claims.complete(claims.claim("event#1", "sns", "first"))
    table.now += timedelta(days=400)

    assert claims.claim("event#1", "sns", "second").verdict is Verdict.DONE
    assert claims.claim("event#1", "sns", "first").verdict is Verdict.DONE
    assert table.row()["status"] == "done"


def test_a_released_claim_is_won_by_the_next_at_once(table: Table) -> None:
    claims = table.claims()
    claims.release(claims.claim("event#1", "sns", "first"), "Slack refused the message")

    assert (table.row()["status"], table.row()["error_message"]) == ("failed", "Slack refused the message")
    assert claims.claim("event#1", "sns", "second").verdict is Verdict.WON


def test_success_after_a_failure_removes_the_error(table: Table) -> None:
    claims = table.claims()
    claims.release(claims.claim("event#1", "sns", "first"), "busy")
    claims.complete(claims.claim("event#1", "sns", "second"))

    row = table.row()
    assert (row["status"], row["attempts"]) == ("done", "2")
    assert "error_message" not in row


def test_claims_on_other_channels_and_events_are_independent(table: Table) -> None:
    claims = table.claims()
    claims.complete(claims.claim("event#1", "sns", "first"))

    assert claims.claim("event#1", "slack", "second").verdict is Verdict.WON
    assert claims.claim("event#2", "sns", "second").verdict is Verdict.WON


# Settling a claim that somebody else holds by now


def test_a_stalled_owner_cannot_settle_the_next_owners_claim(table: Table) -> None:
    claims = table.claims()
    slow = claims.claim("event#1", "sns", "slow")
    table.now += LEASE
    claims.claim("event#1", "sns", "next")

    with pytest.raises(errors.PermanentError):
        claims.complete(slow)
    with pytest.raises(errors.PermanentError):
        claims.release(slow, "too late")
    assert (table.row()["status"], table.row()["claim_owner"]) == ("pending", "next")


def test_a_stalled_owner_can_complete_if_nobody_else_claimed(table: Table) -> None:
    claims = table.claims()
    slow = claims.claim("event#1", "sns", "slow")
    table.now += 2 * LEASE

    claims.complete(slow)
    assert table.row()["status"] == "done"


def test_a_completed_claim_cannot_be_released(table: Table) -> None:
    claims = table.claims()
    claim = claims.claim("event#1", "sns", "first")
    claims.complete(claim)

    with pytest.raises(errors.PermanentError):
        claims.release(claim, "on second thoughts")
    assert table.row()["status"] == "done"


def test_settling_a_deleted_claim_creates_no_row(table: Table) -> None:
    claims = table.claims()
    claim = claims.claim("event#1", "sns", "first")
    key = {"session_id": {"S": "event#1"}, "operation_key": {"S": "sns"}}
    table.client.delete_item(TableName=table.name, Key=key)

    with pytest.raises(errors.PermanentError):
        claims.complete(claim)
    assert "Item" not in table.client.get_item(TableName=table.name, Key=key)


def test_a_long_reason_is_cut(table: Table) -> None:
    claims = table.claims()
    claims.release(claims.claim("event#1", "sns", "first"), "x" * 10_000)
    assert len(table.row()["error_message"]) == 500


# Lost answers and throttles


def test_a_repeat_wins_a_claim_whose_answer_was_lost(table: Table) -> None:
    claims = table.claims(Unreliable(table.client, LOST_ANSWER))
    with pytest.raises(errors.DeadlineExceededError):
        claims.claim("event#1", "sns", "first")

    assert claims.claim("event#1", "sns", "first").verdict is Verdict.WON


def test_a_claim_whose_answer_was_lost_holds_against_others(table: Table) -> None:
    with pytest.raises(errors.DeadlineExceededError):
        table.claims(Unreliable(table.client, LOST_ANSWER)).claim("event#1", "sns", "first")

    assert table.claims().claim("event#1", "sns", "second").verdict is Verdict.HELD


def test_a_completion_whose_answer_was_lost_counts(table: Table) -> None:
    claim = table.claims().claim("event#1", "sns", "first")
    with pytest.raises(errors.DeadlineExceededError):
        table.claims(Unreliable(table.client, LOST_ANSWER)).complete(claim)

    assert table.claims().claim("event#1", "sns", "second").verdict is Verdict.DONE


def test_a_throttled_claim_is_tried_once_more(table: Table) -> None:
    client = Unreliable(table.client, throttled("UpdateItem"))

    assert table.claims(client).claim("event#1", "sns", "first").verdict is Verdict.WON
    assert (client.calls, table.waits) == (["update_item"] * 2, [0.5])


def test_a_claim_throttled_twice_is_a_throttled_error(table: Table) -> None:
    client = Unreliable(table.client, throttled("UpdateItem"), throttled("UpdateItem"))

    with pytest.raises(errors.ThrottledError, match="could not claim sns"):
        table.claims(client).claim("event#1", "sns", "first")
    assert len(client.calls) == 2


def test_a_throttled_completion_is_tried_once_more(table: Table) -> None:
    claim = table.claims().claim("event#1", "sns", "first")
    table.claims(Unreliable(table.client, throttled("UpdateItem"))).complete(claim)
    assert table.row()["status"] == "done"


@pytest.mark.parametrize(
    ("fault", "meaning"), [(NO_ANSWER, errors.DeadlineExceededError), (UNREACHABLE, errors.UnavailableError)], ids=repr
)
def test_no_answer_is_an_error_at_once(table: Table, fault: Exception, meaning: type[errors.SwitchboardError]) -> None:
    client = Unreliable(table.client, fault)
    with pytest.raises(meaning):
        table.claims(client).claim("event#1", "sns", "first")
    assert len(client.calls) == 1


def test_a_missing_table_is_a_missing_resource(table: Table) -> None:
    claims = Claims(table.client, "nowhere", lease=LEASE, keep=None)
    with pytest.raises(errors.ResourceMissingError):
        claims.claim("event#1", "sns", "first")


def test_a_claim_costs_one_call_and_no_read(table: Table) -> None:
    client = Unreliable(table.client)
    claims = table.claims(client)
    claims.claim("event#1", "sns", "first")
    claims.claim("event#1", "sns", "second")
    assert client.calls == ["update_item", "update_item"]
