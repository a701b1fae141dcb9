"""What is watched, and by which metrics: what alarms and dashboard are made of. docs/observability.md explains each metric."""

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi

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

    @property
    def failure_queues(self) -> dict[str, Queue]:
        """The queues of what functions failed on, by their logical names."""
        return {f"{function.entry_point}-failures": function.failures for function in self.functions if function.failures}


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
