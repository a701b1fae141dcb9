"""The deployment's alarms: a failure raises them, ``status`` shows what to do, the topic is notified, and they end."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lib.platform import clock
from tests.support.cloud import Cloud, Inbox, running_cloud, until
from tests.support.operations.command_line import person, run_command

RAISED_SECONDS = 60.0
"""Two retries of the event and two evaluations, on a busy machine."""
OVER_SECONDS = 150.0
"""The period of the test's own alarm, and two evaluations."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """Other tests cause failures too, so this cloud is not theirs."""
    with running_cloud() as started:
        yield started


def alarms_that_are_on(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """By logical name."""
    found = cloud.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
    return {alarm["AlarmName"].rpartition("-")[0]: alarm for alarm in found}


def status(cloud: Cloud) -> list[dict[str, Any]]:
    """What ``status`` finds."""
    ready = {"http_url": cloud.http_url, "aws_url": cloud.aws_url, "region": cloud.region, "outputs": cloud.outputs}
    arguments = ["--outputs", "-", "status", "--json"]
    done = run_command(arguments, environment=person(), typed=json.dumps(ready) + "\n")
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def put_quick_alarm(cloud: Cloud, queue: str, topic: str) -> None:
    """An alarm on the depth of a queue whose period is one minute: those of the deployment take five to be over."""
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName="quick-depth-0000000",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": queue}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
        OKActions=[topic],
    )


def test_a_lost_event_raises_alarms_until_its_dead_letter_is_gone(cloud: Cloud) -> None:
    """A failing function and a dead letter: the alarms, the screen of the operator, the message to the topic, and the end."""
    queue = next(
        name for name in cloud.outputs["dead_letter_queues"]["notification"] if name.startswith("notification-failures-")
    )
    pages, tickets = (Inbox(cloud, cloud.outputs[f"alarm_{kind}topic_arn"]) for kind in ("", "ticket_"))
    put_quick_alarm(cloud, queue, cloud.outputs["alarm_ticket_topic_arn"])
    assert alarms_that_are_on(cloud) == {}

    cloud.invoke("notification", {"id": str(uuid.uuid4()), "detail-type": "LeaseExpired", "detail": "half of"}, kind="Event")
    expected = {"notification-errors", "notification-failures-depth", "quick-depth"}
    until(lambda: alarms_that_are_on(cloud).keys() >= expected, RAISED_SECONDS, every=0.5)

    on = alarms_that_are_on(cloud)
    assert on.keys() == expected
    assert on["notification-errors"]["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [")
    found = {each["alarm"]: each for each in status(cloud) if each["part"] == "alarms"}
    assert found["notification-failures-depth"]["command"] == "redrive --function notification --dry-run"
    assert found["notification-errors"]["command"] == "logs --level warning --function notification --since 1d"
    [page] = [message for message in pages.read() if message["NewStateValue"] == "ALARM"]
    assert (page["AlarmName"], page["OldStateValue"]) == (on["notification-failures-depth"]["AlarmName"], "OK")
    assert page["Trigger"]["Dimensions"] == [{"name": "QueueName", "value": queue}]

    cloud.take_dead_letters("notification-failures")
    until(lambda: "quick-depth" not in alarms_that_are_on(cloud), OVER_SECONDS, every=1)

    states = [message["NewStateValue"] for message in tickets.read() if message["AlarmName"] == "quick-depth-0000000"]
    assert states[-2:] == ["ALARM", "OK"]
    assert "notification-failures-depth" in alarms_that_are_on(cloud), "its period is five minutes, as on AWS"


def test_the_metrics_that_functions_print_can_be_read(cloud: Cloud) -> None:
    cloudwatch: Any = cloud.client("cloudwatch")
    assert cloud.invoke("health", {"mode": "deep"})["error"] is None

    listed = until(lambda: cloudwatch.list_metrics(Namespace="Switchboard", MetricName="HealthReport")["Metrics"])
    assert listed == [
        {"Namespace": "Switchboard", "MetricName": "HealthReport", "Dimensions": [{"Name": "service", "Value": "health"}]}
    ]
    now = clock.utc_now()
    window = {"StartTime": now - timedelta(minutes=10), "EndTime": now + timedelta(minutes=1)}
    report = {"Id": "m0", "MetricStat": {"Metric": listed[0], "Period": 3600, "Stat": "Sum"}, "ReturnData": False}
    total = {"Id": "total", "Expression": "SUM([FILL(m0,0)])"}
    [result] = cloudwatch.get_metric_data(MetricDataQueries=[report, total], **window)["MetricDataResults"]
    assert (result["Id"], sum(result["Values"])) == ("total", 1)

    duration: dict[str, Any] = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "Dimensions": [{"Name": "FunctionName", "Value": cloud.outputs["functions"]["health"]}],
    }
    answer = cloudwatch.get_metric_statistics(
        **duration, **window, Period=3600, Statistics=["SampleCount", "Maximum"], ExtendedStatistics=["p99"]
    )
    [point] = answer["Datapoints"]
    assert (point["SampleCount"], point["Unit"]) == (1, "Milliseconds")
    assert 0 < point["ExtendedStatistics"]["p99"] == point["Maximum"] < 60_000
