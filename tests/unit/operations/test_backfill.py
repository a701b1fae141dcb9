"""Backfill from a legacy table: every form of row, segments, checkpoints, and running beside webhooks."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lib.jira.issues import IssueFields, Stamp
from lib.jira.snapshot_codec import encode
from lib.jira.webhooks import Delivery
from lib.operations.backfill import Backfill, Checkpoint, Report, read_legacy
from lib.platform import errors
from lib.platform.dynamodb import Item
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import latest, make_reader, make_store
from tests.support.present import present


def text(**values: str) -> dict[str, Any]:
    return {name: {"S": value} for name, value in values.items()}


def legacy(number: int = 1, updated: str = "2025-01-01T10:00:00Z", **more: Any) -> dict[str, Any]:
    return {**text(issue_key=f"OPS-{number}", updated_at=updated, status="Done", summary="s"), **more}


class Legacy:
    """A table that is scanned in segments, and fails on request."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.fail_at: int | None = None
        self.scans: list[tuple[int, Item | None]] = []

    def scan(self, *, Segment: int, TotalSegments: int, Limit: int, ExclusiveStartKey: Item | None = None, **_: Any) -> Item:  # noqa: N803
        self.scans.append((Segment, ExclusiveStartKey))
        if self.fail_at is not None and len(self.scans) > self.fail_at:
            raise errors.ThrottledError("could not scan")
        mine = [item for at, item in enumerate(self.items) if at % TotalSegments == Segment]
        keys: list[Item] = [{"issue_key": item["issue_key"], "updated_at": item["updated_at"]} for item in mine]
        start = 1 + keys.index(ExclusiveStartKey) if ExclusiveStartKey else 0
        page = mine[start : start + Limit]
        more = start + Limit < len(mine)
        return {"Items": page, **({"LastEvaluatedKey": keys[start + Limit - 1]} if more else {})}


def backfill(source: Legacy, table: FakeTable | None, checkpoint: Checkpoint | None = None, **options: Any) -> Backfill:
    store = make_store(table) if table is not None else None
    checkpoint = checkpoint or Checkpoint(None, "legacy", 1)
    return Backfill(source, checkpoint, store, page_size=2, sleep=lambda seconds: None, **options)


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
    report = backfill(Legacy([row | text(updated_at=row.get("updated_at", {"S": ""})["S"])]), FakeTable()).run()
    assert (report.scanned, report.skipped, report.stored) == (1, 1, 0)
    assert len(report.reasons) == 1


ROWS = [legacy(number, f"2025-01-0{day}T10:00:00Z") for number in range(1, 6) for day in (1, 2)]


@pytest.mark.parametrize("segments", [1, 4, 16])
def test_all_rows_are_stored_and_verified(segments: int) -> None:
    table, source = FakeTable(), Legacy(ROWS)
    job = backfill(source, table, Checkpoint(None, "legacy", segments))
    report = job.run()
    assert report.scanned == report.stored + report.superseded == 10
    assert len(list(make_reader(table).by_project("OPS"))) == 5
    assert job.verify(make_reader(table)).behind == 0


def test_running_it_again_changes_nothing() -> None:
    table = FakeTable()
    backfill(Legacy(ROWS), table).run()
    before = str(table.items)
    assert backfill(Legacy(ROWS), table).run().duplicate == 10
    assert str(table.items) == before


def test_a_webhook_received_meanwhile_wins() -> None:
    table = FakeTable()
    newer = Stamp("2026-03-01T00:00:00.000000Z", 1, "webhook")
    make_store(table).record(Delivery("OPS-1", "1", newer, "jira:issue_deleted", IssueFields(), deleted=True))
    job = backfill(Legacy(ROWS), table)
    job.run()
    assert latest(table, "OPS-1").deleted
    assert job.verify(make_reader(table)).behind == 0


def test_a_dry_run_writes_nothing_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint", "legacy", 2)
    report = backfill(Legacy([*ROWS, text(issue_key="x", updated_at="y")]), None, checkpoint).run()
    assert (report.scanned, report.skipped) == (11, 1)
    assert not (tmp_path / "checkpoint").exists()


def test_a_stopped_backfill_resumes(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    table, source = FakeTable(), Legacy(ROWS)
    source.fail_at = 2
    stopped = backfill(source, table, Checkpoint(path, "legacy", 1)).run()
    assert (stopped.scanned, len(stopped.stopped)) == (4, 1)
    rest = Legacy(ROWS)
    resumed = backfill(rest, table, Checkpoint.load(path)).run()
    assert (resumed.scanned, resumed.stopped) == (6, ())
    assert present(rest.scans[0][1])["issue_key"] == {"S": "OPS-2"}
    assert backfill(rest, table, Checkpoint.load(path)).run() == Report(), "a finished segment is not scanned again"


def test_a_throttled_page_is_read_again() -> None:
    source = Legacy(ROWS)
    source.fail_at = 0
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        source.fail_at = None

    job = Backfill(source, Checkpoint(None, "legacy", 1), make_store(FakeTable()), sleep=sleep)
    assert (job.run().stored, waits) == (10, [1.0])


def test_verification_finds_missing_and_older_issues() -> None:
    table = FakeTable()
    make_store(table).record(read_legacy(ROWS[0]))
    job = backfill(Legacy(ROWS), table)
    verification = job.verify(make_reader(table))
    assert (verification.rows, verification.behind) == (10, 9)
    assert verification.keys[0] == "OPS-1"


@pytest.mark.parametrize("content", ["", "[]", '{"table": "t"}', '{"table": "t", "segments": 1, "reached": []}'])
def test_a_broken_checkpoint_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "checkpoint.json"
    path.write_text(content)
    with pytest.raises(errors.InvalidInputError):
        Checkpoint.load(path)


def test_a_webhook_wins_over_the_legacy_row_of_the_same_edit() -> None:
    delivery = read_legacy(legacy(updated="2025-01-01T10:00:00.100Z"))
    edit = datetime(2025, 1, 1, 10, 0, 0, 100_000, UTC)
    assert delivery.stamp.event_at == int(edit.timestamp() * 1000)
