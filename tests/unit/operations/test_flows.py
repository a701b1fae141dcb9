"""What each flow did in the last day is summed from the metrics that the functions write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.operations.flows import HOURS, Flow, FlowReader, flow_summary
from lib.platform import errors

NOW = datetime(2026, 1, 22, 15, 20, tzinfo=UTC)


class _CloudWatch:
    """Metrics with one value each: name, dimensions besides the service, service, hours ago, value."""

    def __init__(self, *metrics: tuple[str, dict[str, str], str, int, float]) -> None:
        self._metrics = metrics

    def list_metrics(self, Namespace: str, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - as boto3 writes it
        """One metric per page."""
        assert Namespace == "Switchboard"
        page = int(NextToken)
        name, dimensions, service, _, _ = self._metrics[page]
        named = [{"Name": key, "Value": value} for key, value in {"service": service, **dimensions}.items()]
        listed = {"Namespace": Namespace, "MetricName": name, "Dimensions": named}
        return {"Metrics": [listed], **({"NextToken": str(page + 1)} if page + 1 < len(self._metrics) else {})}

    def get_metric_data(self, MetricDataQueries: list[Any], StartTime: datetime, EndTime: datetime) -> dict[str, Any]:  # noqa: N803
        """The value of each metric that is asked for."""
        assert EndTime == NOW
        assert datetime(2026, 1, 21, 16, tzinfo=UTC) == StartTime
        return {"MetricDataResults": [self._result(query) for query in MetricDataQueries]}

    def _result(self, query: dict[str, Any]) -> dict[str, Any]:
        asked = query["MetricStat"]["Metric"]
        dimensions = {each["Name"]: each["Value"] for each in asked["Dimensions"]}
        for name, others, service, ago, value in self._metrics:
            if name == asked["MetricName"] and dimensions == {"service": service, **others}:
                at = NOW.replace(minute=0) - timedelta(hours=ago)
                return {"Id": query["Id"], "Timestamps": [at], "Values": [value]}
        raise AssertionError(f"{asked} is not a listed metric")


def test_a_flow_has_what_it_received_delivered_and_failed_on_per_hour() -> None:
    cloudwatch = _CloudWatch(
        ("EnrichmentSuccess", {}, "notification", 0, 5),
        ("LeaseNotFound", {}, "notification", 0, 2),
        ("EnrichmentSkipped", {"reason": "no_uuid"}, "notification", 23, 1),
        ("NotificationSent", {"channel": "slack"}, "notification", 0, 6),
        ("NotificationSent", {"channel": "sns"}, "notification", 0, 7),
        ("NotificationFailed", {"channel": "slack"}, "notification", 1, 1),
        ("EnrichmentQueryLatencyMs", {}, "notification", 0, 400),
    )

    leases = next(summary for summary in flow_summary(cloudwatch, NOW) if summary.flow is Flow.LEASES)

    assert (leases.received, leases.delivered, leases.failed) == (8, 13, 1)
    assert len(leases.hours) == HOURS
    assert (leases.hours[-1].at, leases.hours[-1].received, leases.hours[-1].delivered) == (NOW.replace(minute=0), 7, 13)
    assert leases.hours[0].received == 1
    assert leases.hours[-2].failed == 1


def test_a_metric_counts_by_the_values_of_its_dimensions() -> None:
    cloudwatch = _CloudWatch(
        ("WebhookDelivery", {"source": "jira", "outcome": "stored"}, "webhooks", 0, 3),
        ("WebhookDelivery", {"source": "commits", "outcome": "ignored"}, "webhooks", 0, 4),
        ("IssueCreation", {"outcome": "created"}, "jira_worker", 0, 2),
        ("IssueCreation", {"outcome": "duplicate"}, "jira_worker", 0, 9),
        ("IssueCreation", {"outcome": "refused"}, "jira_worker", 0, 1),
        ("ImportRun", {"status": "CANCELLED"}, "imports", 0, 1),
    )

    numbers = {each.flow: (each.received, each.delivered, each.failed) for each in flow_summary(cloudwatch, NOW)}

    assert numbers == {Flow.LEASES: (0, 0, 0), Flow.JIRA: (7, 3, 0), Flow.APPROVALS: (0, 2, 1), Flow.JOBS: (0, 0, 0)}


def test_metrics_of_others_do_not_count() -> None:
    cloudwatch = _CloudWatch(
        ("JobCreated", {}, "another", 0, 3),
        ("JobCreated", {"shop": "one"}, "shuttle", 0, 3),
    )

    assert sum(summary.received for summary in flow_summary(cloudwatch, NOW)) == 0


def test_unreadable_metrics_are_an_error() -> None:
    class Refuses:
        def list_metrics(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListMetrics")

    with pytest.raises(errors.AccessDeniedError):
        flow_summary(Refuses(), NOW)


def test_the_metrics_are_read_once_a_minute() -> None:
    class Counts:
        calls = 0

        def list_metrics(self, **_: Any) -> Any:
            self.calls += 1
            return {"Metrics": []}

    cloudwatch, reader = Counts(), FlowReader(timedelta(minutes=1))

    for seconds in (0, 30, 59, 60, 100):
        reader.read(cloudwatch, NOW + timedelta(seconds=seconds))

    assert cloudwatch.calls == 2
