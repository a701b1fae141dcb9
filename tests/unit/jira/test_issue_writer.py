"""What is stored, and what is said about it, delivery by delivery."""

import gzip
import json

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lib.jira import items
from lib.jira.issue_writer import MAX_SNAPSHOT_BYTES, Outcome
from lib.jira.issues import IssueFields, Stamp
from lib.jira.snapshot_codec import decode
from lib.jira.webhooks import Delivery
from lib.platform import errors
from tests.support.dynamodb.fake_table import before_next_write, item_bytes
from tests.support.jira.builders import NOW, Snapshots, incompressible, make_reader, make_store


def at(second, event_at=1, key="d"):
    return Stamp(f"2026-03-01T12:00:{second:02d}.000000Z", event_at, key)


def delivery(stamp, *, status="Done", versions=(), **more):
    return Delivery("OPS-7", "10007", stamp, "jira:issue_updated", IssueFields("s", status, "ada", "Ada", versions), **more)


@pytest.fixture
def table(jira_issues):
    return jira_issues


@pytest.fixture
def store(table):
    return make_store(table)


def row(table, name, key="OPS-7"):
    return table.items.get((key, name))


def test_the_first_delivery_makes_a_version_and_head(table, store):
    assert store.record(delivery(at(1), snapshot='{"a": 0.10}', versions=("1.0",))).outcome is Outcome.STORED
    version = row(table, "2026-03-01T12:00:01.000000Z")
    assert decode(version.pop("snapshot")["B"]) == '{"a": 0.10}'
    assert version == {
        "issue_key": {"S": "OPS-7"},
        "updated_at": {"S": "2026-03-01T12:00:01.000000Z"},
        "idempotency_key": {"S": "d"},
        "event_type": {"S": "jira:issue_updated"},
        "event_at": {"N": "1"},
        "received_at": {"S": "2026-03-01T12:00:00.000000Z"},
        "expires_at": {"N": str(int(NOW.timestamp()) + 90 * 86400)},
        "deleted": {"BOOL": False},
        "issue_id": {"S": "10007"},
        "fields": {
            "M": {
                "summary": {"S": "s"},
                "status": {"S": "Done"},
                "assignee": {"S": "ada"},
                "assignee_name": {"S": "Ada"},
                "fix_versions": {"L": [{"S": "1.0"}]},
            }
        },
    }
    assert row(table, "HEAD") == {
        "issue_key": {"S": "OPS-7"},
        "updated_at": {"S": "HEAD"},
        "version_at": {"S": "2026-03-01T12:00:01.000000Z"},
        "event_at": {"N": "1"},
        "idempotency_key": {"S": "d"},
        "deleted": {"BOOL": False},
        "issue_id": {"S": "10007"},
        "project_key": {"S": "OPS"},
        "issue_number": {"N": "7"},
        "summary": {"S": "s"},
        "status": {"S": "Done"},
        "assignee": {"S": "ada"},
        "assignee_name": {"S": "Ada"},
        "fix_versions": {"L": [{"S": "1.0"}]},
        "status_shard": {"S": "Done#14"},
        "assignee_shard": {"S": "ada#14"},
        "fix_version_shard": {"S": "1.0#14"},
        "changed_hour": {"S": "2026-03-01T12"},
    }


def test_the_same_delivery_again_is_a_duplicate(store):
    store.record(delivery(at(1)))
    assert store.record(delivery(at(1))).outcome is Outcome.DUPLICATE


def test_an_older_delivery_is_superseded_and_kept_as_history(table, store):
    store.record(delivery(at(2), status="Done"))
    recorded = store.record(delivery(at(1, key="late"), status="To Do"))
    assert recorded.outcome is Outcome.SUPERSEDED
    assert recorded.newer.stamp == at(2)
    assert row(table, at(1).version_at)["fields"]["M"]["status"] == {"S": "To Do"}
    assert row(table, "HEAD")["status"] == {"S": "Done"}


def test_an_older_delivery_again_is_a_duplicate(store):
    store.record(delivery(at(2)))
    store.record(delivery(at(1, key="late")))
    assert store.record(delivery(at(1, key="late"))).outcome is Outcome.DUPLICATE


@pytest.mark.parametrize("order", [("early", "late"), ("late", "early")])
def test_of_two_deliveries_with_the_same_updated_the_later_event_wins(table, store, order):
    early, late = delivery(at(1, 10, "early"), status="To Do"), delivery(at(1, 20, "late"), status="Done")
    outcomes = {name: store.record({"early": early, "late": late}[name]).outcome for name in order}
    assert outcomes["late"] is Outcome.STORED
    assert row(table, "HEAD")["status"] == row(table, at(1).version_at)["fields"]["M"]["status"] == {"S": "Done"}


def test_a_deleted_issue_returns_by_a_re_creation_but_not_by_a_late_update(table, store):
    store.record(delivery(at(1)))
    store.record(delivery(at(30, 30_000, "deletion"), deleted=True))
    assert store.record(delivery(at(29, 31_000, "late"))).outcome is Outcome.SUPERSEDED
    head = row(table, "HEAD")
    assert head["deleted"] == {"BOOL": True}
    assert not head.keys() & {"project_key", "issue_number", "status_shard", "assignee_shard", "fix_version_shard"}
    assert store.record(delivery(at(31, 31_500, "created again"))).outcome is Outcome.STORED
    assert row(table, "HEAD")["deleted"] == {"BOOL": False}


