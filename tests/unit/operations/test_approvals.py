"""Drafts are listed by state and age from the index, with requester and approvers, and nothing is scanned."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest

from lib.approvals.operations import JiraOperationStore
from lib.approvals.repository import ApprovalStore
from lib.approvals.rules import Rules
from lib.operations.approvals import (
    OPEN,
    Approval,
    Stage,
    list_approvals,
    list_operations,
    page_of_approvals,
    preview_url,
    read_approval,
    who_may_approve,
)
from lib.platform import clock, contract, errors
from lib.platform.dynamodb import Table
from tests.support.approvals.builders import NOON
from tests.support.approvals.stores import Stores
from tests.support.aws.moto_clients import patched_client
from tests.support.aws.moto_state import made_once
from tests.support.dynamodb.tables import create_table

TABLE = "operations-77c0"
RULES = Rules(approvers=frozenset({"U0ANN", "U0BOB"}))


class WithoutScan:
    """A client that refuses to scan, and keeps each query."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.queries: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        assert name != "scan"
        return getattr(self._client, name)

    def query(self, **request: Any) -> Any:
        self.queries.append(request)
        return self._client.query(**request)


def found(stores: Stores, *stages: Stage, **options: Any) -> list[Approval]:
    table = Table(WithoutScan(stores.client), stores.table_name)
    options.setdefault("now", lambda: stores.time)
    return list(list_approvals(table, options.pop("rules", RULES), stages=stages or OPEN, **options))


def sessions(stores: Stores, *stages: Stage, **options: Any) -> list[str]:
    return [each.session_id for each in found(stores, *stages, **options)]


@made_once
def _one_of_each() -> datetime:
    """A session in each state, an hour apart; the time after them."""
    client = patched_client("dynamodb")
    create_table(client, TABLE, contract.JIRA_OPERATIONS)
    stores = Stores(client, TABLE)
    stores.submitted(session_id="waiting", title="Mail ada@example.com")
    stores.approvals.open_preview("waiting", stores.approvals.read_current("waiting").draft_hash, "C1", "1.0")  # type: ignore[union-attr]
    stores.advance(hours=1)
    stores.approved(session_id="approved")
    stores.advance(hours=1)
    stores.start(stores.approved(session_id="creating"))
    stores.advance(hours=1)
    operation = stores.approved(session_id="unknown")
    stores.start(operation)
    stores.operations.mark_unknown(operation, "no answer", owner="one", next_look_at=stores.time)
    stores.advance(hours=1)
    operation = stores.approved(session_id="failed")
    stores.start(operation)
    stores.operations.mark_failed(operation, "Jira answered 400: ask ada@example.com", owner="one")
    stores.advance(hours=1)
    operation = stores.approved(session_id="done")
    stores.start(operation)
    stores.operations.mark_success(operation, "PROJ-1")
    stores.advance(hours=1)
    _, of_hash = stores.submitted(session_id="rejected")
    stores.decide(of_hash, approved=False, session_id="rejected", reason="Not planned: ask ada@example.com")
    return stores.time


@pytest.fixture
def one_of_each(dynamodb: Any) -> Stores:
    return Stores(dynamodb, TABLE, _one_of_each())


def test_by_default_the_open_drafts_are_listed_the_oldest_first(one_of_each: Stores) -> None:
    assert sessions(one_of_each) == ["waiting", "approved", "creating", "unknown", "failed"]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage.WAITING, ["waiting"]),
        (Stage.CREATING, ["approved", "creating"]),
        (Stage.UNKNOWN, ["unknown"]),
        (Stage.FAILED, ["failed"]),
        (Stage.DONE, ["done"]),
        (Stage.REJECTED, ["rejected"]),
    ],
)
def test_each_state_is_listed_by_itself(one_of_each: Stores, stage: Stage, expected: list[str]) -> None:
    assert sessions(one_of_each, stage) == expected
    assert {each.stage for each in found(one_of_each, stage)} == {stage}


def test_only_drafts_that_are_old_enough_are_listed(one_of_each: Stores) -> None:
    assert sessions(one_of_each, older_than=timedelta(hours=4)) == ["waiting", "approved", "creating"]
    assert sessions(one_of_each, older_than=timedelta(days=1)) == []


def test_a_waiting_draft_names_requester_approvers_and_preview(stores: Stores) -> None:
    _, of_hash = stores.submitted(requested_by="U0ANN")
    stores.approvals.set_preview("sess-1", of_hash, "C1", "1700000000.000100")

    (only,) = found(stores)

    assert (only.stage, only.since, only.draft_hash) == (Stage.WAITING, NOON, of_hash)
    assert (only.project, only.title, only.requested_by) == ("PROJ", "Refuse uploads that are too large", "U0ANN")
    assert only.may_approve == "U0BOB"
    assert only.preview_url == "https://slack.com/app_redirect?channel=C1&message_ts=1700000000.000100"


