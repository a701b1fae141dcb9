"""Alarms and dashboard: each watches something that exists, by a metric that somebody writes."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from lib.environment import CHANNELS
from tests.support.pulumi_graph import Graph, declare

ROOT = Path(__file__).resolve().parents[2]
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
EVERY_CHANNEL = (
    {"notifyChannels": ",".join(CHANNELS), "govukNotifyTemplateId": "9d751e0e-f929-4891-82a1-a3e1c3c18ee3"},
    {"slackWebhookUrl": "hush", "govukNotifyApiKey": "hush"},
)

# Metrics that AWS writes, by namespace, and the type of resource that their dimension names.
AWS_METRICS = {
    "AWS/Lambda": ("FunctionName", "aws:lambda/function:Function", {"Invocations", "Errors", "Throttles", "Duration"}),
    "AWS/SQS": ("QueueName", "aws:sqs/queue:Queue", {"ApproximateNumberOfMessagesVisible"}),
    "AWS/DynamoDB": (
        "TableName",
        "aws:dynamodb/table:Table",
        {"ReadThrottleEvents", "WriteThrottleEvents", "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
    ),
}


def emitted_metrics() -> dict[str, set[frozenset[str]]]:
    """The dimensions that the code gives each metric it writes, by the metric's name, read from the code itself."""
    found: dict[str, set[frozenset[str]]] = {}
    for file in [*(ROOT / "lib").rglob("*.py"), *(ROOT / "handlers").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"count", "milliseconds"}
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "metrics"
                and isinstance(node.args[0], ast.Constant)
            ):
                found.setdefault(node.args[0].value, set()).add(frozenset(each.arg or "" for each in node.keywords))
    return found


def alarm(graph: Graph, name: str) -> dict[str, Any]:
    return graph.one(ALARM, name).inputs


def check_metric(graph: Graph, namespace: str, name: str, dimensions: dict[str, str]) -> None:
    """Fail unless something in the graph, or the code, writes this metric with these dimensions."""
    if namespace == "Switchboard":
        assert dimensions["service"] in {function.name for function in graph.all("aws:lambda/function:Function")}
        assert frozenset(dimensions) - {"service"} in emitted_metrics().get(name, set()), name
    elif namespace == "AWS/ApiGateway":
        assert name in {"Count", "4xx", "5xx"}
        assert dimensions == {"ApiId": f"{graph.one('aws:apigatewayv2/api:Api').outputs['name']}-id"}
    else:
        dimension, type_, names = AWS_METRICS[namespace]
        assert name in names
        assert dimensions.keys() == {dimension}
        assert dimensions[dimension] in {resource.outputs["name"] for resource in graph.all(type_)}


def test_every_alarm_watches_a_metric_that_is_written_of_something_that_exists() -> None:
    graph = declare(*EVERY_CHANNEL)

    for each in graph.all(ALARM):
        check_metric(graph, each.inputs["namespace"], each.inputs["metricName"], each.inputs["dimensions"])


def test_every_alarm_tells_the_alarm_topic_both_ways_and_takes_silence_for_health() -> None:
    graph = declare()
    topic = graph.arn("aws:sns/topic:Topic", "alarms")

    for each in graph.all(ALARM):
        assert each.inputs["alarmActions"] == each.inputs["okActions"] == [topic]
        assert each.inputs["treatMissingData"] == "notBreaching"
        assert each.inputs["alarmDescription"]


@pytest.mark.parametrize("entry_point", ["notification", "health"])
@pytest.mark.parametrize(("kind", "metric"), [("errors", "Errors"), ("throttles", "Throttles")])
def test_a_functions_errors_and_throttles_raise_an_alarm(entry_point: str, kind: str, metric: str) -> None:
    graph = declare()
    inputs = alarm(graph, f"{entry_point}-{kind}")

    assert (inputs["metricName"], inputs["statistic"], inputs["threshold"]) == (metric, "Sum", 0)
    assert inputs["dimensions"] == {"FunctionName": graph.one("aws:lambda/function:Function", entry_point).outputs["name"]}


