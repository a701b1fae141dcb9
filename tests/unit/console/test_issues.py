"""The pages of issues: found and compared, fetched again; a project with its runs, and a resync that can be followed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.jira.commits import Commit
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issue_writer import IssueWriter
from lib.jira.issues import IssueFields, Stamp
from lib.jira.reconciliation.watermarks import Watermarks
from lib.jira.tasks import read_task
from lib.jira.webhooks import Delivery
from lib.platform import clock
from tests.support.aws.moto_inside import ISSUES, OPERATIONS
from tests.support.console.client import HOSTILE, PERSON, ConsoleClient, console_client, text_of
from tests.support.jira.builders import Snapshots
from tests.support.observability.log_lines import LogLines
from tests.support.operations.deployment import WORK, Deployment

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN = "44d2b02b-0161-4bbc-9b5a-42a68647bd83"


class Lambda:
    """Lambda, which takes every asynchronous call and leaves other calls to moto."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def invoke(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        return {"ResponseMetadata": {"RequestId": RUN}, "StatusCode": 202}


@pytest.fixture(autouse=True)
def functions(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Lambda:
    made, make = Lambda(), deployment.client
    monkeypatch.setattr(deployment, "client", lambda service: made if service == "lambda" else make(service))
    deployment.environments["JIRA_PROJECTS"] = "OPS,WEB"
    return made


def record(deployment: Deployment, key: str, minute: int = 0, *, body: object = None, **fields: Any) -> None:
    """Store a delivery of an issue."""
    store = IssueWriter(
        deployment.client("dynamodb"), ISSUES, history=timedelta(days=900), snapshots=Snapshots(), now=lambda: RECEIVED
    )
    stamp = Stamp(f"2026-03-01T12:{minute:02d}:00.000000Z", 1_772_366_400_000 + minute * 60_000, f"{key}@{minute}")
    recorded = IssueFields(**{"summary": f"{key} at {minute}", "status": "Done", **fields})
    store.record(Delivery(key, "1", stamp, "jira:issue_updated", recorded, snapshot=json.dumps(body or {})))


def test_without_a_filter_the_configured_projects_are_listed(deployment: Deployment, client: ConsoleClient) -> None:
    Watermarks(deployment.client("dynamodb"), OPERATIONS).advance("OPS", clock.utc_now() - timedelta(minutes=5))

    page = client.page("/issues")

    assert "OPS 5 minutes ago Issues of OPS WEB never Issues of WEB" in text_of(page)
    assert "/issues/projects/OPS" in page
    assert "/issues?project=WEB" in page


def test_a_key_leads_to_its_issue(client: ConsoleClient) -> None:
    assert client.get("/issues?key=ops-7").headers["Location"] == "/issues/OPS-7"


def test_issues_are_listed_by_project_status_and_assignee(deployment: Deployment, client: ConsoleClient) -> None:
    record(deployment, "OPS-1", assignee="ada")
    record(deployment, "OPS-2", status="To Do")
    record(deployment, "WEB-1", 1)

    assert [f"/issues/{key}" in client.page("/issues?project=ops") for key in ("OPS-1", "OPS-2", "WEB-1")] == [
        True,
        True,
        False,
    ]
    page = client.page("/issues?status=Done&project=OPS")
    assert "OPS-1" in page
    assert "OPS-2" not in page
    assert "issues list --project OPS --status Done" in text_of(page)
    assert "OPS-1" in client.page("/issues?assignee=ada")
    assert "No issue matches" in text_of(client.page("/issues?status=Closed"))


def test_the_next_page_goes_on_after_the_last_issue(deployment: Deployment, client: ConsoleClient) -> None:
    for number in range(1, 53):
        record(deployment, f"OPS-{number}", number)

    for query, last, first in (("project=OPS", "OPS-50", "OPS-51"), ("status=Done", "OPS-3", "OPS-2")):
        page = client.page(f"/issues?{query}")
        more = page.partition('<p class="pager"><a class="button" href="')[2].partition('"')[0].replace("&amp;", "&")
        assert f">{last}<" in page
        assert f">{first}<" not in page
        following = client.page(more)
        assert f">{first}<" in following
        assert f">{last}<" not in following
        assert "pager" not in following


def test_an_issue_shows_its_state_versions_commits_and_correlation(deployment: Deployment, client: ConsoleClient) -> None:
    record(deployment, "OPS-1", 1, status="To Do")
    record(deployment, "OPS-1", 2, fix_versions=("1.4", "2.0"), assignee="557058:ada", assignee_name="Ada")
    store = CorrelationStore(deployment.client("dynamodb"), ISSUES)
    commit = Commit("ab" * 20, "acme/app", "OPS-1 fix the door", clock.canonical(clock.utc_now()), ("OPS-1",))
    store.record_commits([commit])
    store.recompute("OPS-1")

    shown = text_of(client.page("/issues/OPS-1"))

    assert "Summary OPS-1 at 2 Status Done live Assignee Ada Fix versions 1.4, 2.0" in shown
    assert "matched, 1 commit, computed" in shown
    assert "abababababab acme/app" in shown
    assert "2026-03-01 05:01:00" in shown
    assert "python -m handlers.cli issues get OPS-1" in shown


def test_two_versions_are_compared_field_by_field(deployment: Deployment, client: ConsoleClient) -> None:
    record(deployment, "OPS-1", 1, status="To Do", body={"issue": {"fields": {"priority": {"name": "Low"}, "labels": ["a"]}}})
    record(deployment, "OPS-1", 2, body={"issue": {"fields": {"priority": {"name": "High"}, "labels": ["a"]}}})
    older, newer = "2026-03-01T12:01:00.000000Z", "2026-03-01T12:02:00.000000Z"

    for query in (f"first={older}&second={newer}", f"first={newer}&second={older}"):
        shown = text_of(client.page(f"/issues/OPS-1?{query}"))
        assert "status To Do Done" in shown
        assert "summary OPS-1 at 1 OPS-1 at 2" in shown
        assert "1 difference in Jira's JSON" in shown
        assert "fields.priority.name Low High" in shown
        assert f"issues diff OPS-1 {older} {newer}" in shown
    client.page(f"/issues/OPS-1?first={older}&second=HEAD", status=404)


def test_older_versions_are_on_the_next_page(deployment: Deployment, client: ConsoleClient) -> None:
    for minute in range(52):
        record(deployment, "OPS-1", minute)

    page = client.page("/issues/OPS-1")
    older = client.page("/issues/OPS-1?after=2026-03-01T12:02:00.000000Z")

    assert 'after=2026-03-01T12:02:00.000000Z" rel="next"' in page.replace("%3A", ":")
    assert "version=2026-03-01T12:01:00.000000Z" in older.replace("%3A", ":")
    assert "version=2026-03-01T12:02:00.000000Z" not in older.replace("%3A", ":")
    assert "pager" not in older


def test_a_move_links_both_keys(deployment: Deployment, client: ConsoleClient) -> None:
    item = {"field": "Key", "fieldtype": "jira", "fromString": "OPS-60", "toString": "DEV-60"}
    record(deployment, "DEV-60", body={"changelog": {"items": [item]}, "issue": {"key": "DEV-60"}})

    assert "OPS-60 became DEV-60" in text_of(client.page("/issues/DEV-60"))


def test_texts_of_strangers_are_escaped_and_masked(deployment: Deployment, client: ConsoleClient) -> None:
    for minute in (1, 2):
        record(
            deployment,
            "OPS-1",
            minute,
            summary=HOSTILE * minute,
            status=HOSTILE,
            assignee=HOSTILE,
            assignee_name=HOSTILE,
            fix_versions=(HOSTILE,),
            body={"issue": {"fields": {"summary": HOSTILE * minute, HOSTILE: minute}}},
        )
    store = CorrelationStore(deployment.client("dynamodb"), ISSUES)
    store.record_commits([Commit("ab" * 20, HOSTILE, HOSTILE, clock.canonical(clock.utc_now()), ("OPS-1",))])

    client.page("/issues/OPS-1?first=2026-03-01T12:01:00.000000Z&second=2026-03-01T12:02:00.000000Z")
    assert "[redacted]" in client.page("/issues/OPS-1?version=2026-03-01T12:01:00.000000Z")
    client.page("/issues?project=OPS")
    client.page(f"/issues?assignee={HOSTILE}&status={HOSTILE}")


def test_an_unknown_issue_is_not_found_and_a_malformed_key_is_refused(client: ConsoleClient) -> None:
    assert "OPS-404 is not stored" in text_of(client.page("/issues/OPS-404", status=404))
    client.page("/issues/x", status=400)
    client.page("/issues?project=OPS&after=x", status=400)
    client.page("/issues?status=Done&after=x", status=400)


def test_an_issue_is_fetched_again_by_the_worker(deployment: Deployment, client: ConsoleClient) -> None:
    logged = LogLines("console")
    record(deployment, "OPS-1")
    asked = text_of(client.page("/issues/OPS-1/fetch"))
    assert "Fetch OPS-1 from Jira again?" in asked
    assert "issues fetch OPS-1" in asked

    assert client.post("/issues/OPS-1/fetch").headers["Location"] == "/issues/OPS-1"

    sqs = deployment.client("sqs")
    [message] = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName=WORK)["QueueUrl"])["Messages"]
    task = read_task(message["Body"])
    assert task.fetch is not None
    assert (task.touched, task.fetch.issues) == (("OPS-1",), ("OPS-1",))
    assert task.fetch.idempotency_key in text_of(client.page("/issues/OPS-1"))
    [line] = logged.named("console_change")
    assert (line["action"], line["person"], line["issue_key"]) == ("issues.fetch", PERSON, "OPS-1")


