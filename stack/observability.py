"""What is watched, and the alarms. docs/observability.md explains each metric, docs/runbooks/ what to do about an alarm."""

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from stack.function import METRICS_NAMESPACE, Function
from stack.http_api import HttpApi
from stack.queues import Queue
from stack.tables import Table

ENRICHMENT_P99_LIMIT_MS = 200
PERIOD_SECONDS = 300


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One CloudWatch metric.

    Attributes:
        namespace: ``AWS/Lambda``, ``Switchboard``, …
        name: the metric's name.
        dimensions: all of them: CloudWatch does not add up over one that is left out.
        statistic: ``Sum``, ``Maximum``, or a percentile like ``p99``.
    """

    namespace: str
    name: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """When a metric is a case for a person: above ``limit`` in ``periods`` periods of 5 minutes on end."""

    name: str
    meaning: str
    metric: Metric
    limit: float = 0
    periods: int = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the stack consists of, as far as it is watched.

    Attributes:
        functions: every function.
        dead_letters: the queues that should be empty, by a name of theirs, beside the functions' failure queues.
        tables: every table, by a name of its.
        http_api: the HTTP API.
        channels: the channels that notifications go out by.
    """

    functions: Sequence[Function]
    dead_letters: Mapping[str, Queue]
    tables: Mapping[str, Table]
    http_api: HttpApi
    channels: Sequence[str]


def alarms(watched: Watched) -> list[Alarm]:
    """Every alarm there is to be."""
    queues = {f"{function.entry_point}-failures": function.failures for function in watched.functions}
    return [
        *(alarm for function in watched.functions for alarm in _function_alarms(function)),
        *(_depth_alarm(name, queue) for name, queue in {**queues, **watched.dead_letters}.items()),
        *(alarm for name, table in watched.tables.items() for alarm in _table_alarms(name, table)),
        *(_channel_alarm(channel) for channel in watched.channels),
        Alarm(
            name="enrichment-latency",
            meaning=f"The slowest 1 % of lease look-ups took more than {ENRICHMENT_P99_LIMIT_MS} ms",
            metric=ENRICHMENT_LATENCY,
            limit=ENRICHMENT_P99_LIMIT_MS,
            periods=3,
        ),
        Alarm(
            name="http-server-errors",
            meaning="The HTTP API answered with server errors: senders retry, and lose the event if it goes on",
            metric=http_metric(watched.http_api, "5xx"),
        ),
    ]


def create_alarms(watched: Watched, topic_arn: pulumi.Input[str]) -> list[pulumi.Output[str]]:
    """Create the alarms of ``watched``; each tells ``topic_arn`` when it goes off and when it is over.

    Returns:
        Their ARNs.
    """
    return [_create_alarm(alarm, topic_arn).arn for alarm in alarms(watched)]


def own_metric(name: str, statistic: str = "Sum", **dimensions: str) -> Metric:
    """A metric that the notification function writes (lib/metrics.py adds the dimension ``service``)."""
    return Metric(
        namespace=METRICS_NAMESPACE, name=name, dimensions={"service": "notification", **dimensions}, statistic=statistic
    )


def function_metric(function: Function, name: str, statistic: str = "Sum") -> Metric:
    """A metric that Lambda writes of ``function``."""
    return Metric(namespace="AWS/Lambda", name=name, dimensions={"FunctionName": function.name}, statistic=statistic)


def queue_depth(queue: Queue) -> Metric:
    """How many messages wait in ``queue``."""
    return Metric(
        namespace="AWS/SQS",
        name="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": queue.name},
        statistic="Maximum",
    )


def table_metric(table: Table, name: str) -> Metric:
    """A metric that DynamoDB writes of ``table``."""
    return Metric(namespace="AWS/DynamoDB", name=name, dimensions={"TableName": table.name}, statistic="Sum")


def http_metric(api: HttpApi, name: str, statistic: str = "Sum") -> Metric:
    """A metric that API Gateway writes of ``api``."""
    return Metric(namespace="AWS/ApiGateway", name=name, dimensions={"ApiId": api.id}, statistic=statistic)


def _create_alarm(alarm: Alarm, topic_arn: pulumi.Input[str]) -> aws.cloudwatch.MetricAlarm:
    metric = alarm.metric
    is_percentile = metric.statistic.startswith("p")
    return aws.cloudwatch.MetricAlarm(
        alarm.name,
        alarm_description=alarm.meaning,
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions=metric.dimensions,
        statistic=None if is_percentile else metric.statistic,
        extended_statistic=metric.statistic if is_percentile else None,
        comparison_operator="GreaterThanThreshold",
        threshold=alarm.limit,
        period=PERIOD_SECONDS,
        evaluation_periods=alarm.periods,
        treat_missing_data="notBreaching",  # nothing happened is no fault
        alarm_actions=[topic_arn],
        ok_actions=[topic_arn],
    )


ENRICHMENT_LATENCY = own_metric("EnrichmentQueryLatencyMs", "p99")


def _function_alarms(function: Function) -> list[Alarm]:
    return [
        Alarm(
            name=f"{function.entry_point}-errors",
            meaning=f"The function {function.entry_point} failed: its log says why",
            metric=function_metric(function, "Errors"),
        ),
        Alarm(
            name=f"{function.entry_point}-throttles",
            meaning=f"The function {function.entry_point} was refused for want of concurrency in this account",
            metric=function_metric(function, "Throttles"),
        ),
    ]


def _depth_alarm(name: str, queue: Queue) -> Alarm:
    return Alarm(
        name=f"{name}-depth",
        meaning=f"Events lie in the queue {name}: nobody else will handle them",
        metric=queue_depth(queue),
    )


def _table_alarms(name: str, table: Table) -> list[Alarm]:
    kinds = ["Read"] if table.read_only else ["Read", "Write"]
    return [
        Alarm(
            name=f"{name}-{kind.lower()}-throttles",
            meaning=f"DynamoDB throttled {kind.lower()}s of the table {name}",
            metric=table_metric(table, f"{kind}ThrottleEvents"),
        )
        for kind in kinds
    ]


def _channel_alarm(channel: str) -> Alarm:
    return Alarm(
        name=f"{channel}-notifications-failed",
        meaning=f"Notifications could not be sent by the channel {channel}",
        metric=own_metric("NotificationFailed", channel=channel),
    )
