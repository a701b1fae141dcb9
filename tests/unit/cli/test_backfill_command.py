"""``backfill`` stores a legacy table's issues, continues where it stopped, and succeeds only after it compared."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from lib.jira.issue_reader import IssueReader
from lib.jira.issue_writer import IssueWriter, Recorded
from lib.jira.webhooks import Delivery
from lib.platform import errors
from lib.platform.log import hash_email
from tests.support.aws.moto_inside import BUCKET, ISSUES, LEASES

Run = Callable[..., Result]

LEGACY = "legacy-issues"


@pytest.fixture(autouse=True)
def legacy(dynamodb: Any) -> None:
    """A legacy table of 30 issues, and one row whose time has no zone."""
    dynamodb.create_table(
        TableName=LEGACY,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "issue_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "issue_key", "AttributeType": "S"}],
    )
    for number in range(1, 31):
        put(dynamodb, f"OPS-{number}", "2025-01-01T10:00:00Z")
    put(dynamodb, "OPS-99", "2025-01-01T10:00:00")


def put(dynamodb: Any, key: str, updated: str, **more: Any) -> None:
    item = {"issue_key": {"S": key}, "updated_at": {"S": updated}, "summary": {"S": f"about {key}"}, **more}
    dynamodb.put_item(TableName=LEGACY, Item=item)


@pytest.fixture
def stored(dynamodb: Any) -> Callable[[], list[str]]:
    """The issues stored, by number."""
    return lambda: [issue.issue_key for issue in IssueReader(dynamodb, ISSUES).by_project("OPS")]


ALL = [f"OPS-{number}" for number in range(1, 31)]


def backfill(run: Run, *options: str) -> Result:
    return run("backfill", "--from-table", LEGACY, *options)


def counts(result: Result) -> dict[str, int]:
    rows = [line.split("│")[1:3] for line in result.stdout.splitlines() if line.startswith("│")]
    return {name.strip(): int(number) for name, number in rows}


def test_every_row_is_stored_and_compared(run: Run, stored: Callable[[], list[str]]) -> None:
    result = backfill(run)

    assert result.exit_code == 0
    assert counts(result) == {"read": 31, "stored": 30, "superseded": 0, "duplicate": 0, "skipped": 1}
    assert "Skipped OPS-99 2025-01-01T10:00:00: the row has no time with an offset" in result.stdout
    assert "Compared 30 rows with the stored issues. Issues missing or older than their row: 0." in result.stdout
    assert stored() == ALL


def test_a_second_backfill_finds_only_duplicates(run: Run) -> None:
    backfill(run)

    result = backfill(run)

    assert (result.exit_code, result.stderr) == (0, "")
    assert counts(result) == {"read": 31, "stored": 0, "superseded": 0, "duplicate": 30, "skipped": 1}


def test_the_history_is_kept_as_long_as_the_functions_keep_it(run: Run, dynamodb: Any) -> None:
    backfill(run)

    item = dynamodb.get_item(
        TableName=ISSUES, Key={"issue_key": {"S": "OPS-1"}, "updated_at": {"S": "2025-01-01T10:00:00.000000Z"}}
    )["Item"]
    assert int(item["expires_at"]["N"]) == pytest.approx(time.time() + 30 * 86_400, abs=600)


def test_a_large_snapshot_goes_to_the_functions_bucket(run: Run, dynamodb: Any) -> None:
    from lib.platform import aws

    issue = {"id": "1", "fields": {"summary": "s", "description": "x" * 370_000}}
    put(dynamodb, "OPS-1", "2025-01-02T10:00:00Z", raw={"S": json.dumps(issue)})

    assert backfill(run).exit_code == 0

    names = [entry["Key"] for entry in aws.make_client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert [name.split("/")[:2] for name in names] == [["snapshots", "OPS-1"]]


def test_a_dry_run_reads_and_leaves_nothing(run: Run, stored: Callable[[], list[str]], tmp_path: Path) -> None:
    result = backfill(run, "--dry-run")

    assert result.exit_code == 0
    assert "nothing was stored" in result.stdout
    assert counts(result) == {"read": 31, "skipped": 1}
    assert stored() == []
    assert list(tmp_path.iterdir()) == []


def interrupt_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Ctrl-C while the row ``number`` is stored."""
    record, calls = IssueWriter.record, []

    def record_it(store: IssueWriter, delivery: Delivery) -> Recorded:
        calls.append(delivery)
        if len(calls) == number:
            handler = signal.getsignal(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            end = time.monotonic() + 10
            while signal.getsignal(signal.SIGINT) is handler and time.monotonic() < end:
                time.sleep(0.001)
        return record(store, delivery)

    monkeypatch.setattr(IssueWriter, "record", record_it)


def test_ctrl_c_stops_after_the_page_and_resume_continues_there(
    run: Run, stored: Callable[[], list[str]], dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(101, 221):
        put(dynamodb, f"OPS-{number}", "2025-01-01T10:00:00Z")
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as interrupted:
        interrupt_at(interrupted, 10)
        result = backfill(run, "--segments", "1", "--checkpoint", "here.json")

    assert result.exit_code == 1
    assert counts(result)["read"] == 100, "the page was done"
    assert "Stopped segment 0: stopped by Ctrl-C\n" in result.stderr
    assert "run it again with --resume --checkpoint here.json" in result.stderr
    assert "Compared" not in result.stdout
    assert signal.getsignal(signal.SIGINT) is before

    resumed = backfill(run, "--resume", "--checkpoint", "here.json")

    assert resumed.exit_code == 0
    assert counts(resumed)["read"] == 51
    assert counts(resumed)["duplicate"] == 0
    assert len(stored()) == 150


def test_a_resumed_backfill_compares_even_if_no_row_that_is_left_is_an_issue(run: Run, dynamodb: Any, tmp_path: Path) -> None:
    backfill(run, "--segments", "1")
    *_, reached, last = [row["issue_key"]["S"] for row in dynamodb.scan(TableName=LEGACY)["Items"]]
    put(dynamodb, last, "2025-01-01T10:00:00")
    checkpoint = {"table": LEGACY, "segments": 1, "reached": {"0": {"issue_key": {"S": reached}}}}
    (tmp_path / f"backfill-{LEGACY}.json").write_text(json.dumps(checkpoint))

    resumed = backfill(run, "--resume")

    assert (counts(resumed)["read"], counts(resumed)["skipped"]) == (1, 1)
    assert "Compared" in resumed.stdout
    assert resumed.exit_code == 0


def test_starting_over_names_the_resume_option(run: Run, tmp_path: Path) -> None:
    path = tmp_path / f"backfill-{LEGACY}.json"
    path.write_text(json.dumps({"table": LEGACY, "segments": 2, "reached": {"0": None}}))

    result = backfill(run)

    assert result.exit_code == 0
    assert result.stderr == f"Starting over. {path.name} has an unfinished backfill: use --resume to continue it.\n"
    assert counts(result)["read"] == 31


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (None, ("--resume",), "the checkpoint here.json can't be read: [Errno 2] No such file or directory: 'here.json'"),
        ("{broken", ("--resume",), "the checkpoint here.json can't be read"),
        ("{broken", (), "the checkpoint here.json can't be read"),
        ({"table": "other", "segments": 1, "reached": {}}, ("--resume",), "the checkpoint here.json is for the table other"),
        ({"table": "other", "segments": 1, "reached": {}}, (), "the checkpoint here.json is for the table other: name another"),
        (
            {"table": LEGACY, "segments": 2, "reached": {}},
            ("--resume", "--segments", "3"),
            "the checkpoint here.json has 2 segments, which can't be changed",
        ),
    ],
)
def test_a_checkpoint_of_another_table_is_refused_and_kept(
    run: Run, tmp_path: Path, stored: Callable[[], list[str]], content: object, options: tuple[str, ...], sentence: str
) -> None:
    path = tmp_path / "here.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    before = path.read_bytes() if content is not None else None

    result = backfill(run, "--checkpoint", "here.json", *options)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {sentence}")
    assert stored() == []
    assert (path.read_bytes() if path.exists() else None) == before


