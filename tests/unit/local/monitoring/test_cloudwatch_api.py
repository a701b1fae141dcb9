"""CloudWatch's API in the local cloud, by an AWS client: what moto answers differently from AWS."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.platform import aws, clock
from stack.local import moto_patches
from tests.support.aws.moto_inside import moto_inside

MINUTE = timedelta(minutes=1)


def dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    moto_patches.fill_gaps()
    with moto_inside(monkeypatch):
        yield aws.make_client("cloudwatch")


@pytest.fixture
def start(cloudwatch: Any) -> datetime:
    """The start of the minute in which Sent had 1 and 3 on sns, and 10 in another namespace; in the next one it had 5."""
    start = (clock.utc_now() - 10 * MINUTE).replace(second=0, microsecond=0)
    put(cloudwatch, start + timedelta(seconds=59), 1)
    put(cloudwatch, start, 3)
    put(cloudwatch, start, 10, namespace="Other")
    put(cloudwatch, start + MINUTE, 5)
    return start


def put(cloudwatch: Any, at: datetime, value: float, *, namespace: str = "Switchboard", **more: str) -> None:
    named = {"service": "notification", "channel": "sns", **more}
    datum = {"MetricName": "Sent", "Dimensions": dimensions(**named), "Timestamp": at, "Value": value, "Unit": "Count"}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])


def values(cloudwatch: Any, start: datetime, *, stat: str = "Sum", period: int = 60, **more: Any) -> dict[datetime, float]:
    metric = {
        "Namespace": "Switchboard",
        "MetricName": "Sent",
        "Dimensions": dimensions(channel="sns", service="notification"),
    }
    query = {"Id": "m0", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}
    answer = cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=start, EndTime=start + 5 * MINUTE, **more)
    [result] = answer["MetricDataResults"]
    assert result["StatusCode"] == "Complete"
    return {moment.astimezone(UTC): value for moment, value in zip(result["Timestamps"], result["Values"], strict=True)}


def test_values_are_those_of_the_namespace_and_of_all_dimensions(cloudwatch: Any, start: datetime) -> None:
    put(cloudwatch, start, 100, reason="late")

    assert values(cloudwatch, start) == {start: 4, start + MINUTE: 5}
    assert values(cloudwatch, start, period=300) == {start: 9}


def test_the_newest_value_is_first_unless_the_oldest_is_wanted(cloudwatch: Any, start: datetime) -> None:
    assert list(values(cloudwatch, start)) == [start + MINUTE, start]
    assert list(values(cloudwatch, start, ScanBy="TimestampAscending")) == [start, start + MINUTE]


def test_a_start_within_a_minute_is_rounded_down(cloudwatch: Any, start: datetime) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""
    assert values(cloudwatch, start + timedelta(seconds=42)) == {start: 4, start + MINUTE: 5}


def test_percentiles_are_answered(cloudwatch: Any, start: datetime) -> None:
    assert values(cloudwatch, start, stat="p99") == {start: 3, start + MINUTE: 5}
    answer = cloudwatch.get_metric_statistics(
        Namespace="Switchboard",
        MetricName="Sent",
        Dimensions=dimensions(service="notification", channel="sns"),
        StartTime=start,
        EndTime=start + 5 * MINUTE,
        Period=300,
        Statistics=["Average", "SampleCount"],
        ExtendedStatistics=["p50"],
    )
    [point] = answer["Datapoints"]
    assert (point["Average"], point["SampleCount"], point["Unit"]) == (3, 3, "Count")
    assert point["ExtendedStatistics"] == {"p50": 3}
    assert point["Timestamp"].astimezone(UTC) == start


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, 2),
        ({"Namespace": "Switchboard"}, 1),
        ({"MetricName": "Failed"}, 0),
        ({"Dimensions": [{"Name": "channel"}]}, 2),
        ({"Dimensions": [{"Name": "channel", "Value": "slack"}]}, 0),
    ],
)
def test_metrics_are_listed_by_namespace_name_and_dimensions(
    wanted: dict[str, Any], found: int, cloudwatch: Any, start: datetime
) -> None:
    assert start
    listed = cloudwatch.list_metrics(**wanted)["Metrics"]

    assert len(listed) == found
    assert all(each["MetricName"] == "Sent" for each in listed)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"Expression": "SEARCH('{Switchboard} Sent', 'Sum', 300)"}, "SEARCH"),
        ({"Expression": "m7"}, "m7"),
        ({"MetricStat": {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 60, "Stat": "tm90"}}, "tm90"),
    ],
)
def test_what_can_not_be_computed_is_refused(query: dict[str, Any], reason: str, cloudwatch: Any) -> None:
    now = clock.utc_now()
    with pytest.raises(ClientError, match=reason):
        cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "q", **query}], StartTime=now - MINUTE, EndTime=now)


def test_alarms_are_listed_by_all_given_filters(cloudwatch: Any) -> None:
    for name, actions in (("f-errors", []), ("f-throttles", ["arn:aws:sns:us-west-2:123456789012:alarms"])):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=actions,
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM" if actions else "OK", StateReason="a test")

    def names(**wanted: Any) -> list[str]:
        return [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms(**wanted)["MetricAlarms"]]

    assert names(AlarmNamePrefix="f-") == ["f-errors", "f-throttles"]
    assert names(AlarmNamePrefix="f-", StateValue="ALARM") == ["f-throttles"]
    assert names(AlarmNamePrefix="f-e", StateValue="ALARM") == []
    assert names(ActionPrefix="arn:aws:sns") == ["f-throttles"]
    assert names(AlarmTypes=["CompositeAlarm"]) == []
