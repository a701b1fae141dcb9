"""The watched resources and their metrics, for alarms and the dashboard. docs/observability.md explains each metric."""

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi

from lib.platform import contract
from stack.components.function import Function
from stack.components.http_api import HttpApi
from stack.components.queue import DeadLetterQueue, WorkQueue
from stack.components.table import Table

ENRICHMENT_P99_LIMIT_MS = 200
PERIOD_SECONDS = 300
CREATION_SECONDS = 900
"""How long the creation of a stack may take until its schedules run."""

OLDEST_WORK_LIMIT_SECONDS = contract.OLDEST_WORK_LIMIT_SECONDS
"""A message is processed within seconds. One this old failed and waits for its next delivery (half an hour in ``jira-work``,
17 minutes in ``shuttle-jobs``), waits behind others, or searches for an unclear issue, 15 minutes apart."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One CloudWatch metric.

    Attributes:
        namespace: ``AWS/Lambda``, ``Switchboard``, …
        name: the metric's name.
        dimensions: all of them: CloudWatch does not aggregate over an omitted one.
        statistic: ``Sum``, ``Maximum``, or a percentile like ``p99``.
    """

    namespace: str
    name: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The sum of metrics; one without a value counts as zero."""

    parts: tuple[Metric, ...]


def total_of(ids: Sequence[str]) -> str:
    """The metric math of a :class:`Total` whose parts have these IDs.

    Most have never had a value: SUM ignores a missing series, and FILL replaces a missing value.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    return f"SUM([{','.join(f'FILL({each},0)' for each in ids)}])"


def runs_since(id_: str, since: int) -> str:
    """The metric math of the runs in a period; a period that began before ``since`` (epoch seconds) counts as one run.

    So silence before the first run of a new stack is not a fault. If CloudWatch has no result because the metric never had a
    value, the missing result counts as silence: the alarm may be raised too early, but never too late.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    return f"SUM([FILL({id_},0),IF(EPOCH(TIME_SERIES(1))<{since},1,0)])"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The parts of the stack that are watched.

    Attributes:
        functions: every function.
        dead_letters: the queues that should be empty, besides the failure queues of functions, by the entry point that would
            have processed their content.
        work_queues: the queues that feed functions.
        tables: every table.
        http_api: the HTTP API.
        channels: the notification channels in use.
        projects: the Jira projects that are reconciled.
        sweeps_approvals: whether drafts that wait are swept, to remind the approvers and to expire.
    """

    functions: Sequence[Function]
    dead_letters: Mapping[str, Sequence[DeadLetterQueue]]
    work_queues: Sequence[WorkQueue]
    tables: Sequence[Table]
    http_api: HttpApi
    channels: Sequence[str]
    projects: Sequence[str]
    sweeps_approvals: bool


def own_metric(metric: contract.Metric, statistic: str = "Sum", *, writer: str = "", **dimensions: str) -> Metric:
    """A metric of Switchboard with the values of its dimensions, written by ``writer`` (not needed if it has one writer only).

    Raises:
        ValueError: the metric has other dimensions or writers.
    """
    if dimensions.keys() != set(metric.dimensions):
        raise ValueError(f"{metric.name} has the dimensions {metric.dimensions}, not {tuple(dimensions)}")
    return Metric(
        namespace=contract.METRICS_NAMESPACE,
        name=metric.name,
        dimensions={"service": writer_of(metric, writer), **dimensions},
        statistic=statistic,
    )


def writer_of(metric: contract.Metric, writer: str = "") -> str:
    """``writer``, or the only writer of ``metric``.

    Raises:
        ValueError: ``writer`` does not write it, or there are several and none is given.
    """
    if (writer and writer not in metric.writers) or (not writer and len(metric.writers) > 1):
        raise ValueError(f"{metric.name} is written by {metric.writers}, not by {writer or 'one function'}")
    return writer or metric.writers[0]


def function_metric(function: Function, name: str, statistic: str = "Sum") -> Metric:
    """A metric that Lambda writes about ``function``."""
    return Metric(namespace="AWS/Lambda", name=name, dimensions={"FunctionName": function.name}, statistic=statistic)


def queue_depth(queue: DeadLetterQueue | WorkQueue) -> Metric:
    """The number of messages waiting in ``queue``."""
    return _queue_metric(queue, "ApproximateNumberOfMessagesVisible")


def queue_age(queue: WorkQueue) -> Metric:
    """The age in seconds of the oldest message of ``queue``, waiting or being processed."""
    return _queue_metric(queue, "ApproximateAgeOfOldestMessage")


def table_metric(table: Table, name: str) -> Metric | Total:
    """A metric of ``table``, including its indexes, which DynamoDB counts separately.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    """
    of_table = Metric(namespace="AWS/DynamoDB", name=name, dimensions={"TableName": table.name}, statistic="Sum")
    of_indexes = (
        dataclasses.replace(of_table, dimensions={**of_table.dimensions, "GlobalSecondaryIndexName": index})
        for index in table.indexes
    )
    return Total(parts=(of_table, *of_indexes)) if table.indexes else of_table


def http_metric(api: HttpApi, name: str, statistic: str = "Sum") -> Metric:
    """A metric that API Gateway writes about ``api``."""
    return Metric(namespace="AWS/ApiGateway", name=name, dimensions={"ApiId": api.api_id}, statistic=statistic)


def _queue_metric(queue: DeadLetterQueue | WorkQueue, name: str) -> Metric:
    return Metric(namespace="AWS/SQS", name=name, dimensions={"QueueName": queue.name}, statistic="Maximum")
