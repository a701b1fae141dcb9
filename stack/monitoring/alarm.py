"""One alarm: what it watches, when it is raised, and what the notified person reads."""

import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from stack.monitoring.metrics import CREATION_SECONDS, PERIOD_SECONDS, Metric, Total, runs_since, total_of
from stack.monitoring.severity import Severity


class Fault(enum.Enum):
    """What makes a metric a fault: the comparison with the limit, and the meaning of a missing value."""

    TOO_MUCH = ("GreaterThanThreshold", "notBreaching")
    """A missing value is not a fault."""

    SILENCE = ("LessThanOrEqualToThreshold", "breaching")
    """Something scheduled has not run."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """When a metric needs a person.

    Attributes:
        name: the alarm's logical name.
        meaning: what has happened, as one sentence without its full stop.
        command: the first thing to do, as arguments of ``python -m handlers.cli``.
        runbook: the section that says what to do, relative to docs/runbooks/.
        metric: what is watched; CloudWatch bills each part of a total as an alarm.
        severity: who is notified, and how fast they should react.
        fault: whether a high value or a missing value is the fault.
        limit: the alarm is raised above it; for silence, at or below it.
        periods: how many periods in a row.
        period_seconds: the length of a period. All periods together are at most a day, or a week for periods of an hour or more
            (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html).
    """

    name: str
    meaning: str
    command: str = "status"
    runbook: str
    metric: Metric | Total
    severity: Severity = Severity.TICKET
    fault: Fault = Fault.TOO_MUCH
    limit: float = 0
    periods: int = 1
    period_seconds: int = PERIOD_SECONDS

    def description(self, stack: str, runbooks: str) -> str:
        """What the notified person reads first: the meaning, the first command and the runbook.

        CloudWatch accepts 1,024 characters
        (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html).

        Args:
            stack: the stack that the command selects; if empty, the one that the shell has selected.
            runbooks: URL of the folder of the runbooks, ending in a slash.
        """
        selected = f"--stack {stack} " if stack else ""
        return f"{self.meaning}.\nFirst: python -m handlers.cli {selected}{self.command}\nRunbook: {runbooks}{self.runbook}"


def create(
    alarm: Alarm, description: str, topic_arn: pulumi.Input[str], now: float, opts: pulumi.ResourceOptions
) -> aws.cloudwatch.MetricAlarm:
    """Create an alarm at ``now`` (epoch seconds). It notifies ``topic_arn`` when it is raised and when it is over."""
    comparison, missing = alarm.fault.value
    if alarm.fault is Fault.SILENCE:
        # The alarm keeps the time at which it was created, so that a deployment does not restart the wait for a run.
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["metricQueries[1].expression"]))
    return aws.cloudwatch.MetricAlarm(
        alarm.name,
        alarm_description=description,
        **_watched_inputs(alarm, int(now) + CREATION_SECONDS),
        comparison_operator=comparison,
        threshold=alarm.limit,
        evaluation_periods=alarm.periods,
        treat_missing_data=missing,
        alarm_actions=[topic_arn],
        ok_actions=[topic_arn],
        opts=opts,
    )


def _watched_inputs(alarm: Alarm, since: int) -> dict[str, Any]:
    metric = alarm.metric
    if isinstance(metric, Total):
        return _math_inputs(metric.parts, total_of, alarm.period_seconds)
    if alarm.fault is Fault.SILENCE:
        return _math_inputs((metric,), lambda ids: runs_since(ids[0], since), alarm.period_seconds)
    is_percentile = metric.statistic.startswith("p")
    return {
        "namespace": metric.namespace,
        "metric_name": metric.name,
        "dimensions": metric.dimensions,
        "extended_statistic" if is_percentile else "statistic": metric.statistic,
        "period": alarm.period_seconds,
    }


def _math_inputs(metrics: Sequence[Metric], expression_of: Callable[[list[str]], str], period_seconds: int) -> dict[str, Any]:
    parts = [
        {
            "id": f"m{number}",
            "metric": {
                "namespace": part.namespace,
                "metric_name": part.name,
                "dimensions": part.dimensions,
                "stat": part.statistic,
                "period": period_seconds,
            },
        }
        for number, part in enumerate(metrics)
    ]
    expression = expression_of([str(part["id"]) for part in parts])
    return {"metric_queries": [*parts, {"id": "total", "expression": expression, "label": "total", "return_data": True}]}
