"""What is watched, and the alarms. docs/observability.md explains each metric, docs/runbooks/ what to do about an alarm."""

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from stack.function import METRICS_NAMESPACE, Function
from stack.http_api import HttpApi
from stack.queues import Queue, WorkQueue
from stack.tables import Table

ENRICHMENT_P99_LIMIT_MS = 200
PERIOD_SECONDS = 300
OLDEST_WORK_LIMIT_SECONDS = 900
"""A message is done within seconds, and one that failed comes back after half an hour: one this old has failed or waits."""

HEALTH_CHECKS = ("lease_table", "jira_issues_table", "operations_table", "shuttle_table", "secrets", "jira")
"""The checks of lib/health.py, which the stack may not import; a test holds the two together."""


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
        work_queues: the queues that feed functions, by a name of theirs.
        tables: every table, by a name of its.
        http_api: the HTTP API.
        channels: the channels that notifications go out by.
        projects: the Jira projects that are reconciled.
    """

    functions: Sequence[Function]
    dead_letters: Mapping[str, Queue]
    work_queues: Mapping[str, WorkQueue]
    tables: Mapping[str, Table]
    http_api: HttpApi
    channels: Sequence[str]
    projects: Sequence[str]


def alarms(watched: Watched) -> list[Alarm]:
    """Every alarm there is to be."""
    queues = {f"{function.entry_point}-failures": function.failures for function in watched.functions if function.failures}
    return [
        *(alarm for function in watched.functions for alarm in _function_alarms(function)),
        *(_depth_alarm(name, queue) for name, queue in {**queues, **watched.dead_letters}.items()),
        *(_age_alarm(name, queue) for name, queue in watched.work_queues.items()),
        *(alarm for name, table in watched.tables.items() for alarm in _table_alarms(name, table)),
        *(_channel_alarm(channel) for channel in watched.channels),
        *(alarm for project in watched.projects for alarm in _project_alarms(project)),
        *(_health_alarm(check) for check in HEALTH_CHECKS),
        Alarm(
            name="enrichment-latency",
            meaning=f"The slowest 1 % of lease look-ups took more than {ENRICHMENT_P99_LIMIT_MS} ms",
            metric=ENRICHMENT_LATENCY,
            limit=ENRICHMENT_P99_LIMIT_MS,
            periods=3,
        ),
        *(_not_queued_alarm(entry_point) for entry_point in ("webhooks", "reconciliation")),
        Alarm(
            name="issue-creation-failed",
            meaning="An approved draft did not become a Jira issue: its preview in Slack says why and what to do",
            metric=own_metric("jira_worker", "IssueCreation", outcome="failed"),
        ),
        Alarm(
            name="import-worker-lost",
            meaning="An import was given up because its worker died: docs/runbooks/jobs.md",
            metric=own_metric("shuttle", "JobGivenUp", failure="WORKER_LOST"),
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


def own_metric(entry_point: str, name: str, statistic: str = "Sum", **dimensions: str) -> Metric:
    """A metric that the code of ``entry_point`` writes (lib/metrics.py adds the dimension ``service``)."""
    return Metric(
        namespace=METRICS_NAMESPACE, name=name, dimensions={"service": entry_point, **dimensions}, statistic=statistic
    )


def function_metric(function: Function, name: str, statistic: str = "Sum") -> Metric:
    """A metric that Lambda writes of ``function``."""
    return Metric(namespace="AWS/Lambda", name=name, dimensions={"FunctionName": function.name}, statistic=statistic)


def queue_depth(queue: Queue | WorkQueue) -> Metric:
    """How many messages wait in ``queue``."""
    return _queue_metric(queue, "ApproximateNumberOfMessagesVisible")


def queue_age(queue: WorkQueue) -> Metric:
    """How many seconds the oldest message of ``queue`` is old, waiting or being worked on."""
    return _queue_metric(queue, "ApproximateAgeOfOldestMessage")


def table_metric(table: Table, name: str) -> Metric:
    """A metric that DynamoDB writes of ``table``."""
    return Metric(namespace="AWS/DynamoDB", name=name, dimensions={"TableName": table.name}, statistic="Sum")


def http_metric(api: HttpApi, name: str, statistic: str = "Sum") -> Metric:
    """A metric that API Gateway writes of ``api``."""
    return Metric(namespace="AWS/ApiGateway", name=name, dimensions={"ApiId": api.id}, statistic=statistic)


def _queue_metric(queue: Queue | WorkQueue, name: str) -> Metric:
    return Metric(namespace="AWS/SQS", name=name, dimensions={"QueueName": queue.name}, statistic="Maximum")


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


ENRICHMENT_LATENCY = own_metric("notification", "EnrichmentQueryLatencyMs", "p99")


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


def _age_alarm(name: str, queue: WorkQueue) -> Alarm:
    return Alarm(
        name=f"{name}-age",
        meaning=f"Work lies in the queue {name} for more than {OLDEST_WORK_LIMIT_SECONDS // 60} minutes: it fails, or piles up",
        metric=queue_age(queue),
        limit=OLDEST_WORK_LIMIT_SECONDS,
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
        metric=own_metric("notification", "NotificationFailed", channel=channel),
    )


def _project_alarms(project: str) -> list[Alarm]:
    return [
        Alarm(
            name=f"{project}-reconciliation-refused",
            meaning=f"The reconciliation of the project {project} did less than it should: its log says why",
            metric=own_metric("reconciliation", "ReconciliationRefused", project=project),
        ),
        Alarm(
            name=f"{project}-reconciliation-failed",
            meaning=f"Issues of the project {project} could not be reconciled",
            metric=own_metric("reconciliation", "ReconciliationFailed", project=project),
        ),
    ]


def _health_alarm(check: str) -> Alarm:
    return Alarm(
        name=f"health-{check.replace('_', '-')}",
        meaning=f"The health check {check} failed: the log of the function health says what is wrong",
        metric=own_metric("health", "HealthCheckFailed", check=check),
    )


def _not_queued_alarm(entry_point: str) -> Alarm:
    return Alarm(
        name=f"{entry_point}-correlation-not-queued",
        meaning=f"The function {entry_point} could not queue correlations: they are out of date until a sweep ends well",
        metric=own_metric(entry_point, "CorrelationNotQueued"),
    )
