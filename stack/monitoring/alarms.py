"""The alarms: when a person is called, and by which runbook they go. docs/reference/failures.md has them all in one table."""

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_aws as aws

from lib.platform import contract
from stack.components.function import Function
from stack.components.queue import Queue, WorkQueue
from stack.components.table import Table
from stack.monitoring.metrics import (
    ENRICHMENT_P99_LIMIT_MS,
    OLDEST_WORK_LIMIT_SECONDS,
    PERIOD_SECONDS,
    Metric,
    Total,
    Watched,
    failure_queue,
    function_metric,
    http_metric,
    own_metric,
    queue_age,
    queue_depth,
    table_metric,
    total_of,
)

HOUR_SECONDS = 3600
SLACK_WAITS_MS = 3000
"""Slack gives up on the answer to a click after that, and shows a warning."""

REFUSALS_LIMIT = 20
"""Refused requests in 5 minutes: more, for a quarter of an hour, is no stranger trying doors but a sender set up wrong."""

LASTING_FAILURES = ("access_denied", "no_table", "refused", "defect")
"""Reasons of EnrichmentFailure that do not pass by themselves. The others show as latency or throttles, or open the circuit."""


class Fault(enum.Enum):
    """What of a metric is a fault: the comparison with the limit, and what it means that there is no value."""

    TOO_MUCH = ("GreaterThanThreshold", "notBreaching")
    """Nothing happened is no fault."""

    SILENCE = ("LessThanOrEqualToThreshold", "breaching")
    """What runs by the clock has not run."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """When a metric is a case for a person.

    Attributes:
        name: the alarm's logical name.
        meaning: what has happened, as a sentence.
        runbook: where it says what to do: a section, from docs/runbooks/.
        metric: what is looked at; for a total, CloudWatch bills each of its parts as an alarm.
        fault: whether too much of it or none is the fault.
        limit: more than this is too much; of silence, no more than this.
        periods: how many periods on end.
        period_seconds: the length of one. A day of periods at most, a week of those of an hour or more
            (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html).
    """

    name: str
    meaning: str
    runbook: str
    metric: Metric | Total
    fault: Fault = Fault.TOO_MUCH
    limit: float = 0
    periods: int = 1
    period_seconds: int = PERIOD_SECONDS

    @property
    def description(self) -> str:
        """What the person who is called reads first."""
        return f"{self.meaning}. Runbook: docs/runbooks/{self.runbook}"


def alarms(watched: Watched) -> Iterator[Alarm]:
    """Every alarm there is to be."""
    for function in watched.functions:
        yield from _function_alarms(function)
    for name, dead_letters in watched.dead_letters.items():
        yield _depth_alarm(name, dead_letters)
    for name, work in watched.work_queues.items():
        yield _age_alarm(name, work)
    for name, table in watched.tables.items():
        yield from _table_alarms(name, table)
    for channel in watched.channels:
        yield _channel_alarm(channel)
    yield _too_old_alarm()
    yield from _enrichment_alarms()
    for project in watched.projects:
        yield from _project_alarms(project)
    yield from (_not_queued_alarm(entry_point) for entry_point in contract.CORRELATION_NOT_QUEUED.writers)
    yield from _approval_alarms(watched)
    yield from _job_alarms()
    yield from _health_alarms()
    yield from _http_alarms(watched)


def create(watched: Watched, topic_arn: pulumi.Input[str]) -> list[pulumi.Output[str]]:
    """Create the alarms of ``watched``; each tells ``topic_arn`` when it goes off and when it is over.

    Returns:
        Their ARNs.
    """
    return [_create(alarm, topic_arn).arn for alarm in alarms(watched)]


def _create(alarm: Alarm, topic_arn: pulumi.Input[str]) -> aws.cloudwatch.MetricAlarm:
    metric, period = alarm.metric, alarm.period_seconds
    comparison, missing = alarm.fault.value
    return aws.cloudwatch.MetricAlarm(
        alarm.name,
        alarm_description=alarm.description,
        **(_total_inputs(metric, period) if isinstance(metric, Total) else _metric_inputs(metric, period)),
        comparison_operator=comparison,
        threshold=alarm.limit,
        evaluation_periods=alarm.periods,
        treat_missing_data=missing,
        alarm_actions=[topic_arn],
        ok_actions=[topic_arn],
    )


def _metric_inputs(metric: Metric, period_seconds: int) -> dict[str, Any]:
    is_percentile = metric.statistic.startswith("p")
    return {
        "namespace": metric.namespace,
        "metric_name": metric.name,
        "dimensions": metric.dimensions,
        "extended_statistic" if is_percentile else "statistic": metric.statistic,
        "period": period_seconds,
    }


def _total_inputs(total: Total, period_seconds: int) -> dict[str, Any]:
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
        for number, part in enumerate(total.parts)
    ]
    expression = total_of([str(part["id"]) for part in parts])
    return {"metric_queries": [*parts, {"id": "total", "expression": expression, "label": "total", "return_data": True}]}


def _function_alarms(function: Function) -> Iterator[Alarm]:
    name = function.entry_point
    yield Alarm(
        name=f"{name}-errors",
        meaning=f"The function {name} failed: its log says why",
        runbook="functions.md#a-function-failed",
        metric=function_metric(function, "Errors"),
    )
    yield Alarm(
        name=f"{name}-throttles",
        meaning=f"The function {name} was refused for want of concurrency in this account",
        runbook="functions.md#functions-are-throttled",
        metric=function_metric(function, "Throttles"),
    )
    yield Alarm(
        name=f"{name}-recursion-stopped",
        meaning=f"Lambda stopped a chain of invocations of {name} because it looks like an endless loop",
        runbook="functions.md#lambda-stopped-a-loop",
        metric=function_metric(function, "RecursiveInvocationsDropped"),
    )
    for queue_name, failures in failure_queue(function).items():
        yield _depth_alarm(queue_name, failures)
        yield Alarm(
            name=f"{queue_name}-lost",
            meaning=f"Lambda could not put an event that {name} failed on into its failure queue, and the event is gone",
            runbook="functions.md#an-event-was-lost",
            metric=function_metric(function, "DestinationDeliveryFailures"),
        )


def _depth_alarm(name: str, queue: Queue) -> Alarm:
    return Alarm(
        name=f"{name}-depth",
        meaning=f"Events lie in the queue {name}: nobody else will handle them",
        runbook="functions.md#dead-letters",
        metric=queue_depth(queue),
    )


def _age_alarm(name: str, queue: WorkQueue) -> Alarm:
    return Alarm(
        name=f"{name}-age",
        meaning=f"Work lies in the queue {name} for more than {OLDEST_WORK_LIMIT_SECONDS // 60} minutes: it fails, or piles up",
        runbook="functions.md#messages-wait-in-a-queue",
        metric=queue_age(queue),
        limit=OLDEST_WORK_LIMIT_SECONDS,
    )


def _table_alarms(name: str, table: Table) -> Iterator[Alarm]:
    for kind in ["Read"] if table.read_only else ["Read", "Write"]:
        yield Alarm(
            name=f"{name}-{kind.lower()}-throttles",
            meaning=f"DynamoDB throttled {kind.lower()}s of the table {name}{' or its indexes' if table.indexes else ''}",
            runbook="functions.md#a-table-is-throttled",
            metric=table_metric(table, f"{kind}ThrottleEvents"),
        )


def _channel_alarm(channel: str) -> Alarm:
    return Alarm(
        name=f"{channel}-notifications-failed",
        meaning=f"Notifications could not be sent by the channel {channel}",
        runbook="lease-notifications.md#a-channel-fails",
        metric=own_metric(contract.NOTIFICATION_FAILED, channel=channel),
    )


def _too_old_alarm() -> Alarm:
    return Alarm(
        name="notifications-too-old",
        meaning="Lease events were not sent because of their age: an old archive is replayed, or a sender's clock is wrong",
        runbook="lease-notifications.md#events-are-too-old",
        metric=own_metric(contract.NOTIFICATION_TOO_OLD),
    )


def _enrichment_alarms() -> Iterator[Alarm]:
    failing = "lease-notifications.md#enrichment-is-slow-or-fails"
    yield Alarm(
        name="enrichment-latency",
        meaning=f"The slowest 1 % of lease look-ups took more than {ENRICHMENT_P99_LIMIT_MS} ms",
        runbook=failing,
        metric=own_metric(contract.ENRICHMENT_QUERY_LATENCY_MS, "p99"),
        limit=ENRICHMENT_P99_LIMIT_MS,
        periods=3,
    )
    for reason in LASTING_FAILURES:
        yield Alarm(
            name=f"enrichment-{reason.replace('_', '-')}",
            meaning=f"Leases can't be looked up ({reason}): people are told without the lease's details",
            runbook=failing,
            metric=own_metric(contract.ENRICHMENT_FAILURE, reason=reason),
        )
    yield Alarm(
        name="enrichment-circuit-open",
        meaning="Three lease look-ups in a row failed, and most are left out for now: people are told without the details",
        runbook=failing,
        metric=own_metric(contract.ENRICHMENT_SKIPPED, reason="circuit_open"),
    )
    yield Alarm(
        name="schema-drift",
        meaning="Lease records have fields that this version does not know, or lack some that it needs",
        runbook="lease-notifications.md#the-schema-drifts",
        metric=own_metric(contract.SCHEMA_DRIFT),
    )


def _project_alarms(project: str) -> Iterator[Alarm]:
    yield Alarm(
        name=f"{project}-reconciliation-refused",
        meaning=f"The reconciliation of the project {project} did less than it should: its log says why",
        runbook="reconciliation.md#a-run-refused-something",
        metric=own_metric(contract.RECONCILIATION_REFUSED, project=project),
    )
    yield Alarm(
        name=f"{project}-reconciliation-failed",
        meaning=f"Issues of the project {project} could not be reconciled",
        runbook="reconciliation.md#a-run-refused-something",
        metric=own_metric(contract.RECONCILIATION_COUNTS["failed"], project=project),
    )
    yield Alarm(
        name=f"{project}-changes-stopped",
        meaning=f"Jira's changes to the project {project} were not looked at for an hour: they are every 15 minutes",
        runbook="reconciliation.md#it-does-not-run",
        metric=own_metric(contract.RECONCILIATION_RUN, project=project, mode="changes"),
        fault=Fault.SILENCE,
        periods=12,
    )
    yield Alarm(
        name=f"{project}-sweep-stopped",
        meaning=f"No sweep of the project {project} came to its end for 26 hours: there is one every night",
        runbook="reconciliation.md#it-does-not-run",
        metric=own_metric(contract.RECONCILIATION_RUN, project=project, mode="full"),
        fault=Fault.SILENCE,
        periods=26,
        period_seconds=HOUR_SECONDS,
    )


def _not_queued_alarm(entry_point: str) -> Alarm:
    return Alarm(
        name=f"{entry_point}-correlation-not-queued",
        meaning=f"The function {entry_point} could not queue correlations: they are out of date until a sweep ends well",
        runbook="jira-webhooks.md#troubleshooting",
        metric=own_metric(contract.CORRELATION_NOT_QUEUED, writer=entry_point),
    )


def _approval_alarms(watched: Watched) -> Iterator[Alarm]:
    yield Alarm(
        name="issue-creation-failed",
        meaning="An approved draft did not become a Jira issue: its preview in Slack says why and what to do",
        runbook="approvals.md#what-people-see",
        metric=own_metric(contract.ISSUE_CREATION, outcome="failed"),
    )
    yield Alarm(
        name="second-issue-created",
        meaning="A draft has two Jira issues: the log line second_issue_created names the one to close",
        runbook="approvals.md#what-people-see",
        metric=own_metric(contract.ISSUE_CREATION, outcome="second"),
    )
    yield Alarm(
        name="issue-search-stuck",
        meaning="Jira's search failed for so long that a draft's issue is not looked for any more: the preview stays unclear",
        runbook="approvals.md#what-people-see",
        metric=own_metric(contract.ISSUE_CREATION, outcome="stuck"),
    )
    [function] = [each for each in watched.functions if each.entry_point == "approvals"]
    yield Alarm(
        name="approvals-slow",
        meaning=(
            f"The function approvals took over {SLACK_WAITS_MS // 1000} s for a click or a draft, a cold start not counted; "
            "Slack warns of such a click"
        ),
        runbook="approvals.md#what-people-see",
        metric=function_metric(function, "Duration", "p99"),
        limit=SLACK_WAITS_MS,
    )


def _job_alarms() -> Iterator[Alarm]:
    yield Alarm(
        name="import-worker-lost",
        meaning="An import was given up because its worker died",
        runbook="jobs.md#worker_lost",
        metric=own_metric(contract.JOB_GIVEN_UP, failure="WORKER_LOST"),
    )
    yield Alarm(
        name="shuttle-sweep-stopped",
        meaning="Lost jobs were not looked for in the last hour: it is done every 15 minutes",
        runbook="jobs.md#jobs-stay-processing",
        metric=own_metric(contract.JOB_SWEEP),
        fault=Fault.SILENCE,
        periods=12,
    )


def _health_alarms() -> Iterator[Alarm]:
    for check in contract.HEALTH_CHECKS:
        yield Alarm(
            name=f"health-{check.replace('_', '-')}",
            meaning=f"The health check {check} failed: the log of the function health says what is wrong",
            runbook="health_smoke.md#a-check-failed",
            metric=own_metric(contract.HEALTH_CHECK_FAILED, check=check),
        )
    yield Alarm(
        name="health-stopped",
        meaning="There was no health report for 15 minutes: there is one every 5",
        runbook="health_smoke.md#no-report-at-all",
        metric=own_metric(contract.HEALTH_REPORT),
        fault=Fault.SILENCE,
        periods=3,
    )


def _http_alarms(watched: Watched) -> Iterator[Alarm]:
    yield Alarm(
        name="http-server-errors",
        meaning="The HTTP API answered with server errors: senders retry, and lose the event if it goes on",
        runbook="functions.md#the-http-api-answers-5xx",
        metric=http_metric(watched.http_api, "5xx"),
    )
    yield Alarm(
        name="http-refusals",
        meaning=f"The HTTP API refused more than {REFUSALS_LIMIT} requests in 5 minutes, three times on end",
        runbook="functions.md#many-callers-are-refused",
        metric=http_metric(watched.http_api, "4xx"),
        limit=REFUSALS_LIMIT,
        periods=3,
    )
