"""Status finds each thing that needs a person, says since when, and reads without a trace."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lib.jira.reconciliation.watermarks import Watermarks
from lib.operations.findings import Finding, Status, Verdict, duration
from lib.operations.status import StatusReader
from lib.platform import clock, errors
from lib.platform.contract import ALARM_TOPIC_OUTPUTS
from lib.shuttle import keys
from lib.shuttle.entities import BillingState, Shop
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from tests.support.aws.moto_inside import OPERATIONS, SHOPS
from tests.support.operations.deployment import FAILURES, WORK, WORK_DEAD_LETTERS, Deployment
from tests.support.shuttle.builders import an_order


def read(deployment: Deployment, later: timedelta = timedelta()) -> Status:
    return StatusReader(deployment, now=lambda: clock.utc_now() + later).read()


def texts(status: Status, part: str) -> list[tuple[str, str]]:
    return [(finding.verdict.value, finding.text) for finding in status.findings if finding.part == part]


def only(status: Status, part: str) -> Finding:
    [finding] = [finding for finding in status.findings if finding.part == part]
    return finding


def test_nothing_of_an_empty_deployment_needs_a_person(deployment: Deployment) -> None:
    status = read(deployment)

    assert not status.needs_person
    assert texts(status, "alarms") == [("ok", "none is on")]
    assert texts(status, "dead letters") == [("ok", "none")]
    assert texts(status, "queues") == [("ok", "jira-work: 0 messages waiting")]
    assert texts(status, "drafts") == [("ok", "none waits, is stuck or failed")]
    assert texts(status, "jobs") == [("ok", "none is stale")]
    assert texts(status, "projects") == [("ok", "none is reconciled")]


def test_dead_letters_have_count_age_and_reason_and_stay(deployment: Deployment) -> None:
    record = {
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": {"id": "e-1"},
        "responsePayload": {"errorType": "UnavailableError", "errorMessage": "ada@example.com is unknown"},
    }
    deployment.send(FAILURES, record)
    deployment.send(FAILURES, record)

    first, second = read(deployment), read(deployment)

    assert first.needs_person
    for status in (first, second):
        finding = only(status, "dead letters")
        assert finding.values["messages"] == 2
        assert finding.text.startswith("notification-failures: 2, the oldest ")
        assert "UnavailableError: email:" in finding.text
        assert "ada" not in finding.text
        assert finding.command == "redrive --function notification --dry-run"


def test_a_dead_letter_of_a_work_queue_has_the_reason_that_was_logged(deployment: Deployment) -> None:
    deployment.send(WORK_DEAD_LETTERS, "{}")
    unexplained = only(read(deployment), "dead letters")
    sqs = deployment.client("sqs")
    [message] = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName=WORK_DEAD_LETTERS)["QueueUrl"], VisibilityTimeout=0)[
        "Messages"
    ]
    about = {"message_id": message["MessageId"], "error": "PermanentError", "error_text": "ada@example.com is unknown"}
    deployment.log("jira_worker", "task_failed", level="ERROR", **about)

    explained = only(read(deployment), "dead letters")

    assert unexplained.text.endswith("the function failed on it too often; its log says why")
    assert "task_failed: PermanentError: email:" in explained.text


def test_messages_that_wait_are_counted_and_none_is_received(deployment: Deployment) -> None:
    deployment.send(WORK, "{}")

    status = read(deployment)

    assert texts(status, "queues") == [("ok", "jira-work: 1 message waiting")]
    sqs = deployment.client("sqs")
    url = sqs.get_queue_url(QueueName=WORK)["QueueUrl"]
    [message] = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1", "a sixth delivery would make it a dead letter"


@pytest.mark.parametrize(("age", "verdict"), [(901.0, "attention"), (900.0, "ok")])
def test_an_old_message_of_a_work_queue_needs_a_person(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, age: float, verdict: str
) -> None:
    deployment.send(WORK, "{}")
    monkeypatch.setattr(StatusReader, "_oldest_message_seconds", lambda *_: age)

    assert texts(read(deployment), "queues") == [(verdict, "jira-work: 1 message waiting, the oldest 15 minutes old")]


TOPICS = {name: f"arn:aws:sns:us-west-2:123456789012:{name}" for name in ALARM_TOPIC_OUTPUTS}


@pytest.mark.parametrize(
    ("outputs", "topic"),
    [({}, TOPICS[ALARM_TOPIC_OUTPUTS[0]]), *((TOPICS, topic) for topic in TOPICS.values())],
    ids=["by its text", *TOPICS],
)
def test_alarms_of_this_deployment_that_are_on_are_listed(deployment: Deployment, outputs: dict[str, str], topic: str) -> None:
    deployment.outputs = {**deployment.outputs, **outputs}
    cloudwatch = deployment.client("cloudwatch")
    ours = {
        "AlarmActions": [topic],
        "AlarmDescription": "It failed.\nFirst: python -m handlers.cli --stack prod health\nRunbook: https://docs.example.com/x.md",
    }
    for name, about in {"health-errors-0a1b2c3": ours, "quiet-0a1b2c3": ours, "of-another-system": {}}.items():
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            MetricName="m",
            Namespace="n",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            Statistic="Sum",
            ComparisonOperator="GreaterThanThreshold",
            **about,
        )
        if name != "quiet-0a1b2c3":
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")

    finding = only(read(deployment), "alarms")

    assert finding.verdict is Verdict.ATTENTION
    assert finding.text.startswith("health-errors, for ")
    assert finding.text.endswith(": It failed")
    assert finding.command == "--stack prod health"
    assert finding.values["runbook"] == "https://docs.example.com/x.md"


def test_each_schedule_has_its_last_success(deployment: Deployment) -> None:
    deployment.schedule("health", "health")
    deployment.schedule("shuttle-sweep", "imports")
    deployment.schedule("reminders", "approvals")
    deployment.schedule("changes", "reconciliation", state="DISABLED")
    deployment.log("health", "health_report", checks={"jira": "ok"}, ago=timedelta(minutes=3))
    deployment.log("imports", "jobs_swept", ago=timedelta(minutes=70))

    found = dict(text.split(": ", 1)[::-1] for _, text in texts(read(deployment), "schedules"))
    by_name = {name: text for text, name in found.items()}

    assert by_name == {
        "health": "last success 3 minutes ago",
        "shuttle-sweep": "last success 70 minutes ago",
        "reminders": "on",
        "changes": "somebody disabled it",
    }
    assert read(deployment).needs_person, "the sweep should run every 15 minutes"


def test_a_run_that_refused_something_is_not_a_success(deployment: Deployment) -> None:
    deployment.schedule("sweep", "reconciliation")
    deployment.log("reconciliation", "reconciliation_done", mode="full", refused=0, ago=timedelta(hours=25))
    deployment.log("reconciliation", "reconciliation_done", mode="changes", refused=0, ago=timedelta(minutes=5))
    before = only(read(deployment), "schedules")
    deployment.log("reconciliation", "reconciliation_done", mode="full", refused=2, ago=timedelta(hours=1, seconds=5))
    deployment.log("reconciliation", "reconciliation_done", mode="full", refused=0, dry_run=True)
    after = only(read(deployment), "schedules")

    assert (before.verdict, before.text) == (Verdict.OK, "sweep: last success 25 hours ago")
    assert after.verdict is Verdict.ATTENTION
    assert after.text == "sweep: last success 25 hours ago; the run 60 minutes ago refused something"
    assert after.command == "logs --function reconciliation --since 52h --level WARNING"


def test_a_schedule_that_never_ran_needs_a_person_once_it_is_due(deployment: Deployment) -> None:
    deployment.schedule("health", "health")

    new, due = only(read(deployment), "schedules"), only(read(deployment, later=timedelta(minutes=16)), "schedules")

    assert (new.verdict, new.text) == (Verdict.OK, "health: no run yet, and not due")
    assert (due.verdict, due.text) == (Verdict.ATTENTION, "health: no success in the last 30 minutes")


def test_a_first_run_that_refused_something_is_not_said_to_be_missing(deployment: Deployment) -> None:
    deployment.schedule("changes", "reconciliation")
    deployment.log("reconciliation", "reconciliation_done", mode="changes", refused=1, ago=timedelta(minutes=6, seconds=5))

    finding = only(read(deployment), "schedules")

    assert finding.text == "changes: no successful run yet; the run 6 minutes ago refused something"


@pytest.mark.parametrize(
    ("output", "parts"), [("dead_letter_queues", ("dead letters", "queues")), ("functions", ("schedules",))]
)
@pytest.mark.parametrize(
    ("value", "problem"), [(None, "is missing from"), ("x", "does not have the form"), (["x"], "does not")]
)
def test_what_the_outputs_lack_is_unknown(
    deployment: Deployment, output: str, parts: tuple[str, ...], value: object, problem: str
) -> None:
    deployment.outputs = {**deployment.outputs, output: value}

    status = read(deployment)

    for part in parts:
        assert only(status, part).verdict is Verdict.UNKNOWN
        assert only(status, part).text.startswith(f"can't be read: {output} ")
        assert problem in only(status, part).text


def test_a_disabled_schedule_needs_a_person(deployment: Deployment) -> None:
    deployment.schedule("health", "health", state="DISABLED")
    deployment.log("health", "health_report", checks={"jira": "ok"}, ago=timedelta(minutes=3))

    finding = only(read(deployment), "schedules")

    assert (finding.verdict, finding.text) == (Verdict.ATTENTION, "health: somebody disabled it")


def test_drafts_that_wait_are_stuck_or_failed_are_listed(deployment: Deployment) -> None:
    now = clock.utc_now()
    deployment.put_session("waits-longest", "preview", now - timedelta(days=3))
    deployment.put_session("waits", "preview", now)
    deployment.put_session("stuck", "creating", now - timedelta(minutes=31))
    deployment.put_session("is-being-created", "creating", now - timedelta(minutes=1))
    deployment.put_session("unclear", "unknown", now - timedelta(hours=5))
    deployment.put_session("failed", "failed", now - timedelta(days=2, minutes=1))
    deployment.put_session("failed-long-ago", "failed", now - timedelta(days=15))
    deployment.put_session("done", "created", now)

    assert texts(read(deployment), "drafts") == [
        ("ok", "session waits-longest has waited for a decision for 3 days; and 1 more"),
        ("attention", "session stuck has been stuck for 31 minutes while its issue is created"),
        ("attention", "session unclear may have an issue or not: Jira gave no clear answer 5 hours ago"),
        ("attention", "session failed failed 2 days ago"),
    ]


def test_old_failed_drafts_do_not_hide_a_new_one(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.operations.status.MOST_LISTED", 2)
    for number in range(3):
        deployment.put_session(f"failed-long-ago-{number}", "failed", clock.utc_now() - timedelta(days=15))
    deployment.put_session("failed", "failed", clock.utc_now() - timedelta(hours=3))

    assert texts(read(deployment), "drafts") == [("attention", "session failed failed 3 hours ago")]


def test_a_job_that_the_sweep_should_have_failed_is_stale(deployment: Deployment) -> None:
    client = deployment.client("dynamodb")
    now = clock.utc_now() - timedelta(hours=24, minutes=20)
    shop = Shop(shop_domain="teapots.example.com", plan=Plan.LARGE, billing_state=BillingState.ACTIVE, installed_at=now)
    Registry(client, SHOPS).install(shop)
    job = Jobs(client, SHOPS, lambda: now).create("teapots.example.com", an_order())

    assert texts(read(deployment), "jobs") == [("ok", "none is stale")]
    [(verdict, text)] = texts(read(deployment, later=timedelta(minutes=11)), "jobs")

    assert verdict == "attention"
    assert text == f"{job.job_id} of teapots.example.com is QUEUED for 24 hours: the sweep should have failed it"


def test_a_stale_job_of_a_later_release_is_named_and_hides_no_other(deployment: Deployment) -> None:
    client, now = deployment.client("dynamodb"), clock.utc_now() - timedelta(hours=25)
    shop = Shop(shop_domain="teapots.example.com", plan=Plan.LARGE, billing_state=BillingState.ACTIVE, installed_at=now)
    Registry(client, SHOPS).install(shop)
    later, other = (Jobs(client, SHOPS, lambda: now).create(shop.shop_domain, an_order()).job_id for _ in range(2))
    key = keys.job(shop.shop_domain, later).attributes()
    client.update_item(
        TableName=SHOPS,
        Key=key,
        UpdateExpression="SET Kind = :later",
        ExpressionAttributeValues={":later": {"S": "MERGE"}},
    )

    (first, stale), (second, unread) = texts(read(deployment), "jobs")

    assert (first, second) == ("attention", "unknown")
    assert stale.startswith(f"{other} of teapots.example.com is QUEUED")
    assert unread.startswith(f"the row SHOP#teapots.example.com JOB#{later} can't be read: ")


def test_a_project_whose_watermark_is_late_is_named(deployment: Deployment) -> None:
    deployment.environments["JIRA_PROJECTS"] = "OPS,WEB,NEW"
    watermarks = Watermarks(deployment.client("dynamodb"), OPERATIONS)
    watermarks.advance("OPS", clock.utc_now() - timedelta(minutes=10))
    watermarks.advance("WEB", clock.utc_now() - timedelta(minutes=125))

    status = read(deployment)

    assert texts(status, "projects") == [
        ("ok", "OPS: all changes in Jira up to 10 minutes ago are stored"),
        ("attention", "WEB: all changes in Jira up to 2 hours ago are stored"),
        ("ok", "NEW: its changes in Jira have not been read yet"),
    ]
    assert [finding.command for finding in status.findings if finding.command] == ["reconcile --project WEB"]


def test_the_newest_health_report_names_the_checks_that_failed(deployment: Deployment) -> None:
    deployment.log("health", "health_report", checks={"jira": "failed", "secrets": "failed"}, ago=timedelta(minutes=3))
    deployment.log("health", "health_report", checks={"jira": "failed", "secrets": "ok"}, ago=timedelta(minutes=2))

    assert texts(read(deployment), "health") == [("attention", "failed: jira, 2 minutes ago")]


def test_what_cannot_be_read_is_reported_and_the_rest_is_shown(deployment: Deployment) -> None:
    client: Callable[[str], Any] = deployment.client

    def refuse(service: str) -> Any:
        if service == "cloudwatch":
            raise errors.AccessDeniedError("could not list the alarms: AccessDenied")
        return client(service)

    deployment.client = refuse

    status = read(deployment)

    assert status.needs_person
    assert texts(status, "alarms") == [("unknown", "can't be read: could not list the alarms: AccessDenied")]
    assert texts(status, "drafts") == [("ok", "none waits, is stuck or failed")]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (172800, "2 days"),
    ],
)
def test_a_length_of_time_is_given_in_one_unit(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text