def log_run(deployment: Deployment, message: str, **fields: Any) -> None:
    counts = {"issues_fetched": 12, "issues_updated": 2, "issues_unchanged": 10}
    about = {"project": "OPS", "mode": "full", "part": 1, "run_id": RUN, "correlation_id": RUN}
    deployment.log("reconciliation", message, **{**about, **counts, **fields})


def test_a_project_shows_its_watermark_counts_and_runs(deployment: Deployment, client: ConsoleClient) -> None:
    Watermarks(deployment.client("dynamodb"), OPERATIONS).advance("OPS", clock.utc_now() - timedelta(minutes=5))
    log_run(deployment, "project_reconciled", complete=True)
    log_run(deployment, "project_reconciled", project="WEB", issues_fetched=77)
    log_run(deployment, "reconciliation_refused", part=2, reason="too many are missing")
    log_run(deployment, "project_reconciled", part=2)

    page = client.page("/issues/projects/OPS")

    shown = text_of(page)
    assert "5 minutes ago ) are stored" in shown
    assert "12 issues when everything was compared" in shown
    assert "every issue 1 12 0 2 0 10 0 complete" in shown
    assert "every issue 2 12 0 2 0 10 0 incomplete too many are missing" in shown
    assert "77" not in shown
    assert f"/issues/projects/OPS/runs/{RUN}" in page