def test_an_unwritable_checkpoint_fails_before_anything_is_stored(run: Run, stored: Callable[[], list[str]]) -> None:
    result = backfill(run, "--checkpoint", "nowhere/here.json")

    assert result.exit_code == 1
    assert result.stderr == ("Error: the checkpoint nowhere/here.json can't be written: name another file with --checkpoint\n")
    assert stored() == []


def test_a_failing_store_stops_its_segment_and_says_how_to_continue(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise errors.AccessDeniedError("could not store the version of OPS-1: AccessDeniedException")

    monkeypatch.setattr(IssueWriter, "record", fail)

    result = backfill(run, "--segments", "1")

    assert result.exit_code == 1
    assert "Stopped segment 0: could not store the version of OPS-1: AccessDeniedException\n" in result.stderr
    assert "Compared" not in result.stdout


def test_issues_older_than_their_row_are_named_with_exit_code_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    record = IssueWriter.record

    def lose_one(store: IssueWriter, delivery: Delivery) -> Recorded | None:
        kept = record(store, delivery) if delivery.issue_key != "OPS-7" else None
        return kept or record(store, Delivery("LOST-1", None, delivery.stamp, "backfill", delivery.fields))

    monkeypatch.setattr(IssueWriter, "record", lose_one)

    result = backfill(run)

    assert result.exit_code == 1
    assert "Compared 30 rows with the stored issues. Issues missing or older than their row: 1 (OPS-7).\n" in result.stdout


def test_a_missing_legacy_table_is_an_error(run: Run) -> None:
    result = run("backfill", "--from-table", "gone")

    assert (result.exit_code, result.stderr) == (1, "Error: could not read the table gone: ResourceNotFoundException\n")


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_rows_of_a_wrong_table_are_named_by_their_keys_with_exit_code_1(
    run: Run, dynamodb: Any, options: tuple[str, ...]
) -> None:
    dynamodb.put_item(TableName=LEASES, Item={"userEmail": {"S": "ada@example.com"}, "uuid": {"S": "u-1"}})

    result = run("backfill", "--from-table", LEASES, *options)

    assert result.exit_code == 1
    assert f"Skipped userEmail={hash_email('ada@example.com')} uuid=u-1: the issue has no key\n" in result.stdout
    assert "No row is an issue. Is it the right table?\n" in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--in-cloud", "resume", "--segments", "3"), "--segments is for --in-cloud start and verify."),
        (("--in-cloud", "stop", "--writes-per-second", "3"), "--writes-per-second is for --in-cloud start, resume and verify."),
    ],
)
def test_an_option_without_effect_is_a_usage_error(run: Run, options: tuple[str, ...], sentence: str) -> None:
    result = run("backfill", *options)

    assert (result.exit_code, result.stderr) == (2, f"Error: {sentence}\n")


def test_a_table_is_not_filled_from_itself(run: Run) -> None:
    result = run("backfill", "--from-table", ISSUES)

    assert (result.exit_code, result.stderr) == (1, f"Error: {ISSUES} is the table of Switchboard itself\n")
