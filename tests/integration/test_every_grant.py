"""The rarer paths that grants are there for: schedules, failures that end in a queue, clearing up, large snapshots.

Together with the other tests they use every grant; the report at the end of a whole run says so (docs/security.md).
"""

import json
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from lib.shuttle.catalogue.pruning import prune
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.entities import to_item
from lib.shuttle.imports.files import S3Objects
from lib.shuttle.jobs.job import JobKind
from stack.local.standins.jira import Jira
from tests.integration.conftest import JIRA_SECRET
from tests.support.approvals.cloud import ApprovalsCloud
from tests.support.aws.role_session import RoleSession
from tests.support.cloud import LOG_LOOKS, Cloud, until
from tests.support.jira.bodies import SENT
from tests.support.shuttle.api import ShuttleApi
from tests.support.shuttle.queries import a_job
from tests.support.web.standins import Served, put_issue


def health_reports(cloud: Cloud) -> list[dict[str, Any]]:
    return [record for record in cloud.log_records("health") if record.get("message") == "health_report"]


def deliver(cloud: Cloud, key: str, moment: datetime, **fields: Any) -> str:
    """Send the issue as of ``moment`` as Jira's webhook does; what became of it."""
    base = {"summary": "s", "status": {"name": "Done"}, "updated": moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
    issue = {"id": str(10_000 + int(key.rpartition("-")[2])), "key": key, "fields": base | fields}
    body = {"timestamp": int(moment.timestamp() * 1000), "webhookEvent": "jira:issue_updated", "issue": issue}
    answer = cloud.post_signed("/webhooks/jira", body, JIRA_SECRET, str(uuid.uuid4()))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["status"])


def deliver_a_comment(cloud: Cloud, key: str) -> None:
    """A webhook that names an issue without its state, so that the worker asks Jira."""
    issue = {"id": "1", "key": key, "fields": {"summary": "few"}}
    comment = {"timestamp": SENT, "webhookEvent": "comment_created", "issue": issue}
    cloud.post_signed("/webhooks/jira", comment, JIRA_SECRET, str(uuid.uuid4()))


def rows(cloud: Cloud, key: str) -> dict[str, dict[str, Any]]:
    answer = cloud.client("dynamodb").query(
        TableName=cloud.outputs["jira_issues_table_name"],
        KeyConditionExpression="issue_key = :key",
        ExpressionAttributeValues={":key": {"S": key}},
        ConsistentRead=True,
    )
    return {item["updated_at"]["S"]: item for item in answer["Items"]}


def hints(cloud: Cloud, key: str) -> list[str]:
    """The rows by which an issue is found under its fix versions but the first."""
    return [name.partition("#")[2] for name, item in rows(cloud, key).items() if "fix_version" in item and name != "HEAD"]


def test_every_schedule_starts_its_function_by_the_schedulers_role(cloud: Cloud, jira: Served[Jira]) -> None:
    """This local cloud runs no schedule: this is what EventBridge Scheduler would do."""
    key = put_issue(jira, "SWEEP")
    scheduler = cloud.client("scheduler")
    schedules = scheduler.list_schedules()["Schedules"]
    assert len(schedules) == 5

    for each in schedules:
        target = scheduler.get_schedule(Name=each["Name"], GroupName=each["GroupName"])["Target"]
        invoke = RoleSession(cloud, target["RoleArn"]).client("lambda").invoke
        answer = invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=target["Input"].encode())
        assert answer["StatusCode"] == 202

    report = until(lambda: health_reports(cloud), 60, every=LOG_LOOKS)[-1]
    assert report["status"] == "ok", report
    until(lambda: rows(cloud, key), 60)


def test_an_event_that_a_function_can_not_read_ends_in_its_own_queue(cloud: Cloud) -> None:
    marker = str(uuid.uuid4())
    functions = ("reconciliation", "imports", "health")
    for function in functions:
        cloud.invoke(function, {"what": "nobody knows", "marker": marker}, kind="Event")

    for function in functions:
        letter = until(partial(cloud.take_dead_letters, f"{function}-failures"), 30)[0]
        assert letter["requestPayload"]["marker"] == marker
        assert letter["requestContext"]["condition"] == "RetriesExhausted"


def test_an_event_for_a_missing_function_is_a_dead_letter_of_the_rule(cloud: Cloud) -> None:
    events, bus = cloud.client("events"), cloud.outputs["event_bus_name"]
    [rule] = [each["Name"] for each in events.list_rules(EventBusName=bus)["Rules"]]
    [target] = events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
    gone = {**target, "Id": "gone", "Arn": f"{target['Arn']}-gone"}

    events.put_targets(Rule=rule, EventBusName=bus, Targets=[gone])
    try:
        sent = cloud.put_event("LeaseExpired", {})
    finally:
        events.remove_targets(Rule=rule, EventBusName=bus, Ids=["gone"])

    [letter] = until(lambda: cloud.take_dead_letters("lease-events-dead-letters"))
    assert letter["id"] == sent


def test_an_issue_that_leaves_a_fix_version_is_no_longer_found_under_it(cloud: Cloud) -> None:
    key, noon = "LEAVES-1", datetime(2026, 3, 1, 12, tzinfo=UTC)
    deliver(cloud, key, noon, fixVersions=[{"name": "1.0"}, {"name": "2.0"}])
    assert hints(cloud, key) == ["2.0"]

    deliver(cloud, key, noon + timedelta(minutes=1), fixVersions=[])

    assert hints(cloud, key) == []


