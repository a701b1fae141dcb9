"""``python -m handlers.cli`` as a person runs it, against the local cloud: each command once, through every layer."""

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from click.testing import Result

from lib.platform import clock
from stack.local.standins.jira import Jira
from tests.integration.conftest import CLOUD_LEGACY
from tests.support.cloud import ROOT, Cloud, Inbox, until
from tests.support.operations.command_line import person, run_command
from tests.support.web.standins import Served, put_issue

LEGACY = "legacy-of-the-command-line"


def run(cloud: Cloud, *arguments: str) -> Result:
    """Run a command on the local cloud, whose ready line it reads from standard input."""
    ready = {"http_url": cloud.http_url, "aws_url": cloud.aws_url, "region": cloud.region, "outputs": cloud.outputs}
    # A profile that is not there: what the local cloud says is all that counts.
    environment = person() | {"AWS_PROFILE": "none-such"}
    return run_command(["--outputs", "-", *arguments], environment=environment, typed=json.dumps(ready) + "\n")


def put_legacy(cloud: Cloud, items: Sequence[Mapping[str, str]], table: str = LEGACY) -> None:
    dynamodb = cloud.client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "issue_key", "KeyType": "HASH"},
            {"AttributeName": "updated_at", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "issue_key", "AttributeType": "S"},
            {"AttributeName": "updated_at", "AttributeType": "S"},
        ],
    )
    for item in items:
        dynamodb.put_item(TableName=table, Item={name: {"S": value} for name, value in item.items()})


def put_dead_letter(cloud: Cloud, entry_point: str, body: Mapping[str, Any]) -> str:
    """A message as Lambda or SQS would leave it; the queue's URL."""
    sqs = cloud.client("sqs")
    url: str = sqs.get_queue_url(QueueName=cloud.outputs["dead_letter_queues"][entry_point][0])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    return url


def is_empty(cloud: Cloud, url: str) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return {attributes[name] for name in names} == {"0"}


