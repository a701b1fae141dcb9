"""Counts what each flow received, delivered and failed on, hour by hour, from CloudWatch's metrics: no log is read.

CloudWatch shows a value about a minute after it was written, and lists a new metric within a quarter of an hour. Requests that
are refused (4xx) have no metric of their own; the events page counts them (lib/operations/events.py).
"""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from lib.operations.deployed import pages
from lib.platform import contract
from lib.platform.contract import METRICS_NAMESPACE, Metric

HOUR = timedelta(hours=1)
HOURS = 24
_MOST_PAGES = 20  # of 500 metrics
_MOST_QUERIES = 500
"""The most metrics per GetMetricData."""


class Flow(StrEnum):
    """A way through Switchboard, from what arrives to what people get."""

    LEASES = "leases"
    JIRA = "jira"
    APPROVALS = "approvals"
    JOBS = "jobs"


TITLES: Mapping[Flow, str] = {
    Flow.LEASES: "Lease notifications",
    Flow.JIRA: "Jira and Git",
    Flow.APPROVALS: "Approvals",
    Flow.JOBS: "Shuttle jobs",
}


@dataclass(frozen=True, slots=True)
class Hour:
    """The numbers of one hour, which began at ``at``."""

    at: datetime
    received: int = 0
    delivered: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """One flow in the last :data:`HOURS` hours, the oldest first; the last hour is not over yet.

    Attributes:
        flow: the flow.
        hours: its numbers. Received: lease events, deliveries, drafts and clicks, jobs. Delivered: notifications, deliveries
            that were stored, issues, completed jobs. Failed: attempts that failed; a retry may have succeeded.
    """

    flow: Flow
    hours: tuple[Hour, ...]

    @property
    def title(self) -> str:
        """The flow's name for people."""
        return TITLES[self.flow]

    @property
    def received(self) -> int:
        """The total of the hours."""
        return sum(hour.received for hour in self.hours)

    @property
    def delivered(self) -> int:
        """The total."""
        return sum(hour.delivered for hour in self.hours)

    @property
    def failed(self) -> int:
        """The total."""
        return sum(hour.failed for hour in self.hours)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A metric that counts for a flow, in the field ``as_`` of :class:`Hour`, where its dimensions have these values."""

    metric: Metric
    flow: Flow
    as_: str
    where: Mapping[str, frozenset[str]]


def _counted(metric: Metric, flow: Flow, as_: str, **where: str) -> _Counted:
    return _Counted(metric, flow, as_, {name: frozenset(values.split()) for name, values in where.items()})


_COUNTED = (
    _counted(contract.ENRICHMENT_SUCCESS, Flow.LEASES, "received"),
    _counted(contract.LEASE_NOT_FOUND, Flow.LEASES, "received"),
    _counted(contract.ENRICHMENT_SKIPPED, Flow.LEASES, "received"),
    _counted(contract.ENRICHMENT_FAILURE, Flow.LEASES, "received"),
    _counted(contract.NOTIFICATION_TOO_OLD, Flow.LEASES, "received"),
    _counted(contract.NOTIFICATION_SENT, Flow.LEASES, "delivered"),
    _counted(contract.NOTIFICATION_FAILED, Flow.LEASES, "failed"),
    _counted(contract.WEBHOOK_DELIVERY, Flow.JIRA, "received"),
    _counted(contract.WEBHOOK_DELIVERY, Flow.JIRA, "delivered", outcome="stored"),
    _counted(contract.JIRA_FETCH, Flow.JIRA, "delivered"),
    _counted(contract.WORKER_FAILURE, Flow.JIRA, "failed"),
    _counted(contract.DRAFT_SUBMITTED, Flow.APPROVALS, "received"),
    _counted(contract.APPROVAL_CLICK, Flow.APPROVALS, "received"),
    _counted(contract.ISSUE_CREATION, Flow.APPROVALS, "delivered", outcome="created found"),
    _counted(contract.ISSUE_CREATION, Flow.APPROVALS, "failed", outcome="refused failed unknown stuck second"),
    _counted(contract.JOB_CREATED, Flow.JOBS, "received"),
    _counted(contract.IMPORT_RUN, Flow.JOBS, "delivered", status="COMPLETED"),
    _counted(contract.IMPORT_RUN, Flow.JOBS, "failed", status="FAILED"),
    _counted(contract.IMPORT_FAILED, Flow.JOBS, "failed"),
    _counted(contract.JOB_GIVEN_UP, Flow.JOBS, "failed"),
)


class FlowReader:
    """Reads the flows of one deployment, at most once per ``keep``. Thread-safe.

    CloudWatch adds a value per minute, and reading 1,000 metrics costs 0.01 USD (https://aws.amazon.com/cloudwatch/pricing/).
    """

    def __init__(self, keep: timedelta) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._read: tuple[datetime, tuple[FlowSummary, ...]] | None = None

    def read(self, cloudwatch: Any, now: datetime) -> tuple[FlowSummary, ...]:
        """See :func:`flow_summary`."""
        with self._lock:
            if self._read is None or now - self._read[0] >= self._keep:
                self._read = now, flow_summary(cloudwatch, now)
            return self._read[1]


def flow_summary(cloudwatch: Any, now: datetime) -> tuple[FlowSummary, ...]:
    """What each flow did in the last 24 hours.

    Args:
        cloudwatch: a client of CloudWatch.
        now: the present.

    Raises:
        SwitchboardError: the metrics can't be read.
    """
    last = now.replace(minute=0, second=0, microsecond=0)
    starts = [last - HOUR * back for back in reversed(range(HOURS))]
    totals: dict[tuple[Flow, datetime], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    metrics = list(_listed(cloudwatch))
    for first in range(0, len(metrics), _MOST_QUERIES):
        for counts, at, value in _values(cloudwatch, metrics[first : first + _MOST_QUERIES], starts[0], now):
            for of in counts:
                totals[of.flow, at][of.as_] += value
    return tuple(
        FlowSummary(flow, tuple(Hour(at, **{name: int(value) for name, value in totals[flow, at].items()}) for at in starts))
        for flow in Flow
    )


_Listed = tuple[Mapping[str, Any], tuple[_Counted, ...]]
"""A metric as CloudWatch lists it, and what it counts as."""


def _listed(cloudwatch: Any) -> Iterator[_Listed]:
    """The metrics that have values and count for a flow."""
    answers = pages("list the metrics", cloudwatch.list_metrics, most=_MOST_PAGES, Namespace=METRICS_NAMESPACE)
    for answer in answers:
        for metric in answer.get("Metrics", []):
            dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
            if counts := tuple(of for of in _COUNTED if _is_of(of, metric["MetricName"], dimensions)):
                yield metric, counts


def _is_of(counted: _Counted, name: str, dimensions: Mapping[str, str]) -> bool:
    metric = counted.metric
    return (
        name == metric.name
        and dimensions.keys() == {"service", *metric.dimensions}
        and dimensions["service"] in metric.writers
        and all(dimensions[each] in wanted for each, wanted in counted.where.items())
    )


def _values(
    cloudwatch: Any, metrics: Sequence[_Listed], start: datetime, end: datetime
) -> Iterator[tuple[tuple[_Counted, ...], datetime, float]]:
    """What each metric counts as, an hour, and its sum in that hour."""
    queries = [
        {"Id": f"m{number}", "MetricStat": {"Metric": dict(metric), "Period": int(HOUR.total_seconds()), "Stat": "Sum"}}
        for number, (metric, _) in enumerate(metrics)
    ]
    request: dict[str, Any] = {"MetricDataQueries": queries, "StartTime": start, "EndTime": end}
    for answer in pages("read the metrics", cloudwatch.get_metric_data, most=_MOST_PAGES, **request):
        for result in answer.get("MetricDataResults", []):
            counts = metrics[int(result["Id"][1:])][1]
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                yield counts, at.astimezone(UTC), value