def test_the_link_that_slack_gave_comes_before_a_made_one(stores: Stores) -> None:
    _, of_hash = stores.submitted()
    stores.approvals.set_preview("sess-1", of_hash, "C1", "1700000000.000100")
    stores.approvals.open_preview("sess-1", of_hash, "C1", "1700000000.000100", "https://ours.slack.com/archives/C1/p17")

    (only,) = found(stores)

    assert only.preview_url == "https://ours.slack.com/archives/C1/p17"


def test_a_rejected_draft_has_the_reason_of_its_rejection(one_of_each: Stores) -> None:
    (rejected,) = found(one_of_each, Stage.REJECTED)

    assert (rejected.decision, rejected.reason) == ("rejected", "Not planned: ask email:b5fc85e55755f9e0")


@pytest.mark.parametrize(
    ("stage", "minutes", "retry"),
    [
        (Stage.WAITING, 31, False),
        (Stage.CREATING, 30, False),
        (Stage.CREATING, 31, True),
        (Stage.UNKNOWN, 31, True),
        (Stage.FAILED, 0, True),
        (Stage.DONE, 31, False),
        (Stage.REJECTED, 31, False),
    ],
)
def test_what_failed_or_is_stuck_can_be_retried(stage: Stage, minutes: int, retry: bool) -> None:
    draft = Approval(session_id="s", draft_hash="h", stage=stage, since=NOON)

    assert draft.can_retry(NOON + timedelta(minutes=minutes)) is retry


def test_a_failed_draft_has_its_decision_and_its_reason(one_of_each: Stores) -> None:
    (failed,) = found(one_of_each, Stage.FAILED)

    assert (failed.decision, failed.decided_by, failed.may_approve) == ("approved", "U0ANN", "")
    assert failed.reason.startswith("Jira answered 400: ask email:")
    assert failed.jira_label.startswith("switchboard-")


def test_no_plain_address_is_shown(one_of_each: Stores) -> None:
    shown = [dataclasses.asdict(each) for each in found(one_of_each, *Stage)]

    assert "ada@example.com" not in str(shown)
    assert len(shown) == 7


def test_a_session_that_moved_on_since_the_index_was_written_is_not_listed(stores: Stores) -> None:
    _, of_hash = stores.submitted()
    listing = list_approvals(Table(_Lagging(stores, of_hash), stores.table_name), RULES, now=lambda: stores.time)

    assert list(listing) == []


class _Lagging(WithoutScan):
    """The session is approved after the index was read, and its issue made."""

    def __init__(self, stores: Stores, of_hash: str) -> None:
        super().__init__(stores.client)
        self._stores, self._hash = stores, of_hash

    def batch_get_item(self, **request: Any) -> Any:
        self._stores.decide(self._hash, approved=False)
        return self._client.batch_get_item(**request)


def test_a_draft_that_replaced_another_since_the_index_was_written_is_shown(stores: Stores) -> None:
    stores.submitted(title="first")

    class Replaced(WithoutScan):
        def batch_get_item(self, **request: Any) -> Any:
            stores.submitted(title="second")
            return self._client.batch_get_item(**request)

    listing = list_approvals(Table(Replaced(stores.client), stores.table_name), RULES, now=lambda: stores.time)

    assert [each.title for each in listing] == ["second"]


def test_only_the_needed_rows_are_read_from_the_index(stores: Stores) -> None:
    for number in range(60):
        stores.submitted(session_id=f"sess-{number}")
        stores.advance(minutes=1)
    client = WithoutScan(stores.client)
    listing = list_approvals(Table(client, stores.table_name), RULES, now=lambda: stores.time)

    assert [next(listing).session_id for _ in range(60)] == [f"sess-{number}" for number in range(60)]
    assert {query["IndexName"] for query in client.queries} == {contract.SESSION_STATE_INDEX.name}
    assert next(listing, None) is None


def test_a_session_from_before_the_index_is_listed(stores: Stores) -> None:
    """DynamoDB fills a new index from the rows that exist: it needs only what every session has always had."""
    stores.submitted()
    row = stores.row("SESSION")

    assert {contract.SESSION_STATE_INDEX.hash_key, contract.SESSION_STATE_INDEX.range_key} <= row.keys()
    assert row.keys() == {"session_id", "operation_key", "draft_hash", "state", "created_at", "updated_at", "expires_at"}