def test_health_runs_the_health_functions_checks(cloud: Cloud) -> None:
    done = run(cloud, "health", "--json")

    assert (done.exit_code, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert {check["name"]: check["status"] for check in report["checks"]} == {
        "lease_table": "ok",
        "jira_issues_table": "ok",
        "operations_table": "ok",
        "shuttle_table": "ok",
        "secrets": "ok",
        "jira": "ok",
    }


def test_the_exported_names_select_the_local_cloud(cloud: Cloud) -> None:
    done = run(cloud, "names")
    assert done.exit_code == 0, done.stderr

    script = f"{done.stdout}\n{sys.executable} -m handlers.cli health --json && echo $EP $JIRA_WORK_QUEUE_URL"
    shell = subprocess.run(
        ["sh", "-c", script], cwd=ROOT, env=person(), capture_output=True, text=True, timeout=120, check=False
    )

    assert shell.returncode == 0, shell.stderr
    assert json.loads(shell.stdout.splitlines()[0])["status"] == "ok"
    assert shell.stdout.splitlines()[1].startswith(f"--endpoint-url={cloud.aws_url} {cloud.aws_url}/")
    assert "/jira-work-" in shell.stdout


def put_lease_event(cloud: Cloud) -> tuple[str, str]:
    """Put a lease event among the dead letters of the notification function; its id, and the queue."""
    event_id = str(uuid.uuid4())
    event = {
        "id": event_id,
        "source": "InnovationSandbox-test",
        "detail-type": "LeaseApproved",
        "time": clock.canonical(clock.utc_now()),
        "detail": {"leaseId": event_id, "userEmail": "grace@sandbox.example"},
    }
    error = {"errorType": "UnavailableError", "errorMessage": "not sent on sns"}
    context = {"condition": "RetriesExhausted", "approximateInvokeCount": 3}
    return event_id, put_dead_letter(
        cloud, "notification", {"requestContext": context, "requestPayload": event, "responsePayload": error}
    )


def test_an_operator_sees_a_dead_letter_in_status_and_traces_its_event(cloud: Cloud, inbox: Inbox) -> None:
    event_id, _ = put_lease_event(cloud)

    status = run(cloud, "status", "--json")
    before = run(cloud, "trace", event_id)
    sent = run(cloud, "redrive", "--function", "notification", "--yes")
    inbox.wait_for_event(event_id)
    until(lambda: "lease_event" in run(cloud, "logs", event_id).stdout)
    after = run(cloud, "trace", event_id)

    assert status.exit_code == 1, status.stderr
    letters = [each for each in json.loads(status.stdout)["findings"] if each["part"] == "dead letters"]
    assert any("not sent on sns" in each["text"] for each in letters)
    assert {each["status"] for each in json.loads(status.stdout)["findings"]} <= {"ok", "attention"}
    assert "UnavailableError: not sent on sns (3 attempts)" in before.stdout
    assert sent.exit_code == 0, sent.stderr
    assert "dead letter" not in after.stdout
    assert "notification_sent" in after.stdout
    assert "lease_event" in after.stdout
    assert "grace" not in before.stdout + after.stdout


def test_reconcile_stores_what_jira_has_and_issues_shows_it(cloud: Cloud, jira: Served[Jira]) -> None:
    key = put_issue(jira, "CLIR", summary="Rack seven wants power")

    dry = run(cloud, "reconcile", "--project", "CLIR", "--full", "--dry-run")
    before = run(cloud, "issues", "get", key)
    real = run(cloud, "reconcile", "--project", "CLIR", "--full")
    after = run(cloud, "issues", "get", key, "--json")
    listed = run(cloud, "issues", "list", "--project", "CLIR")
    history = run(cloud, "issues", "history", key, "--json")

    assert (dry.exit_code, real.exit_code) == (0, 0), dry.stderr + real.stderr
    assert "nothing was written" in dry.stdout
    assert (before.exit_code, before.stderr) == (1, f"Error: {key} is not stored\n")
    assert "complete" in real.stdout
    assert json.loads(after.stdout)["summary"] == "Rack seven wants power"
    assert key in listed.stdout
    assert [json.loads(line)["issue_key"] for line in history.stdout.splitlines()] == [key]


def test_reconcile_of_an_unknown_project_is_refused(cloud: Cloud) -> None:
    done = run(cloud, "reconcile", "--project", "NONESUCH", "--full")

    assert done.exit_code == 1
    assert "Refused: NONESUCH: " in done.stdout


def test_backfill_copies_a_legacy_table_and_prune_counts_the_superseded(cloud: Cloud, tmp_path: Any) -> None:
    days = ("2025-01-01T10:00:00Z", "2025-01-02T03:00:00-07:00", "2025-01-03T10:00:00.5Z")
    put_legacy(cloud, [{"issue_key": f"CLIB-{number}", "updated_at": day} for number in range(1, 41) for day in days])
    options = ("--from-table", LEGACY, "--segments", "3", "--checkpoint", str(tmp_path / "checkpoint.json"))

    done = run(cloud, "backfill", *options)
    resumed = run(cloud, "backfill", *options, "--resume")
    again = run(cloud, "backfill", *options)
    pruned = run(cloud, "prune", "--older-than", "0d", "--dry-run")  # other tests' history stays
    history = run(cloud, "issues", "history", "CLIB-7", "--json")

    assert done.exit_code == 0, done.stderr
    assert "Compared 120 rows with the stored issues. Issues missing or older than their row: 0." in done.stdout
    assert resumed.exit_code == 0, "with nothing left to do it still compares"
    assert again.exit_code == 0
    assert "│ duplicate  │   120 │" in again.stdout
    assert pruned.exit_code == 0, pruned.stderr
    assert int(pruned.stdout.split(" ", 1)[0]) >= 80
    left = [json.loads(line)["updated_at"] for line in history.stdout.splitlines()]
    assert left == ["2025-01-03T03:00:00.500-07:00", "2025-01-02T03:00:00.000-07:00", "2025-01-01T03:00:00.000-07:00"]


def test_a_backfill_in_the_cloud_is_handed_on_and_compared(cloud: Cloud) -> None:
    """With a minute and a second in all, no invocation has time for more than a second's rows. One row can't be read, one is
    large, and one leaves a fix version."""
    client, large = cloud.client("dynamodb"), json.dumps({"id": "1", "fields": {"summary": "x" * 380_000}})
    day, later = "2025-01-03T10:00:00Z", "2025-01-04T10:00:00Z"
    rows = [{"issue_key": f"CLOUD-{number}", "updated_at": day} for number in range(1, 301)]
    rows += [{"issue_key": "CLOUD-1", "updated_at": later, "raw": large}, {"issue_key": "CLOUD-3", "updated_at": "unknown"}]
    put_legacy(cloud, rows, CLOUD_LEGACY)
    for moment, versions in ((day, ("1", "2")), (later, ("1",))):
        left = {"issue_key": {"S": "CLOUD-2"}, "updated_at": {"S": moment}, "fix_versions": {"SS": list(versions)}}
        client.put_item(TableName=CLOUD_LEGACY, Item=left)

    with cloud.deployed("backfill", Timeout=61):
        done = run(cloud, "backfill", "--in-cloud", "start", "--segments", "2", "--json", "--writes-per-second", "100000")

    assert done.exit_code == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["state"], result["segments_done"], result["behind"]) == ("done", 2, 0)
    assert (result["scanned"], result["compared"], result["skipped"]) == (303, 302, 1)
    assert [reason.split(":")[0] for reason in result["skipped_rows"]] == ["CLOUD-3 unknown"]
    outcomes = [record["outcome"] for record in cloud.log_records("backfill") if record.get("message") == "backfill_part"]
    assert "continued" in outcomes
    history = run(cloud, "issues", "history", "CLOUD-2", "--json")
    assert len(history.stdout.splitlines()) == 2