def test_head_never_expires_and_versions_do(table, store):
    store.record(delivery(at(1), deleted=True))
    assert "expires_at" not in row(table, "HEAD")
    assert "expires_at" in row(table, at(1).version_at)


def test_a_move_stores_the_new_key_and_ends_the_old(table, store):
    store.record(Delivery("WEB-1", "10007", at(1), "jira:issue_created", IssueFields("s", "Done")))
    moved = delivery(at(2), moved_from="WEB-1", snapshot="{}")
    recorded = store.record(moved)
    assert (recorded.outcome, recorded.issue_keys) == (Outcome.STORED, ("OPS-7", "WEB-1"))
    old = row(table, "HEAD", "WEB-1")
    assert (old["deleted"], old["moved_to"]) == ({"BOOL": True}, {"S": "OPS-7"})
    assert "snapshot" not in row(table, at(2).version_at, "WEB-1"), "the snapshot is in the new key's history"
    assert store.record(moved).outcome is Outcome.DUPLICATE


def test_an_issue_that_moved_away_and_back_is_live(table, store):
    store.record(delivery(at(1)))
    store.record(Delivery("WEB-1", "10007", at(2, key="away"), "jira:issue_updated", IssueFields("s"), moved_from="OPS-7"))
    store.record(delivery(at(3, key="back"), moved_from="WEB-1"))
    assert (row(table, "HEAD")["deleted"], row(table, "HEAD", "WEB-1")["deleted"]) == ({"BOOL": False}, {"BOOL": True})


def test_a_version_whose_answer_was_lost_is_stored_by_the_retry(table, store):
    def lose_the_answer():
        table.after_write = lambda: None
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    table.after_write = lose_the_answer
    with pytest.raises(errors.DeadlineExceededError):
        store.record(delivery(at(1)))
    assert row(table, "HEAD") is None
    assert store.record(delivery(at(1))).outcome is Outcome.STORED


def test_a_throttled_write_is_tried_once_more(table):
    throttles = []

    def throttle_once():
        raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutItem")

    before_next_write(table, throttle_once)
    store = make_store(table, on_throttle=lambda: throttles.append(1))
    assert store.record(delivery(at(1))).outcome is Outcome.STORED
    assert throttles == [1]


def test_a_snapshot_too_large_for_a_row_goes_to_the_bucket(table):
    snapshots = Snapshots()
    large = json.dumps({"description": "ü" * 3_000_000}, ensure_ascii=False)
    store = make_store(table, snapshots=snapshots)
    for _ in range(2):
        store.record(delivery(at(1), snapshot=large))
    ((name, data),) = snapshots.written.items()
    assert gzip.decompress(data).decode() == large
    version = next(make_reader(table).history("OPS-7"))
    assert (version.snapshot(), version.snapshot_object) == (None, name)


def test_a_snapshot_that_just_fits_stays_in_its_row(table, store):
    snapshot = incompressible(MAX_SNAPSHOT_BYTES)
    store.record(delivery(at(1), snapshot=snapshot))
    assert next(make_reader(table).history("OPS-7")).snapshot() == snapshot
    assert item_bytes(row(table, at(1).version_at)) < MAX_SNAPSHOT_BYTES


# --- several fix versions ---


def hints(table):
    return sorted(name for _, name in table.items if name.startswith(items.FIX_VERSION_PREFIX))


def found(table, version):
    return [issue.issue_key for issue in make_reader(table).by_fix_version(version)]


def test_an_issue_is_found_under_its_current_fix_versions_only(table, store):
    store.record(delivery(at(1), versions=("1", "2", "3")))
    assert [found(table, version) for version in "123"] == [["OPS-7"]] * 3
    store.record(delivery(at(2), versions=("2", "4")))
    assert [found(table, version) for version in "1234"] == [[], ["OPS-7"], [], ["OPS-7"]]
    assert hints(table) == ["FIXVERSION#4"]
    store.record(delivery(at(3), deleted=True))
    assert [found(table, version) for version in "24"] == [[], []]
    assert hints(table) == []


def test_a_late_delivery_leaves_no_hint(table, store):
    store.record(delivery(at(2), versions=("1", "3")))
    store.record(delivery(at(1, key="late"), versions=("1", "2", "3")))
    assert hints(table) == ["FIXVERSION#3"]


def test_a_slow_function_keeps_the_hints_of_a_newer_delivery(table, store):
    """OPS-7 leaves version 2 and comes back to it, and the function that stores the leaving is the slower one."""
    store.record(delivery(at(1), versions=("1", "2")))
    left = [2]  # version, HEAD: then it stalls before clearing the hint

    def stall():
        left[0] -= 1
        if left[0] == -1:
            store.record(delivery(at(3, key="back"), versions=("1", "2")))

    table.before_write = stall
    store.record(delivery(at(2, key="left"), versions=("1",)))
    assert found(table, "2") == ["OPS-7"]
    assert hints(table) == ["FIXVERSION#2"]


def test_a_hint_left_by_a_crash_shows_nothing(table, store):
    def crash(writes):
        left = [writes]

        def before():
            left[0] -= 1
            if left[0] < 0:
                raise ReadTimeoutError(endpoint_url="https://dynamodb")

        return before

    table.before_write = crash(2)  # version and hint are written, HEAD is not
    with pytest.raises(errors.DeadlineExceededError):
        store.record(delivery(at(1), versions=("1", "2")))
    assert hints(table) == ["FIXVERSION#2"]
    assert found(table, "2") == []
