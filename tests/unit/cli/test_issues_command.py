"""``issues`` shows what the store holds, in Phoenix time, as tables and as JSON lines."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import Result

from lib.jira.commits import Commit
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import IssueFields, Stamp
from lib.jira.tasks import read_task
from lib.jira.webhooks import Delivery
from lib.platform import aws
from lib.platform.wording import counted
from tests.support.aws.moto_inside import ISSUES
from tests.support.jira.builders import Snapshots

Run = Callable[..., Result]
Record = Callable[..., None]

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def record(deployed: None) -> Record:
    """Store a delivery."""
    client = aws.make_client("dynamodb")
    store = IssueWriter(client, ISSUES, history=timedelta(days=30), snapshots=Snapshots(), now=lambda: RECEIVED)

    def record_it(key: str, minute: int = 0, *, snapshot: str = "", **fields: Any) -> None:
        more: dict[str, Any] = {name: fields.pop(name) for name in ("deleted", "moved_to") if name in fields}
        stamp = Stamp(f"2026-03-01T12:{minute:02d}:00.000000Z", 1_772_366_400_000 + minute * 60_000, f"{key}@{minute}")
        recorded = IssueFields(**{"summary": f"{key} at {minute}", "status": "Done", **fields})
        store.record(Delivery(key, "1", stamp, "jira:issue_updated", recorded, snapshot=snapshot, **more))

    return record_it


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_get_shows_the_current_state(run: Run, record: Record) -> None:
    record("OPS-1", 1, status="To Do")
    record("OPS-1", 2, assignee="557058:ada", assignee_name="Ada", fix_versions=("1", "2"))

    result = run("issues", "get", "OPS-1")

    rows = dict([cell.strip() for cell in line.split("│")[1:3]] for line in result.stdout.splitlines() if line.startswith("│"))
    assert rows == {
        "summary": "OPS-1 at 2",
        "status": "Done",
        "assignee": "Ada",
        "fix versions": "1, 2",
        "state": "live",
        "updated": "2026-03-01T05:02:00.000-07:00",
        "event time": "2026-03-01T05:02:00.000-07:00",
        "id in Jira": "1",
        "delivery": "OPS-1@2",
        "correlation": "not computed yet",
        "commits": "none",
    }


def test_get_as_json_is_one_line(run: Run, record: Record) -> None:
    record("OPS-1", 2, assignee="557058:ada", fix_versions=("1",))

    assert lines(run("issues", "get", "OPS-1", "--json")) == [
        {
            "issue_key": "OPS-1",
            "issue_id": "1",
            "summary": "OPS-1 at 2",
            "status": "Done",
            "assignee": "557058:ada",
            "assignee_name": None,
            "fix_versions": ["1"],
            "deleted": False,
            "moved_to": None,
            "updated_at": "2026-03-01T05:02:00.000-07:00",
            "event_at": "2026-03-01T05:02:00.000-07:00",
            "timezone": "America/Phoenix",
            "idempotency_key": "OPS-1@2",
            "commits": [],
            "has_more_commits": False,
            "correlation": None,
        }
    ]


@pytest.mark.parametrize(("moved_to", "state"), [(None, "deleted"), ("WEB-4", "moved to WEB-4")])
def test_get_shows_an_issue_that_is_gone(run: Run, record: Record, moved_to: str | None, state: str) -> None:
    record("OPS-1", 1, deleted=True, moved_to=moved_to)

    assert state in run("issues", "get", "OPS-1").stdout


def test_an_issue_that_is_not_stored_is_exit_code_1(run: Run, record: Record) -> None:
    result = run("issues", "get", "OPS-1")

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: OPS-1 is not stored\n")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_history_of_an_unknown_issue_is_an_error(run: Run, record: Record, options: tuple[str, ...]) -> None:
    result = run("issues", "history", "OPS-1", *options)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: OPS-1 is not stored\n")


def test_a_summary_cannot_control_the_terminal_or_style_the_table(run: Run, record: Record) -> None:
    record("OPS-1", summary="\x1b]0;owned\x07 [bold red]not[/] \x9b31m")

    shown = run("issues", "get", "OPS-1").stdout

    assert "·]0;owned· [bold red]not[/] ·31m" in shown


def test_history_is_every_delivery_the_newest_first(run: Run, record: Record) -> None:
    for minute in (1, 3, 2):
        record("OPS-1", minute)
    record("OPS-1", 4, deleted=True)

    found = lines(run("issues", "history", "OPS-1", "--json"))
    table = run("issues", "history", "OPS-1")

    assert [(version["updated_at"][14:16], version["deleted"]) for version in found] == [
        ("04", True),
        ("03", False),
        ("02", False),
        ("01", False),
    ]
    assert {version["received_at"] for version in found} == {"2026-03-01T05:00:00.000-07:00"}
    assert {version["event_type"] for version in found} == {"jira:issue_updated"}
    assert table.stdout.count("jira:issue_updated") == 4
    assert table.stderr == "4 deliveries.\n"


def test_history_stops_at_the_limit_and_says_so(run: Run, record: Record) -> None:
    for minute in range(3):
        record("OPS-1", minute)

    table = run("issues", "history", "OPS-1", "--limit", "2")

    assert table.stdout.count("jira:issue_updated") == 2
    assert table.stderr == "Showing 2 deliveries; use --limit for more.\n"
    assert len(lines(run("issues", "history", "OPS-1", "--limit", "2", "--json"))) == 2


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (("--project", "OPS"), ["OPS-1", "OPS-2", "OPS-10"]),
        (("--status", "To Do"), ["WEB-1", "OPS-2"]),
        (("--assignee", "ada"), ["OPS-10", "OPS-1"]),
        (("--fix-version", "2"), ["OPS-10", "OPS-2"]),
        (("--status", "To Do", "--project", "OPS"), ["OPS-2"]),
        (("--assignee", "ada", "--status", "Done"), ["OPS-10"]),
        (("--fix-version", "2", "--assignee", "ada", "--project", "OPS"), ["OPS-10"]),
        (("--fix-version", "3"), []),
    ],
)
def test_list_finds_the_live_issues_that_match_all_options(
    run: Run, record: Record, options: tuple[str, ...], keys: list[str]
) -> None:
    record("OPS-1", 1, assignee="ada", status="Open")
    record("OPS-2", 2, status="To Do", fix_versions=("2",))
    record("OPS-3", 3, status="To Do", fix_versions=("2",))
    record("OPS-3", 4, deleted=True)
    record("OPS-10", 5, assignee="ada", fix_versions=("1", "2"))
    record("WEB-1", 6, status="To Do")

    found = [issue["issue_key"] for issue in lines(run("issues", "list", *options, "--json"))]
    table = run("issues", "list", *options)

    assert found == keys
    assert [line.split("│")[1].strip() for line in table.stdout.splitlines() if line.startswith("│")] == keys
    assert table.stderr == f"{counted(len(keys), 'issue')}.\n"


def test_list_stops_at_the_limit_and_says_so(run: Run, record: Record) -> None:
    for number in range(1, 6):
        record(f"OPS-{number}", number)

    result = run("issues", "list", "--project", "OPS", "--limit", "3")

    assert result.stderr == "Showing 3 issues; use --limit for more.\n"
    assert "OPS-3" in result.stdout
    assert "OPS-4" not in result.stdout


def test_a_missing_table_is_reported(run: Run, deployed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIRA_ISSUES_TABLE_NAME", "elsewhere")

    result = run("issues", "list", "--project", "OPS")

    assert (result.exit_code, result.stderr) == (1, "Error: could not list issues: ResourceNotFoundException\n")


@pytest.fixture
def commits(record: Record) -> None:
    """Two issues, a commit of the first and one of an issue that is not stored."""
    record("OPS-1")
    record("OPS-2")
    pushed = [
        Commit("a" * 40, "acme/api", "fix", "2026-03-01T12:00:00.000000Z", ("OPS-1",)),
        Commit("b" * 40, "acme/api", "fix", "2026-03-02T12:00:00.000000Z", ("OPS-99",)),
    ]
    CorrelationStore(aws.make_client("dynamodb"), ISSUES, history=timedelta(days=9999)).record_commits(pushed)


def test_get_shows_the_commits_and_the_correlation(run: Run, record: Record, commits: None) -> None:
    CorrelationStore(aws.make_client("dynamodb"), ISSUES, now=lambda: RECEIVED).recompute("OPS-1")

    (found,) = lines(run("issues", "get", "OPS-1", "--json"))
    shown = run("issues", "get", "OPS-1").stdout

    assert found["commits"] == [
        {"sha": "a" * 40, "repository": "acme/api", "title": "fix", "committed_at": "2026-03-01T05:00:00.000-07:00"}
    ]
    assert found["correlation"] == {
        "state": "matched",
        "commit_count": 1,
        "moved_to": None,
        "generated_at": "2026-03-01T05:00:00.000-07:00",
        "is_current": True,
    }
    assert "matched, 1 commit, computed 2026-03-01T05:00:00.000-07:00" in shown
    assert "a" * 12 in shown
    record("OPS-1", 5)
    assert "the issue has changed since" in run("issues", "get", "OPS-1").stdout


def test_an_unknown_issue_that_commits_name_says_so(run: Run, commits: None) -> None:
    result = run("issues", "get", "OPS-99")

    assert (result.exit_code, result.stderr) == (1, "Error: OPS-99 is not stored; 1 commit named it\n")


def test_get_stops_after_100_commits_and_says_so(run: Run, record: Record) -> None:
    record("OPS-1")
    pushed = [Commit(f"{number:040x}", "acme/api", "fix", "2026-03-01T12:00:00.000000Z", ("OPS-1",)) for number in range(101)]
    CorrelationStore(aws.make_client("dynamodb"), ISSUES, history=timedelta(days=9999)).record_commits(pushed)

    result = run("issues", "get", "OPS-1")

    assert result.stdout.count("acme/api") == 100
    assert result.stderr == "Showing 100 commits; there are more.\n"


def test_correlate_shows_matches_gaps_and_counts(run: Run, commits: None) -> None:
    result = run("issues", "correlate", "--project", "OPS")

    rows = dict([cell.strip() for cell in line.split("│")[1:3]] for line in result.stdout.splitlines() if line.startswith("│"))
    assert rows == {"OPS-1": "a" * 12, "OPS-2": "none", "OPS-99 (unknown)": "b" * 12}
    assert result.stdout.endswith(
        "2 issues: 1 with commits, 1 without. 2 commits: 1 without an issue. 1 unknown issue.\n"
        f"Commits without an issue: {'b' * 12}\n"
    )


def test_correlate_counts_the_days_given_both_included(run: Run, commits: None) -> None:
    (report,) = lines(
        run("issues", "correlate", "--project", "OPS", "--since", "2026-03-02", "--until", "2026-03-02", "--json")
    )

    assert report["counts"]["commits"] == 1
    assert report["unknown_issues"] == [{"issue_key": "OPS-99", "commits": ["b" * 40]}]


def test_correlate_refuses_days_in_the_wrong_order(run: Run) -> None:
    result = run("issues", "correlate", "--project", "OPS", "--since", "2026-03-02", "--until", "2026-03-01")

    assert (result.exit_code, result.stderr) == (2, "Error: --until is before --since.\n")


def test_diff_compares_the_last_two_versions_or_those_named(run: Run, record: Record) -> None:
    for minute, status in ((1, "To Do"), (2, "In Progress"), (3, "Done")):
        record("OPS-1", minute, status=status, summary="door")

    [latest] = lines(run("issues", "diff", "OPS-1", "--json"))
    assert latest["state"] == [{"path": "status", "before": "In Progress", "after": "Done"}]
    assert latest["older"]["updated_at"] == "2026-03-01T05:02:00.000-07:00"
    for first, second in (
        ("2026-03-01T05:01:00.000-07:00", "2026-03-01T12:03:00.000000Z"),
        ("2026-03-01T12:03:00.000000Z", "2026-03-01T05:01:00.000-07:00"),
    ):
        [named] = lines(run("issues", "diff", "OPS-1", first, second, "--json"))
        assert named["state"] == [{"path": "status", "before": "To Do", "after": "Done"}]
    shown = " ".join(run("issues", "diff", "OPS-1").stdout.split())
    assert "status │ In Progress │ Done" in shown


def test_diff_says_why_the_json_of_jira_is_not_compared(run: Run, record: Record) -> None:
    record("OPS-1", 1, status="To Do", snapshot="half of")
    record("OPS-1", 2, status="Done", snapshot='{"fields": {"status": {"name": "Done"}}}')

    problem = "the snapshot can't be read: "
    assert f"Jira's JSON is not compared: {problem}" in run("issues", "diff", "OPS-1").stderr
    [found] = lines(run("issues", "diff", "OPS-1", "--json"))
    assert found["problem"].startswith(problem)


def test_diff_needs_two_versions(run: Run, record: Record) -> None:
    record("OPS-1", 1)

    assert "fewer than two versions of OPS-1 are kept" in run("issues", "diff", "OPS-1").stderr
    assert "OPS-2 is not stored" in run("issues", "diff", "OPS-2").stderr
    assert "no version of OPS-1" in run("issues", "diff", "OPS-1", "2026-03-01T12:09:00.000000Z").stderr


def test_snapshot_prints_what_jira_sent_for_a_version(run: Run, record: Record) -> None:
    for minute in (1, 2):
        record("OPS-1", minute, snapshot=f'{{"minute": {minute}.0}}')
    record("OPS-2")

    assert run("issues", "snapshot", "OPS-1").stdout == '{"minute": 2.0}\n'
    for first in (
        *("2026-03-01T05:01:00.000-07:00", "2026-03-01T12:01:00.000000Z", "2026-03-01T12:01:00Z", "2026-03-01 12:01Z"),
        *("2026-03-01T13:01:00+01:00", "20260301T120100Z"),
    ):
        assert run("issues", "snapshot", "OPS-1", first).stdout == '{"minute": 1.0}\n'
    assert "no version of OPS-1" in run("issues", "snapshot", "OPS-1", "2026-03-01T12:09:00.000000Z").stderr
    assert run("issues", "snapshot", "OPS-2").stderr == "Error: no JSON from Jira is stored for OPS-2\n"
    assert "OPS-3 is not stored" in run("issues", "snapshot", "OPS-3").stderr


@pytest.mark.parametrize("command", ["snapshot", "diff"])
@pytest.mark.parametrize("text", ["x", "2026-03-01T12:01:00"])
def test_what_is_not_a_time_with_an_offset_is_a_usage_error(run: Run, command: str, text: str) -> None:
    result = run("issues", command, "OPS-1", text)

    assert (result.exit_code, f"'{text}' is not a time: write 2026-01-22T13:00:00-07:00." in result.stderr) == (2, True)


def test_fetch_queues_the_task_of_the_worker(run: Run, deployed: None) -> None:
    sqs = aws.make_client("sqs")
    url = sqs.create_queue(QueueName="jira-work")["QueueUrl"]

    result = run("issues", "fetch", "OPS-7")

    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    task = read_task(message["Body"])
    assert task.fetch is not None
    assert task.fetch.issues == task.touched == ("OPS-7",)
    assert result.stdout == f"The worker fetches OPS-7, as the delivery {task.fetch.idempotency_key}.\n"