def test_every_queue_that_should_be_empty_raises_an_alarm_when_it_is_not() -> None:
    graph = declare()
    watched = {each.inputs["dimensions"]["QueueName"] for each in graph.all(ALARM) if each.inputs["namespace"] == "AWS/SQS"}

    assert watched == {queue.outputs["name"] for queue in graph.all("aws:sqs/queue:Queue")}


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
        (each.inputs["dimensions"]["TableName"], each.inputs["metricName"])
        for each in graph.all(ALARM)
        if each.inputs["namespace"] == "AWS/DynamoDB"
    }
    table = "aws:dynamodb/table:Table"
    leases, operations = (graph.one(table, name).outputs["name"] for name in ("LeaseTable", "JiraOperations"))

    assert watched == {
        (leases, "ReadThrottleEvents"),
        (operations, "ReadThrottleEvents"),
        (operations, "WriteThrottleEvents"),
    }


def test_a_failed_notification_raises_an_alarm_for_each_channel_that_is_on() -> None:
    graph = declare(*EVERY_CHANNEL)
    failing = [each.inputs for each in graph.all(ALARM) if each.inputs["metricName"] == "NotificationFailed"]

    assert sorted(each["dimensions"]["channel"] for each in failing) == sorted(CHANNELS)


def test_alarms_go_to_the_address_of_the_config_and_to_nobody_without_one() -> None:
    subscription = "aws:sns/topicSubscription:TopicSubscription"
    graph = declare({"alarmEmail": "operations@example.com"})

    assert graph.one(subscription).inputs == {
        "topic": graph.arn("aws:sns/topic:Topic", "alarms"),
        "protocol": "email",
        "endpoint": "operations@example.com",
    }
    assert not declare().all(subscription)


def test_the_notification_topic_is_encrypted_and_the_alarm_topic_is_not_since_cloudwatch_could_not_write_to_it() -> None:
    graph = declare()

    assert graph.one("aws:sns/topic:Topic", "notifications").inputs["kmsMasterKeyId"] == "alias/aws/sns"
    assert "kmsMasterKeyId" not in graph.one("aws:sns/topic:Topic", "alarms").inputs


def dashboard_widgets(graph: Graph) -> list[dict[str, Any]]:
    return list(json.loads(graph.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])["widgets"])


def test_the_dashboard_shows_metrics_that_are_written_of_things_that_exist() -> None:
    graph = declare(*EVERY_CHANNEL)
    lines = [
        line for widget in dashboard_widgets(graph) if widget["type"] == "metric" for line in widget["properties"]["metrics"]
    ]

    for line in lines:
        if "expression" not in line[0]:
            namespace, name, *dimensions, _ = line
            check_metric(graph, namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))
    searched = {line[0]["label"] for line in lines if "expression" in line[0]}
    assert searched == {"EnrichmentSkipped", "EnrichmentFailure"}
    assert all({frozenset({"reason"})} == emitted_metrics()[name] for name in searched)


def test_the_dashboard_shows_every_metric_that_the_notification_code_writes() -> None:
    body = declare().one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"]

    assert [name for name in emitted_metrics() if name not in body] == []


def test_the_dashboard_shows_every_alarm_and_the_log_of_every_function() -> None:
    graph = declare()
    by_type = {widget["type"]: widget["properties"] for widget in dashboard_widgets(graph)}

    assert sorted(by_type["alarm"]["alarms"]) == sorted(each.outputs["arn"] for each in graph.all(ALARM))
    for function in graph.all("aws:lambda/function:Function"):
        assert f"SOURCE '{function.inputs['loggingConfig']['logGroup']}'" in by_type["log"]["query"]


def test_the_widgets_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard_widgets(declare()):
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_dashboards_url_leads_to_the_region_of_the_stack() -> None:
    graph = declare(stack="dev")

    assert graph.outputs["dashboard_url"] == (
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#dashboards/dashboard/switchboard-dev"
    )