def test_redrive_sends_an_event_to_its_function_again(cloud: Cloud, inbox: Inbox) -> None:
    event_id, url = put_lease_event(cloud)

    look = run(cloud, "redrive", "--function", "notification", "--dry-run")
    sent = run(cloud, "redrive", "--function", "notification", "--yes")

    assert look.exit_code == 0
    assert "UnavailableError: not sent on sns" in look.stdout
    assert "grace" not in look.stdout
    assert (sent.exit_code, sent.stdout.splitlines()[-1]) == (0, "1 sent back, 0 left."), sent.stderr
    inbox.wait_for_event(event_id)
    assert is_empty(cloud, url)


def test_redrive_sends_a_task_to_the_workers_queue_again(cloud: Cloud, jira: Served[Jira]) -> None:
    key = put_issue(jira, "CLIW", summary="Correlate me")
    url = put_dead_letter(cloud, "jira_worker", {"kind": "jira", "touched": [key], "fetch": None})

    done = run(cloud, "redrive", "--function", "jira_worker", "--yes")

    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "1 sent back, 0 left."), done.stderr
    row = {"issue_key": {"S": key}, "updated_at": {"S": "CORRELATION"}}
    table = cloud.outputs["jira_issues_table_name"]
    until(lambda: cloud.client("dynamodb").get_item(TableName=table, Key=row, ConsistentRead=True).get("Item"))
    assert is_empty(cloud, url)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("issues", "get", "nothing"), 2, "Invalid value for 'KEY': 'nothing' is not an issue key."),
        (("backfill", "--from-table", "none-such"), 1, "could not read the table none-such: ResourceNotFoundException"),
    ],
)
def test_errors_are_one_sentence_and_an_exit_code(cloud: Cloud, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    done = run(cloud, *arguments)

    assert (done.exit_code, done.stdout, done.stderr) == (code, "", f"Error: {sentence}\n")


def test_a_stopped_cloud_is_an_error(cloud: Cloud) -> None:
    gone = Cloud(cloud.process, cloud.http_url, "http://127.0.0.1:9", cloud.region, cloud.outputs, [])

    done = run(gone, "issues", "list", "--project", "OPS")

    assert (done.exit_code, done.stderr) == (1, "Error: could not list issues: no connection (EndpointConnectionError)\n")
