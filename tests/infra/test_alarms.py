"""Alarms: each watches something that exists, by a metric that somebody writes."""

from typing import Any

import pytest

from lib.approvals.issue_creation import Outcome
from lib.leases.enrichment import Reason
from lib.platform.contract import CHANNELS, ENTRY_POINTS, HEALTH_CHECKS
from lib.shuttle.jobs.lifecycle import WORKER_LOST
from stack.monitoring.alarms import LASTING_FAILURES
from tests.support.observability.aws_metrics import ALARM, FUNCTION, check_metric
from tests.support.project.pulumi_graph import EVERYTHING, Graph, Resource, declare

QUEUE = "aws:sqs/queue:Queue"


def alarm(graph: Graph, name: str) -> dict[str, Any]:
    return graph.one(ALARM, name).inputs


def metrics_of(alarm: Resource) -> list[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of what an alarm looks at: of each metric that its total adds up."""
    named = [query["metric"] for query in alarm.inputs.get("metricQueries", []) if "metric" in query] or [alarm.inputs]
    return [(each["namespace"], each["metricName"], each["dimensions"]) for each in named]


def alarms_on(graph: Graph, metric: str) -> list[dict[str, Any]]:
    """The alarms on this metric."""
    return [each.inputs for each in graph.all(ALARM) if each.inputs.get("metricName") == metric]


def dimension_of_alarms(graph: Graph, dimension: str) -> list[str]:
    """The values of a dimension that have alarms."""
    return [each.inputs["dimensions"][dimension] for each in graph.all(ALARM) if dimension in each.inputs.get("dimensions", {})]


def test_every_alarm_watches_a_written_metric_of_an_existing_resource() -> None:
    graph = declare(*EVERYTHING)

    for each in graph.all(ALARM):
        for metric in metrics_of(each):
            check_metric(graph, *metric)


def test_every_alarm_notifies_the_alarm_topic_both_ways() -> None:
    graph = declare(*EVERYTHING)
    topic = graph.arn("aws:sns/topic:Topic", "alarms")

    for each in graph.all(ALARM):
        assert each.inputs["alarmActions"] == each.inputs["okActions"] == [topic]


def test_missing_data_raises_an_alarm_only_for_scheduled_work() -> None:
    alarms = declare(*EVERYTHING).all(ALARM)
    silent = {each.name for each in alarms if each.inputs["treatMissingData"] == "breaching"}

    assert silent == {
        "health-stopped",
        "shuttle-sweep-stopped",
        *(f"{project}-{what}-stopped" for project in ("TES", "OPS") for what in ("changes", "sweep")),
    }
    for each in alarms:
        is_silence = each.name in silent
        assert each.inputs["treatMissingData"] == ("breaching" if is_silence else "notBreaching")
        assert each.inputs["comparisonOperator"] == ("LessThanOrEqualToThreshold" if is_silence else "GreaterThanThreshold")
        assert each.inputs["threshold"] == 0 or not is_silence


@pytest.mark.parametrize(
    ("name", "every_seconds"),
    [("health-stopped", 300), ("shuttle-sweep-stopped", 900), ("OPS-changes-stopped", 900), ("OPS-sweep-stopped", 24 * 3600)],
)
def test_silence_alarms_allow_one_missed_run_within_cloudwatchs_range(name: str, every_seconds: int) -> None:
    """Silence raises an alarm after more than one missed or late run, and within the period that CloudWatch evaluates."""
    inputs = alarm(declare(*EVERYTHING), name)
    looked_back = inputs["period"] * inputs["evaluationPeriods"]

    assert every_seconds < looked_back <= 4 * every_seconds
    assert looked_back <= (24 * 3600 if inputs["period"] < 3600 else 7 * 24 * 3600)


def test_every_reason_that_is_watched_is_a_reason_of_the_code() -> None:
    watched = set(dimension_of_alarms(declare(), "reason"))

    assert watched == {*LASTING_FAILURES, "circuit_open"}
    assert watched <= set(Reason)


def test_every_watched_approval_outcome_exists_in_the_code() -> None:
    watched = set(dimension_of_alarms(declare(), "outcome"))

    assert watched == {Outcome.FAILED.value, Outcome.SECOND.value, Outcome.STUCK.value}


def test_every_failure_of_a_job_that_is_watched_is_a_failure_of_the_code() -> None:
    assert dimension_of_alarms(declare(), "failure") == [WORKER_LOST]


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    ("kind", "metric"),
    [("errors", "Errors"), ("throttles", "Throttles"), ("recursion-stopped", "RecursiveInvocationsDropped")],
)
def test_a_functions_errors_throttles_and_stopped_loops_raise_an_alarm(entry_point: str, kind: str, metric: str) -> None:
    graph = declare()
    inputs = alarm(graph, f"{entry_point}-{kind}")

    assert (inputs["metricName"], inputs["statistic"], inputs["threshold"]) == (metric, "Sum", 0)
    assert inputs["dimensions"] == {"FunctionName": graph.one(FUNCTION, entry_point).outputs["name"]}


def test_every_queue_that_should_be_empty_raises_an_alarm_when_it_is_not() -> None:
    graph = declare()
    depths = alarms_on(graph, "ApproximateNumberOfMessagesVisible")
    should_be_empty = [queue for queue in graph.all(QUEUE) if queue.name not in {"jira-work", "approval-work", "shuttle-jobs"}]

    assert {each["dimensions"]["QueueName"] for each in depths} == {queue.outputs["name"] for queue in should_be_empty}
    assert {(each["statistic"], each["threshold"], each["evaluationPeriods"]) for each in depths} == {("Maximum", 0, 1)}


def test_work_that_lies_for_more_than_15_minutes_raises_an_alarm() -> None:
    graph = declare()
    inputs = alarm(graph, "jira-work-age")

    assert inputs["metricName"] == "ApproximateAgeOfOldestMessage"
    assert inputs["dimensions"] == {"QueueName": graph.one(QUEUE, "jira-work").outputs["name"]}
    assert (inputs["statistic"], inputs["comparisonOperator"], inputs["threshold"]) == ("Maximum", "GreaterThanThreshold", 900)


@pytest.mark.parametrize(("kind", "metric"), [("refused", "ReconciliationRefused"), ("failed", "ReconciliationFailed")])
def test_refused_and_failed_reconciliations_raise_an_alarm_per_project(kind: str, metric: str) -> None:
    graph = declare(*EVERYTHING)
    found = {each.name: each.inputs for each in graph.all(ALARM) if each.inputs.get("metricName") == metric}

    assert found.keys() == {f"TES-reconciliation-{kind}", f"OPS-reconciliation-{kind}"}
    for project in ("TES", "OPS"):
        inputs = found[f"{project}-reconciliation-{kind}"]
        assert inputs["dimensions"] == {"service": "reconciliation", "project": project}
        assert (inputs["statistic"], inputs["threshold"], inputs["evaluationPeriods"]) == ("Sum", 0, 1)


def test_no_projects_means_no_per_project_reconciliation_alarms() -> None:
    """Without a project, only the alarms on the reconciliation function and on its work remain."""
    names = [each.name for each in declare().all(ALARM) if "reconciliation" in each.name]

    assert sorted(names) == [
        "reconciliation-correlation-not-queued",
        "reconciliation-errors",
        "reconciliation-failures-depth",
        "reconciliation-failures-lost",
        "reconciliation-recursion-stopped",
        "reconciliation-throttles",
    ]


@pytest.mark.parametrize("entry_point", ["webhooks", "reconciliation"])
def test_a_correlation_that_could_not_be_queued_raises_an_alarm(entry_point: str) -> None:
    inputs = alarm(declare(), f"{entry_point}-correlation-not-queued")

    assert (inputs["metricName"], inputs["dimensions"]) == ("CorrelationNotQueued", {"service": entry_point})
    assert (inputs["statistic"], inputs["threshold"]) == ("Sum", 0)


def test_each_health_check_that_fails_raises_an_alarm() -> None:
    failing = alarms_on(declare(), "HealthCheckFailed")

    assert sorted(each["dimensions"]["check"] for each in failing) == sorted(HEALTH_CHECKS)
    assert {(each["statistic"], each["threshold"], each["evaluationPeriods"]) for each in failing} == {("Sum", 0, 1)}


def test_a_p99_over_200_ms_of_the_lease_look_up_raises_an_alarm() -> None:
    inputs = alarm(declare(), "enrichment-latency")

    assert inputs["namespace"] == "Switchboard"
    assert inputs["metricName"] == "EnrichmentQueryLatencyMs"
    assert inputs["dimensions"] == {"service": "notification"}
    assert (inputs["extendedStatistic"], inputs["comparisonOperator"], inputs["threshold"]) == (
        "p99",
        "GreaterThanThreshold",
        200,
    )
    assert "statistic" not in inputs


def test_throttles_raise_an_alarm_for_what_switchboard_does_to_a_table() -> None:
    graph = declare()
    watched = {
        (dimensions["TableName"], name)
        for each in graph.all(ALARM)
        for namespace, name, dimensions in metrics_of(each)
        if namespace == "AWS/DynamoDB"
    }
    table = "aws:dynamodb/table:Table"
    names = ("LeaseTable", "JiraIssues", "JiraOperations", "Shuttle")
    leases, issues, operations, shuttle = (graph.one(table, name).outputs["name"] for name in names)

    assert watched == {
        (leases, "ReadThrottleEvents"),
        (issues, "ReadThrottleEvents"),
        (issues, "WriteThrottleEvents"),
        (operations, "ReadThrottleEvents"),
        (operations, "WriteThrottleEvents"),
        (shuttle, "ReadThrottleEvents"),
        (shuttle, "WriteThrottleEvents"),
    }


@pytest.mark.parametrize("table", ["JiraIssues", "Shuttle"])
@pytest.mark.parametrize("kind", ["Read", "Write"])
def test_throttles_of_a_tables_indexes_count_too(table: str, kind: str) -> None:
    """DynamoDB does not count an index's throttles as its table's."""
    graph = declare()
    declared = graph.one("aws:dynamodb/table:Table", table)
    of_table = {"TableName": declared.outputs["name"]}
    of_indexes = [{**of_table, "GlobalSecondaryIndexName": each["name"]} for each in declared.inputs["globalSecondaryIndexes"]]
    inputs = alarm(graph, f"{table}-{kind.lower()}-throttles")
    *parts, total = inputs["metricQueries"]

    assert [part["metric"] for part in parts] == [
        {
            "namespace": "AWS/DynamoDB",
            "metricName": f"{kind}ThrottleEvents",
            "dimensions": dimensions,
            "stat": "Sum",
            "period": 300,
        }
        for dimensions in (of_table, *of_indexes)
    ]
    assert not any(part.get("returnData") for part in parts)
    assert total == {
        "id": "total",
        "expression": "SUM([" + ",".join(f"FILL({part['id']},0)" for part in parts) + "])",
        "label": "total",
        "returnData": True,
    }
    # CloudWatch refuses an alarm that names both queries and a metric of its own.
    assert not inputs.keys() & {"namespace", "metricName", "dimensions", "statistic", "extendedStatistic", "period"}


def test_a_failed_notification_raises_an_alarm_for_each_channel_that_is_on() -> None:
    graph = declare(*EVERYTHING)
    failing = alarms_on(graph, "NotificationFailed")

    assert sorted(each["dimensions"]["channel"] for each in failing) == sorted(CHANNELS)


def test_alarms_are_sent_only_to_the_configured_address() -> None:
    subscription = "aws:sns/topicSubscription:TopicSubscription"
    graph = declare({"alarmEmail": "operations@example.com"})

    assert graph.one(subscription).inputs == {
        "topic": graph.arn("aws:sns/topic:Topic", "alarms"),
        "protocol": "email",
        "endpoint": "operations@example.com",
    }
    assert not declare().all(subscription)


def test_only_the_notification_topic_is_encrypted() -> None:
    """CloudWatch could not publish to an encrypted alarm topic."""
    graph = declare()

    assert graph.one("aws:sns/topic:Topic", "notifications").inputs["kmsMasterKeyId"] == "alias/aws/sns"
    assert "kmsMasterKeyId" not in graph.one("aws:sns/topic:Topic", "alarms").inputs