def test_a_project_without_runs_says_what_is_known(client: ConsoleClient) -> None:
    shown = text_of(client.page("/issues/projects/NEW"))

    assert "none: no run has compared what changed yet" in shown
    assert "it is not in jiraProjects" in shown
    assert "Look further back, or resync now." in shown


def test_a_resync_starts_after_a_question_and_is_followed(
    deployment: Deployment, client: ConsoleClient, functions: Lambda
) -> None:
    url = "/issues/projects/OPS/resync"
    asked = text_of(client.page(f"{url}?mode=full&dry_run=&max_deletes=7"))
    assert "Reconcile OPS?" in asked
    assert "up to 7 issues" in asked
    assert "reconcile --project OPS --full --max-deletes 7" in asked

    answer = client.post(url, data={"mode": "full", "dry_run": "", "max_deletes": "7"})

    assert answer.headers["Location"] == f"/issues/projects/OPS/runs/{RUN}"
    [call] = functions.calls
    assert call["InvocationType"] == "Event"
    assert json.loads(call["Payload"]) == {"full": True, "dry_run": False, "project": "OPS", "max_deletes": 7}
    assert "has not logged anything yet" in text_of(client.page(answer.headers["Location"]))
    log_run(deployment, "reconciliation_progress", pages=3, position=250)
    shown = text_of(client.page(answer.headers["Location"]))
    assert "The run is in progress." in shown
    assert "part 1, OPS-250, 3 pages of Jira's listing" in shown
    log_run(deployment, "reconciliation_refused", reason=HOSTILE)
    log_run(deployment, "project_reconciled", complete=False, changes=[f"updated {HOSTILE}"])
    log_run(deployment, "reconciliation_done")
    assert "The run has ended incomplete" in text_of(client.page(answer.headers["Location"]))


@pytest.mark.parametrize("limit", ["-1", "x", "1001", "99999999999"])
def test_a_malformed_limit_of_deletions_is_refused(client: ConsoleClient, functions: Lambda, limit: str) -> None:
    client.page(f"/issues/projects/OPS/resync?mode=full&max_deletes={limit}", status=400)

    assert functions.calls == []


@pytest.mark.parametrize("url", ["/issues/OPS-1/fetch", "/issues/projects/OPS/resync"])
def test_a_read_only_console_changes_nothing(deployment: Deployment, functions: Lambda, url: str) -> None:
    reader = console_client(deployment)

    assert "This console is read-only" in text_of(reader.page(url))
    assert reader.post(url).status_code in (403, 503)

    assert functions.calls == []
    sqs = deployment.client("sqs")
    assert "Messages" not in sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName=WORK)["QueueUrl"])
