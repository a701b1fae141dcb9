"""Messages for the worker, and issues that are fetched because their event did not describe them."""

from collections.abc import Mapping
from typing import Any

import pytest

from lib.jira.issue_writer import Outcome
from lib.jira.tasks import Task, fetch_and_record, read_task
from lib.jira.webhooks import NeedsFetch
from lib.platform import errors
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import latest, make_store

COMMENT = NeedsFetch(("OPS-7",), "comment_created", 1_772_366_400_250, "d-1")


class Jira:
    def __init__(self, issues: Mapping[str, str], *, accepts_token: bool = True) -> None:
        self.issues = issues
        self.accepts_token = accepts_token

    def check_credentials(self) -> None:
        if not self.accepts_token:
            raise errors.AccessDeniedError("could not check the account")

    def fetch(self, key_or_id: str) -> dict[str, Any]:
        key = self.issues.get(key_or_id)
        if key is None:
            raise errors.NotFoundError("could not fetch the issue")
        updated = "2026-03-01T12:00:00.000Z"
        return {"id": "10007", "key": key, "fields": {"summary": "s", "status": {"name": "Done"}, "updated": updated}}


def test_a_task_survives_the_queue() -> None:
    for task in (Task(("OPS-7", "WEB-1")), Task((), COMMENT)):
        assert read_task(task.to_body()) == task


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"kind": "approval"}',
        '{"kind": "jira", "touched": "OPS-7"}',
        '{"kind": "jira", "touched": [null]}',
        '{"kind": "jira", "touched": [5]}',
        '{"kind": "jira", "touched": ["ops-7"]}',
        '{"kind": "jira", "fetch": {"issues": 5}}',
        '{"kind": "jira", "fetch": {"issues": [5], "event_at": 1, "event_type": "", "idempotency_key": ""}}',
        "\ud800",
    ],
)
def test_a_message_of_another_kind_is_refused(body: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        read_task(body)


def test_a_fetched_issue_is_stored_as_its_events_delivery() -> None:
    table = FakeTable()
    (recorded,) = fetch_and_record(COMMENT, Jira({"OPS-7": "OPS-7"}), make_store(table))
    assert recorded.outcome is Outcome.STORED
    stamp = latest(table, "OPS-7").stamp
    assert (stamp.event_at, stamp.idempotency_key) == (COMMENT.event_at, "d-1")
    (again,) = fetch_and_record(COMMENT, Jira({"OPS-7": "OPS-7"}), make_store(table))
    assert again.outcome is Outcome.DUPLICATE


def test_an_issue_that_moved_meanwhile_ends_under_its_old_key() -> None:
    table = FakeTable()
    (recorded,) = fetch_and_record(COMMENT, Jira({"OPS-7": "WEB-1"}), make_store(table))
    assert recorded.issue_keys == ("WEB-1", "OPS-7")
    assert latest(table, "OPS-7").moved_to == "WEB-1"


def test_an_issue_that_does_not_exist_is_skipped() -> None:
    link = NeedsFetch(("10001", "10002"), "issuelink_created", 1, "d-1")
    assert len(fetch_and_record(link, Jira({"10002": "OPS-2"}), make_store(FakeTable()))) == 1


def test_an_issue_hidden_from_a_refused_token_is_not_skipped() -> None:
    with pytest.raises(errors.AccessDeniedError):
        fetch_and_record(COMMENT, Jira({}, accepts_token=False), make_store(FakeTable()))