def test_the_worker_finds_in_jira_that_an_issue_has_left_a_fix_version(cloud: Cloud, jira: Served[Jira]) -> None:
    key = put_issue(jira, "LEFT")
    deliver(cloud, key, datetime(2026, 3, 1, 12, tzinfo=UTC), fixVersions=[{"name": "1.0"}, {"name": "2.0"}])
    assert hints(cloud, key) == ["2.0"]

    deliver_a_comment(cloud, key)

    until(lambda: not hints(cloud, key), 30)


def test_reconciliation_finds_that_an_issue_has_left_a_fix_version(cloud: Cloud, jira: Served[Jira]) -> None:
    key = put_issue(jira, "GONE")
    deliver(cloud, key, datetime(2026, 3, 1, 12, tzinfo=UTC), fixVersions=[{"name": "1.0"}, {"name": "2.0"}])
    assert hints(cloud, key) == ["2.0"]

    answer = cloud.invoke("reconciliation", {"project": "GONE", "full": True})

    assert answer["error"] is None, answer
    assert hints(cloud, key) == []


def test_a_sweep_that_outlasts_one_invocation_calls_its_function_again(cloud: Cloud, jira: Served[Jira]) -> None:
    """With a minute in all, what is left after the first page is too little for a second one."""
    jira.app.seed("LONG", 150)
    with cloud.deployed("reconciliation", Timeout=60):
        answer = cloud.invoke("reconciliation", {"project": "LONG", "full": True})
        assert [project["continued"] for project in answer["payload"]["projects"]] == [True], answer

        until(lambda: rows(cloud, "LONG-150"), 60)


def test_a_snapshot_too_large_for_a_row_goes_to_the_bucket(cloud: Cloud, jira: Served[Jira]) -> None:
    """Of what is asked of Jira, only the fix versions can be many."""
    versions = [f"{number:03}".ljust(990, "x") for number in range(200)]
    fetched, swept = put_issue(jira, "LARGE", fix_versions=versions), put_issue(jira, "HUGE", fix_versions=versions)

    def has_snapshot(key: str) -> bool:
        bucket = cloud.outputs["artifact_bucket_name"]
        return cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"snapshots/{key}/")["KeyCount"] == 1

    deliver_a_comment(cloud, fetched)
    answer = cloud.invoke("reconciliation", {"project": "HUGE", "full": True})

    assert answer["error"] is None, answer
    assert has_snapshot(swept)
    until(lambda: has_snapshot(fetched), 60)


def test_a_missing_file_is_distinct_from_an_unreadable_one(cloud: Cloud) -> None:
    """S3 says 404 only to a role that may list the bucket, and 403 to any other."""
    shop = ShuttleApi(cloud).shop()
    job_id = shop.order(100)["job"]["job_id"]
    body = json.dumps({"Records": [{"s3": {"object": {"key": f"uploads/{shop.domain}/{job_id}"}}}]})

    sqs = cloud.client("sqs")
    queue = next(url for url in sqs.list_queues()["QueueUrls"] if "/shuttle-jobs-" in url and "dead" not in url)

    sqs.send_message(QueueUrl=queue, MessageBody=body)

    job = shop.ended(job_id)
    assert (job["status"], job["failure"]) == ("FAILED", "UPLOAD_MISSING"), job


def test_the_worker_may_delete_the_objects_of_versions_that_are_not_kept(cloud: Cloud) -> None:
    """It deletes what is older than a day, which nothing in this cloud is."""
    shop = ShuttleApi(cloud).shop()
    shop.run(b"sku,price,stock\nA1,9.50,3\n")
    bucket, left = cloud.outputs["import_bucket_name"], f"catalogue/{shop.domain}/left-by-a-crash"
    cloud.client("s3").put_object(Bucket=bucket, Key=left, Body=b"")
    role = RoleSession.of_function(cloud, "imports")
    catalogues = CatalogueStore(role.client("dynamodb"), cloud.outputs["shuttle_table_name"])

    deleted = prune(
        catalogues, S3Objects(role.client("s3"), bucket), shop.domain, lambda: datetime.now(UTC) + timedelta(days=2)
    )

    assert deleted == 1
    assert shop.call("GET", "catalogue").json()["catalogue"]["version"] == 1


def test_the_sweep_starts_an_export_whose_message_was_lost(cloud: Cloud) -> None:
    shop = ShuttleApi(cloud).shop()
    made_at = datetime.now(UTC) - timedelta(minutes=15)
    times: dict[str, Any] = {"status_since": made_at, "created_at": made_at, "expires_at": made_at + timedelta(days=90)}
    job = a_job(domain=shop.domain, kind=JobKind.EXPORT, mode=None, **times)
    cloud.client("dynamodb").put_item(TableName=cloud.outputs["shuttle_table_name"], Item=to_item(job))

    cloud.invoke("imports", {"mode": "sweep"})

    ended = shop.ended(job.job_id)
    assert (ended["status"], ended["failure"]) == ("FAILED", "NO_CATALOGUE"), ended


def test_the_bot_that_posts_previews_announces_leases_too(approvals: ApprovalsCloud) -> None:
    detail = {"leaseId": {"userEmail": "ada@sandbox.example", "uuid": str(uuid.uuid4())}}
    event = {"id": str(uuid.uuid4()), "detail-type": "LeaseExpired", "source": "x", "detail": detail}

    before = len(approvals.posts())
    answer = approvals.cloud.invoke("notification", event)

    assert answer["payload"]["channels"]["slack"] == "sent", answer
    assert len(approvals.posts()) == before + 1