@pytest.mark.parametrize(
    ("rules", "asked_by", "phrase"),
    [
        (Rules(), "U0ANN", "everybody who sees the preview, except U0ANN"),
        (Rules(require_other_approver=False), "U0ANN", "everybody who sees the preview"),
        (RULES, "U0CAT", "U0ANN, U0BOB"),
        (RULES, "U0ANN", "U0BOB"),
        (Rules(approvers=frozenset({"U0ANN"})), "U0ANN", "nobody: the only approver requested it"),
        (Rules(approvers=frozenset({"U0ANN"}), require_other_approver=False), "U0ANN", "U0ANN"),
    ],
)
def test_who_may_approve_follows_from_the_rules(rules: Rules, asked_by: str, phrase: str) -> None:
    assert who_may_approve(rules, asked_by) == phrase


def test_one_session_is_shown_or_is_an_error_that_names_it(one_of_each: Stores) -> None:
    table = Table(one_of_each.client, one_of_each.table_name)

    done = read_approval(table, RULES, "done")
    assert (done.stage, done.jira_key, done.decided_at) == (Stage.DONE, "PROJ-1", datetime.fromisoformat("2026-01-22T17:00Z"))
    with pytest.raises(errors.NotFoundError, match="there is no session 'gone'"):
        read_approval(table, RULES, "gone")


def test_a_preview_address_is_quoted() -> None:
    assert preview_url("C1&x", "1.0") == "https://slack.com/app_redirect?channel=C1%26x&message_ts=1.0"


def test_the_operations_of_a_day_are_those_of_sessions_that_changed_on_it(stores: Stores) -> None:
    stores.start(stores.approved(session_id="yesterday"))
    stores.advance(days=1)
    today = stores.time
    stores.start(stores.approved(session_id="today-2"))
    operation = stores.approved(session_id="today-1")
    stores.start(operation)
    stores.advance(hours=1)
    stores.operations.mark_success(operation, "PROJ-1")
    stores.advance(days=1)
    stores.start(stores.approved(session_id="tomorrow"))
    table = Table(WithoutScan(stores.client), stores.table_name)
    kept = JiraOperationStore(table, lease=timedelta(0))

    listed = list_operations(ApprovalStore(table), kept, today, today + timedelta(days=1))

    assert [each.session_id for each in listed] == ["today-2", "today-1"]


def test_the_newest_can_come_first(one_of_each: Stores) -> None:
    assert sessions(one_of_each, newest_first=True) == ["failed", "unknown", "creating", "approved", "waiting"]


class _TiesReversed:
    """An index has the sessions of the same time in any order: here against that of their ids."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, **request: Any) -> Any:
        answer = self._client.query(**request)
        forward = request["ScanIndexForward"]
        items = sorted(answer["Items"], key=lambda item: item["session_id"]["S"], reverse=forward)
        return answer | {"Items": sorted(items, key=lambda item: item["updated_at"]["S"], reverse=not forward)}


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.DONE])
def test_pages_have_each_draft_once_even_if_times_are_equal(stores: Stores, stage: Stage) -> None:
    for number in range(7):
        stores.submitted(session_id=f"s-{number}")
        if stage is Stage.DONE:
            operation = stores.approved(session_id=f"s-{number}", title="Approved")
            stores.start(operation)
            stores.operations.mark_success(operation, "PROJ-1")
        if number in (0, 4):
            stores.advance(minutes=1)
    table, cursor = Table(_TiesReversed(stores.client), stores.table_name), ""
    pages: list[list[str]] = []
    while not pages or cursor:
        page = page_of_approvals(table, RULES, stage, cursor=cursor, size=2, now=lambda: stores.time)
        pages.append([each.session_id for each in page.rows])
        cursor = page.cursor

    oldest_first = [f"s-{number}" for number in range(7)]
    assert [each for page in pages for each in page] == (oldest_first if stage is Stage.WAITING else oldest_first[::-1])
    assert [len(page) for page in pages] == [2, 2, 2, 1]


def test_pages_end_at_their_age(one_of_each: Stores) -> None:
    table = Table(one_of_each.client, one_of_each.table_name)
    cursor = f"{clock.canonical(one_of_each.time)}~later"

    page = page_of_approvals(
        table, RULES, Stage.WAITING, cursor=cursor, older_than=timedelta(hours=1), now=lambda: one_of_each.time
    )

    assert page.rows == ()


def test_a_malformed_cursor_is_refused(stores: Stores) -> None:
    with pytest.raises(errors.InvalidInputError, match="cursor"):
        page_of_approvals(Table(stores.client, stores.table_name), RULES, Stage.DONE, cursor="x")
