"""What is watched, and by which metrics: what alarms and dashboard are made of. docs/observability.md explains each metric."""

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi

from lib.platform import contract
from stack.components.function import Function
from stack.components.http_api import HttpApi
from stack.components.queue import Queue, WorkQueue
from stack.components.table import Table

ENRICHMENT_P99_LIMIT_MS = 200
PERIOD_SECONDS = 300
OLDEST_WORK_LIMIT_SECONDS = 900
"""A message is done within seconds. One this old has failed and comes back (half an hour later in ``jira-work``, 17 minutes in
``shuttle-jobs``), waits behind others, or is a look for an unclear issue, up to 15 minutes after the one before."""


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
class Total:
    """Metrics added up; one that has no value counts as nothing."""

    parts: tuple[Metric, ...]


def total_of(ids: Sequence[str]) -> str:
    """The metric math of a :class:`Total`, whose parts have these ids.

    Most have never had a value: SUM leaves out what is not there at all, and FILL makes up for a gap.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    return f"SUM([{','.join(f'FILL({each},0)' for each in ids)}])"


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
        return {name: queue for function in self.functions for name, queue in failure_queue(function).items()}


def failure_queue(function: Function) -> dict[str, Queue]:
    """The queue of what ``function`` failed on, by its logical name; nothing if it has none."""
    return {f"{function.entry_point}-failures": function.failures} if function.failures else {}


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
    """A metric that Lambda writes of ``function``."""
    return Metric(namespace="AWS/Lambda", name=name, dimensions={"FunctionName": function.name}, statistic=statistic)


def queue_depth(queue: Queue | WorkQueue) -> Metric:
    """How many messages wait in ``queue``."""
    return _queue_metric(queue, "ApproximateNumberOfMessagesVisible")


def queue_age(queue: WorkQueue) -> Metric:
    """How many seconds the oldest message of ``queue`` is old, waiting or being worked on."""
    return _queue_metric(queue, "ApproximateAgeOfOldestMessage")


def table_metric(table: Table, name: str) -> Metric | Total:
    """A metric that DynamoDB writes of ``table``, and of each of its indexes apart: all of it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    """
    of_table = Metric(namespace="AWS/DynamoDB", name=name, dimensions={"TableName": table.name}, statistic="Sum")
    of_indexes = (
        dataclasses.replace(of_table, dimensions={**of_table.dimensions, "GlobalSecondaryIndexName": index})
        for index in table.indexes
    )
    return Total(parts=(of_table, *of_indexes)) if table.indexes else of_table


def http_metric(api: HttpApi, name: str, statistic: str = "Sum") -> Metric:
    """A metric that API Gateway writes of ``api``."""
    return Metric(namespace="AWS/ApiGateway", name=name, dimensions={"ApiId": api.id}, statistic=statistic)


def _queue_metric(queue: Queue | WorkQueue, name: str) -> Metric:
    return Metric(namespace="AWS/SQS", name=name, dimensions={"QueueName": queue.name}, statistic="Maximum")
