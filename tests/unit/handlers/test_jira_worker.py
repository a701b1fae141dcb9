"""The Jira worker on a batch: each touched issue recomputed once, one record, and exactly the failed messages named."""

import dataclasses
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from types import ModuleType

import fastjsonschema
import pytest

from lib.jira.commits import MAX_ISSUES_PER_COMMIT, MAX_LOOKUPS_PER_PUSH, Commit
from lib.jira.correlation import IssueResult
from lib.jira.correlation_store import CorrelationStore
from lib.jira.tasks import MAX_TOUCHED, Task
from tests.support.aws.lambda_context import LambdaContext
from tests.support.aws.sqs_events import work
from tests.support.aws.wire import aws_error
from tests.support.jira.bodies import deliver, github_push, issue_event, move_event, push, sha
from tests.support.jira.cloud import JiraCloud
from tests.support.observability.emf import metrics_in, names_in
from tests.support.observability.log_lines import LogLines

PUT, QUERY, PUT_OBJECT = "dynamodb.PutItem", "dynamodb.Query", "s3.PutObject"
RECORDS = "runs/correlation/"

pytestmark = pytest.mark.usefixtures("no_throttle_delay")


@pytest.fixture
def broken(jira_worker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """What recomputing an issue raises, by its key."""
    errors_by_key: dict[str, Exception] = {}
    recompute = CorrelationStore.recompute

    def recompute_or_fail(self: CorrelationStore, issue_key: str) -> object:
        if issue_key in errors_by_key:
            raise errors_by_key[issue_key]
        return recompute(self, issue_key)

    monkeypatch.setattr(CorrelationStore, "recompute", recompute_or_fail)
    return errors_by_key


def state(cloud: JiraCloud, issue_key: str) -> str | None:
    """The stored correlation state of an issue."""
    row = cloud.rows(issue_key).get("CORRELATION")
    return row["state"]["S"] if row else None


# The results


def test_an_issue_and_its_commits_end_as_matched_in_phoenix_time(
    webhooks: ModuleType, jira_worker: ModuleType, jira_cloud: JiraCloud
) -> None:
    deliver(webhooks, issue_event())
    push(webhooks, github_push("OPS-7 fix", "OPS-7 again"))

    assert work(jira_worker, *jira_cloud.tasks()) == []

    row = jira_cloud.rows("OPS-7")["CORRELATION"]
    assert (row["state"], row["commits"]) == ({"S": "matched"}, {"L": [{"S": sha(0)}, {"S": sha(1)}]})
    assert row["timezone"] == {"S": "America/Phoenix"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}-07:00", row["generated_at"]["S"])


def test_issues_without_commits_and_unknown_issues_have_their_state(
    webhooks: ModuleType, jira_worker: ModuleType, jira_cloud: JiraCloud
) -> None:
    deliver(webhooks, issue_event("OPS-7"))
    push(webhooks, github_push("OPS-8 fix"))

    assert work(jira_worker, *jira_cloud.tasks()) == []

    assert (state(jira_cloud, "OPS-7"), state(jira_cloud, "OPS-8")) == ("without_commits", "unknown")


def test_a_batch_recomputes_each_touched_issue_once(jira_worker: ModuleType, jira_cloud: JiraCloud) -> None:
    tasks = [Task(("OPS-7", "OPS-8")), Task(("OPS-8",)), Task(("OPS-7",)), Task(("OPS-7", "OPS-9"))]

    assert work(jira_worker, *tasks) == []

    asked = [call.parameters["ExpressionAttributeValues"][":issue"]["S"] for call in jira_cloud.wire.named(QUERY)]
    assert sorted(asked) == ["OPS-7", "OPS-8", "OPS-9"]
    assert len(jira_cloud.wire.named(PUT)) == 3


def test_a_moved_issue_is_recomputed_once_per_batch(
    webhooks: ModuleType, jira_worker: ModuleType, jira_cloud: JiraCloud
) -> None:
    deliver(webhooks, issue_event("OPS-7"))
    deliver(webhooks, move_event("OPS-7", "OPS-70", minute=1))
    work(jira_worker, *jira_cloud.tasks())
    jira_cloud.wire.forget()

    assert work(jira_worker, Task(("OPS-7", "OPS-70"))) == []

    asked = [call.parameters["ExpressionAttributeValues"][":issue"]["S"] for call in jira_cloud.wire.named(QUERY)]
    assert asked == ["OPS-7", "OPS-70"]


def test_a_message_processed_twice_changes_only_the_time(
    webhooks: ModuleType, jira_worker: ModuleType, jira_cloud: JiraCloud
) -> None:
    deliver(webhooks, issue_event())
    push(webhooks, github_push("OPS-7 fix"))
    for _ in range(2):
        assert work(jira_worker, Task(("OPS-7",))) == []

    assert jira_cloud.rows("OPS-7").keys() == {"2026-03-01T12:00:00.000000Z", "HEAD", f"COMMIT#{sha(0)}", "CORRELATION"}
    assert state(jira_cloud, "OPS-7") == "matched"


# The record


def test_a_batch_leaves_one_record_of_the_schema(webhooks: ModuleType, jira_worker: ModuleType, jira_cloud: JiraCloud) -> None:
    push(webhooks, github_push("OPS-8 fix"))

    work(jira_worker, Task(("OPS-7",)), Task(("OPS-8",)), context=LambdaContext("run-1"))

    (record,) = jira_cloud.objects(RECORDS).values()
    schema = json.loads(resources.files("lib.jira").joinpath("run.schema.json").read_text())
    fastjsonschema.validate(schema, record)
    assert record.keys() == {"run_id", "git_sha", "generated_at", "timezone", "issues"}
    assert (record["run_id"], record["git_sha"], record["timezone"]) == ("run-1", "4f2a9c1", "America/Phoenix")
    assert record["generated_at"].endswith("-07:00")
    assert sorted(record["issues"], key=lambda issue: issue["issue_key"]) == [
        {"issue_key": "OPS-7", "state": "unknown", "commits": []},
        {"issue_key": "OPS-8", "state": "unknown", "commits": [sha(0)]},
    ]


def test_two_attempts_at_one_batch_write_records_of_different_names(
    jira_worker: ModuleType, jira_cloud: JiraCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jira_worker._records, "_now", lambda: datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    for _ in range(2):
        work(jira_worker, Task(("OPS-7",)), context=LambdaContext("run-1"))

    names = list(jira_cloud.objects(RECORDS))
    assert len(names) == 2
    assert all(name.startswith("runs/correlation/2026-03-01/") and "run-1" in name for name in names)


def test_a_run_record_that_can_not_be_written_fails_every_message(jira_worker: ModuleType, jira_cloud: JiraCloud) -> None:
    tasks = [Task(("OPS-7",)), Task(("OPS-8",))]
    jira_cloud.wire.fail(PUT_OBJECT, aws_error("SlowDown", 503))
    assert work(jira_worker, *tasks) == ["m-1", "m-2"]

    jira_cloud.wire.clear_faults()
    assert work(jira_worker, *tasks) == []
    assert len(jira_cloud.objects(RECORDS)) == 1


# Commits that the webhook could not store


def commit(number: int, *keys: str) -> Commit:
    return Commit(sha(number), "acme/site", "fix", "2026-03-01T12:00:00.000000Z", keys)


def test_queued_commits_of_known_projects_are_stored_and_correlated(
    load_jira_worker: Callable[..., ModuleType], webhooks: ModuleType, jira_cloud: JiraCloud
) -> None:
    deliver(webhooks, issue_event("GOLD-1"))
    jira_worker = load_jira_worker(JIRA_PROJECTS="OPS")
    queued = Task(commits=(commit(1, "FIX_OPS-7", "GOLD-1"), commit(2, "UTF-8")))

    assert work(jira_worker, queued) == []

    assert f"COMMIT#{sha(1)}" in jira_cloud.rows("OPS-7")
    assert (state(jira_cloud, "OPS-7"), state(jira_cloud, "GOLD-1")) == ("unknown", "matched")
    assert jira_cloud.rows("UTF-8") == {}


def test_queued_commits_beyond_the_limits_are_counted(
    load_jira_worker: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [f"OPS-{number}" for number in range(1, MAX_ISSUES_PER_COMMIT + 4)]
    projects = [f"P{number}-1" for number in range(MAX_LOOKUPS_PER_PUSH + 2)]
    work(load_jira_worker(JIRA_PROJECTS="OPS"), Task(commits=(commit(1, *keys, *projects),)))

    skipped = [metric for metric in metrics_in(capsys.readouterr().out) if metric.name == "PushSkipped"]
    assert {each.dimensions["kind"]: each.value for each in skipped} == {"left_out": 3, "projects_not_checked": 2}


@pytest.mark.parametrize("call", [QUERY, "dynamodb.BatchWriteItem"])
def test_queued_commits_that_can_not_be_stored_are_received_again(
    jira_worker: ModuleType, jira_cloud: JiraCloud, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    jira_cloud.wire.fail(call, aws_error("ProvisionedThroughputExceededException"))
    store = Task(commits=(commit(1, "OPS-7"),))
    without = dataclasses.replace(jira_worker._pushes, projects=("OPS",) if call != QUERY else ())
    monkeypatch.setattr(jira_worker, "_pushes", without)
    assert work(jira_worker, store) == ["m-1"]

    jira_cloud.wire.clear_faults()
    monkeypatch.setattr(jira_worker, "_pushes", dataclasses.replace(without, projects=("OPS",)))
    assert work(jira_worker, store) == []
    assert f"COMMIT#{sha(1)}" in jira_cloud.rows("OPS-7")


def test_a_push_is_linked_after_the_table_was_down(
    webhooks: ModuleType, load_jira_worker: Callable[..., ModuleType], jira_cloud: JiraCloud
) -> None:
    jira_cloud.wire.fail("dynamodb.BatchWriteItem", aws_error("InternalServerError", 500))
    push(webhooks, github_push("OPS-7 fix"))
    jira_cloud.wire.clear_faults()
    deliver(webhooks, issue_event("OPS-7"))

    assert work(load_jira_worker(JIRA_PROJECTS="OPS"), *jira_cloud.tasks()) == []
    assert state(jira_cloud, "OPS-7") == "matched"


# Moves


def test_a_move_takes_earlier_and_later_commits_along(
    webhooks: ModuleType, jira_worker: ModuleType, jira_cloud: JiraCloud
) -> None:
    deliver(webhooks, issue_event("OPS-7"), "d-1")
    push(webhooks, github_push("OPS-7 before"))
    deliver(webhooks, move_event("OPS-7", "OPS-70", minute=1), "d-2")
    assert work(jira_worker, *jira_cloud.tasks()) == []
    push(webhooks, github_push("no issue", "OPS-7 after"))
    assert work(jira_worker, *jira_cloud.tasks()) == []

    assert (state(jira_cloud, "OPS-7"), state(jira_cloud, "OPS-70")) == ("moved", "matched")
    assert jira_cloud.rows("OPS-7")["CORRELATION"]["moved_to"] == {"S": "OPS-70"}
    assert jira_cloud.rows("OPS-70")["CORRELATION"]["commits"] == {"L": [{"S": sha(0)}, {"S": sha(1)}]}
    records = [issue for record in jira_cloud.objects(RECORDS).values() for issue in record["issues"]]
    assert {"issue_key": "OPS-7", "state": "moved", "commits": [], "moved_to": "OPS-70"} in records


# Failures


def test_a_message_with_too_many_issues_fails_alone(jira_worker: ModuleType, jira_cloud: JiraCloud) -> None:
    large = Task(tuple(f"OPS-{number}" for number in range(1, MAX_TOUCHED + 2)))

    assert work(jira_worker, Task(("WEB-1",)), large, Task(("WEB-2",))) == ["m-2"]
    assert (state(jira_cloud, "WEB-1"), state(jira_cloud, "WEB-2")) == ("unknown", "unknown")


def test_a_large_message_without_enough_time_fails_alone(jira_worker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def recompute(issue_key: str) -> tuple[IssueResult, ...]:
        done.append(issue_key)
        return (IssueResult(issue_key, "unknown"),)

    class Context(LambdaContext):
        def get_remaining_time_in_millis(self) -> int:
            return 100_000 - 20_000 * len(done)

    monkeypatch.setattr(jira_worker._pushes.links, "recompute", recompute)
    large = Task(tuple(f"OPS-{number}" for number in range(1, 20)))

    assert work(jira_worker, large, Task(("WEB-1",)), Task(("WEB-2",)), context=Context()) == ["m-1"]


@pytest.mark.parametrize(
    "body",
    ["", "not JSON", "[]", '{"kind": "approval"}', '{"kind": "jira", "touched": ["no key"]}', "\ud800", "[" * 100_000],
    ids=["empty", "text", "list", "another kind", "no key", "surrogate", "brackets"],
)
def test_an_unreadable_message_fails_alone(jira_worker: ModuleType, jira_cloud: JiraCloud, body: str) -> None:
    assert work(jira_worker, Task(("OPS-7",)), body, Task(("OPS-8",))) == ["m-2"]
    assert (state(jira_cloud, "OPS-7"), state(jira_cloud, "OPS-8")) == ("unknown", "unknown")


@pytest.mark.parametrize("error", [aws_error("ThrottlingException"), ZeroDivisionError("a defect")], ids=["AWS", "defect"])
def test_a_failed_recompute_fails_only_the_messages_of_its_issue(
    jira_worker: ModuleType, jira_cloud: JiraCloud, broken: dict[str, Exception], error: Exception
) -> None:
    broken["OPS-8"] = error
    tasks = [Task(("OPS-7",)), Task(("OPS-8",)), Task(("OPS-9", "OPS-8")), Task(("OPS-9",))]

    assert work(jira_worker, *tasks) == ["m-2", "m-3"]

    assert [state(jira_cloud, key) for key in ("OPS-7", "OPS-8", "OPS-9")] == ["unknown", None, "unknown"]
    (record,) = jira_cloud.objects(RECORDS).values()
    assert {issue["issue_key"] for issue in record["issues"]} == {"OPS-7", "OPS-9"}


def test_a_batch_without_results_fails_whole_and_writes_no_record(jira_worker: ModuleType, jira_cloud: JiraCloud) -> None:
    jira_cloud.wire.fail(QUERY, aws_error("ProvisionedThroughputExceededException"))

    assert work(jira_worker, Task(("OPS-7",)), "not JSON", Task(("OPS-8",))) == ["m-1", "m-2", "m-3"]
    assert jira_cloud.objects(RECORDS) == {}


def test_an_issue_of_a_failed_message_only_is_not_recomputed(jira_worker: ModuleType, jira_cloud: JiraCloud) -> None:
    assert work(jira_worker, '{"kind": "jira", "touched": ["OPS-7"], "fetch": {"issues": 5}}') == ["m-1"]
    assert state(jira_cloud, "OPS-7") is None


def test_each_failure_is_a_log_line_with_its_messages_and_a_metric(
    jira_worker: ModuleType, broken: dict[str, Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = LogLines("jira_worker")
    broken["OPS-8"] = ZeroDivisionError("a defect")

    work(jira_worker, "not JSON", Task(("OPS-8",)), Task(("OPS-7",)), context=LambdaContext("run-1"))

    assert lines.only("task_failed")["messages"] == ["m-1"]
    failed = lines.only("recompute_failed")
    assert (failed["messages"], failed["issue_key"], failed["run_id"]) == (["m-2"], "OPS-8", "run-1")
    assert "Traceback" in failed["exception"]
    done = lines.only("batch_done")
    assert (done["messages"], done["failed"], done["issues"]) == (3, 2, 1)
    output = capsys.readouterr().out
    kinds = [metric.dimensions["kind"] for metric in metrics_in(output) if metric.name == "WorkerFailure"]
    assert kinds == ["task_failed", "recompute_failed"]
    assert names_in(output).count("CorrelationRecomputed") == 1


def test_after_a_failed_batch_the_same_process_does_the_next(jira_worker: ModuleType, jira_cloud: JiraCloud) -> None:
    assert work(jira_worker, "not JSON") == ["m-1"]
    assert work(jira_worker, Task(("OPS-7",))) == []


def test_a_commit_that_was_pushed_twice_is_listed_once(jira_worker: ModuleType, jira_cloud: JiraCloud) -> None:
    commits = [Commit(sha(1), repository, "t", "2026-03-01T12:00:00.000000Z", ("OPS-7",)) for repository in ("a/b", "c/d")]
    CorrelationStore(jira_worker._dynamodb, jira_cloud.webhooks_variables()["JIRA_ISSUES_TABLE_NAME"]).record_commits(commits)

    work(jira_worker, Task(("OPS-7",)))

    (record,) = jira_cloud.objects(RECORDS).values()
    assert record["issues"][0]["commits"] == [sha(1)]
