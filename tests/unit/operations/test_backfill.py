"""Backfill from a legacy table on this machine: segments, checkpoints, and running beside webhooks."""

from pathlib import Path
from typing import Any

import pytest

from lib.jira.backfill.legacy_rows import read_legacy
from lib.jira.backfill.report import Report
from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from lib.operations.backfill import Backfill, Checkpoint
from lib.platform import errors
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.backfill import Legacy, legacy, text
from tests.support.jira.builders import latest, make_reader, make_store
from tests.support.present import present


def backfill(source: Legacy, table: FakeTable | None, checkpoint: Checkpoint | None = None, **options: Any) -> Backfill:
    store = make_store(table) if table is not None else None
    checkpoint = checkpoint or Checkpoint(None, "legacy", 1)
    return Backfill(source, checkpoint, store, page_size=2, sleep=lambda seconds: None, **options)


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
