"""Home: what needs a person first, and the search field."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.console.views.home import _RUNBOOKS, _url_of
from lib.operations import status
from lib.operations.findings import Finding, Verdict
from lib.platform import clock, contract
from tests.support.console.client import HOSTILE, console_client, text_of
from tests.support.operations.deployment import FAILURES, REGION, Deployment
from tests.support.project.documentation import ROOT

ALARM_TOPIC = f"arn:aws:sns:{REGION}:123456789012:alarms"


def test_a_quiet_deployment_is_all_clear(deployment: Deployment) -> None:
    page = text_of(console_client(deployment).page("/"))

    assert "All clear. Nothing needs a person." in page
    assert "python -m handlers.cli status" in page


def test_what_needs_a_person_comes_first_with_its_command(deployment: Deployment) -> None:
    deployment.send(FAILURES, {"error": HOSTILE})

    page = text_of(console_client(deployment).page("/"))

    assert "1 thing to look at" in page
    assert "All clear" not in page
    assert page.index("attention dead letters notification-failures: 1") < page.index("Last 24 hours")
    assert "redrive --function notification" in page


def test_an_alarm_leads_to_its_runbook(deployment: Deployment) -> None:
    cloudwatch = deployment.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="jobs-0a1b2c3",
        AlarmDescription="Jobs fail.\nFirst: python -m handlers.cli shuttle jobs\nRunbook: https://docs.example/runbooks/jobs.md#a-job-has-failed",
        AlarmActions=[ALARM_TOPIC],
        Namespace="Switchboard",
        MetricName="Any",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName="jobs-0a1b2c3", StateValue="ALARM", StateReason="a test")

    page = console_client(deployment).page("/")

    assert 'href="/docs/runbooks/jobs#a-job-has-failed"' in page
    assert "Jobs fail" in page


def test_schedules_have_their_last_and_next_run(deployment: Deployment) -> None:
    deployment.schedule("health", "health")
    deployment.log("health", "health_report", ago=timedelta(minutes=2), checks={})

    page = text_of(console_client(deployment).page("/"))

    assert "health ok 2 minutes ago in 2 minutes" in page or "health ok 2 minutes ago in 179 seconds" in page


def test_what_needs_a_person_leads_to_what_it_is_about(deployment: Deployment) -> None:
    deployment.schedule("sweep", "reconciliation")
    deployment.log("reconciliation", "reconciliation_done", ago=timedelta(minutes=2), mode="full", refused=1)
    deployment.send(FAILURES, {"error": "x"})
    with console_client(deployment).application.test_request_context("/"):
        drafts = Finding(part="drafts", verdict=Verdict.ATTENTION, text="", values={"sessions": ["s-1"]})
        assert _url_of(drafts) == "/approvals/s-1"
        assert _url_of(replace(drafts, values={"sessions": ["s-1", "s-2"]})) == "/approvals"
        assert _url_of(replace(drafts, part="projects", values={"project": "OPS"})) == "/issues/projects/OPS"

    page = console_client(deployment).page("/")

    assert '<a href="/docs/runbooks/reconciliation">schedules</a>' in page
    assert 'href="/docs/runbooks/functions#dead-letters">What to do</a>' in console_client(deployment).page("/dead-letters")


def test_every_schedule_has_its_runbook() -> None:
    assert set(_RUNBOOKS) == set(status._RUNS)
    for name in _RUNBOOKS.values():
        assert (ROOT / f"docs/runbooks/{name}.md").is_file()


def test_each_flow_has_its_numbers(deployment: Deployment) -> None:
    deployment.client("cloudwatch").put_metric_data(
        Namespace=contract.METRICS_NAMESPACE,
        MetricData=[
            {
                "MetricName": contract.NOTIFICATION_SENT.name,
                "Dimensions": [
                    {"Name": name, "Value": value} for name, value in (("service", "notification"), ("channel", "sns"))
                ],
                "Value": 3,
                "Timestamp": clock.utc_now() - timedelta(minutes=1),  # a request names the time of its end in whole seconds
            }
        ],
    )

    page = text_of(console_client(deployment).page("/"))

    assert "Lease notifications" in page
    assert "0 in 3 out 0 failed" in page


@pytest.mark.parametrize(
    ("text", "leads_to"),
    [
        ("", "/"),
        (" 7b1c8c52 ", "/trace?id=7b1c8c52"),
        ("ops-7", "/issues/OPS-7"),
        ("a b&c", "/trace?id=a+b%26c"),
        ("//evil.example", "/trace?id=//evil.example"),
    ],
)
def test_the_search_field_leads_to_what_is_named(deployment: Deployment, text: str, leads_to: str) -> None:
    answer = console_client(deployment).get("/find", query_string={"q": text})

    assert answer.status_code == 303
    assert answer.headers["Location"] == leads_to
