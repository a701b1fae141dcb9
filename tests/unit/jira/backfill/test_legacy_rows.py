"""Every form of a legacy row."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.jira.backfill import pages
from lib.jira.backfill.legacy_rows import read_legacy
from lib.jira.issues import IssueFields
from lib.jira.snapshot_codec import encode
from lib.platform import errors
from tests.support.jira.backfill import legacy, text


@pytest.mark.parametrize(
    ("updated", "canonical"),
    [
        ("2025-01-01T10:00:00Z", "2025-01-01T10:00:00.000000Z"),
        ("2025-01-01T10:00:00.5Z", "2025-01-01T10:00:00.500000Z"),
        ("2025-01-01T03:00:00-07:00", "2025-01-01T10:00:00.000000Z"),
        ("2025-01-01T03:00:00.559-0700", "2025-01-01T10:00:00.559000Z"),
    ],
)
def test_times_of_every_form_become_canonical(updated: str, canonical: str) -> None:
    assert read_legacy(legacy(updated=updated)).stamp.version_at == canonical


def test_a_flat_row() -> None:
    row = legacy(assignee={"S": "ada"}, fix_versions={"L": [{"S": "1"}, {"S": "2"}]}, issue_id={"S": "10001"})
    delivery = read_legacy(row)
    assert delivery.fields == IssueFields("s", "Done", "ada", None, ("1", "2"))
    assert (delivery.issue_id, delivery.deleted) == ("10001", False)


@pytest.mark.parametrize(
    ("stored", "versions"),
    [({"SS": ["2", "1"]}, ("1", "2")), ({"S": "1.2.3"}, ("1.2.3",)), ({"S": ""}, ()), ({"NULL": True}, ())],
)
def test_versions_may_be_a_set_or_a_single_one(stored: dict[str, object], versions: tuple[str, ...]) -> None:
    assert read_legacy(legacy(fixVersions=stored)).fields.fix_versions == versions


ISSUE = {
    "id": "10001",
    "key": "OPS-1",
    "fields": {"summary": "s", "status": {"name": "Done"}, "updated": "2025-01-01T10:00:00Z"},
}


@pytest.mark.parametrize("snapshot", [ISSUE, {"webhookEvent": "jira:issue_updated", "issue": ISSUE}])
@pytest.mark.parametrize("attribute", ["raw", "payload"])
def test_a_snapshot_as_json_keyed_by_the_issue_alone(snapshot: dict[str, Any], attribute: str) -> None:
    delivery = read_legacy({**text(issue_key="OPS-1"), attribute: {"S": json.dumps(snapshot)}})
    assert (delivery.stamp.version_at, delivery.issue_id) == ("2025-01-01T10:00:00.000000Z", "10001")
    assert json.loads(delivery.snapshot) == ISSUE


def test_a_snapshot_as_a_map_with_a_float() -> None:
    fields = {"M": {"status": {"M": {"name": {"S": "Done"}}}, "points": {"N": "0.1"}, "none": {"NULL": True}}}
    delivery = read_legacy(legacy(issue={"M": {"id": {"S": "10001"}, "fields": fields}}))
    assert delivery.fields.status == "Done"
    assert '"points":0.1' in delivery.snapshot


def test_a_row_of_switchboards_own_table_is_read() -> None:
    row = {**legacy(), "snapshot": {"B": encode(json.dumps({"issue": ISSUE}))}}
    assert json.loads(read_legacy(row).snapshot) == ISSUE


def test_a_deleted_row_is_a_tombstone() -> None:
    assert read_legacy(legacy(deleted={"BOOL": True})).deleted


@pytest.mark.parametrize(
    "row",
    [
        text(issue_key="OPS-1"),
        text(issue_key="OPS-1", updated_at="HEAD"),
        text(issue_key="OPS-1", updated_at="2025-01-01T10:00:00"),
        text(issue_key="health#1", updated_at="2025-01-01T10:00:00Z"),
        {**legacy(), "raw": {"S": "{broken"}},
        {**legacy(), "snapshot": {"B": b"\x01broken"}},
        {**legacy(), "snapshot": {"B": encode("x" * 5_000_001)}},
        legacy(fix_versions={"M": {"1.0": {"BOOL": True}}}),
        legacy(fix_versions={"N": "1"}),
        legacy(fix_versions={"L": [{"N": "1"}]}),
        legacy(fix_versions={"BOOL": True}),
    ],
)
def test_a_row_without_an_issue_is_skipped_with_the_reason(row: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError):
        read_legacy(row)
    report = pages.store([row], None)
    assert (report.scanned, report.skipped, report.stored) == (1, 1, 0)
    assert len(report.reasons) == 1


def test_a_webhook_wins_over_the_legacy_row_of_the_same_edit() -> None:
    delivery = read_legacy(legacy(updated="2025-01-01T10:00:00.100Z"))
    edit = datetime(2025, 1, 1, 10, 0, 0, 100_000, UTC)
    assert delivery.stamp.event_at == int(edit.timestamp() * 1000)
