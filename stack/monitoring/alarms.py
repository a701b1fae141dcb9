"""The alarms: when a person is notified, and which runbook to follow. docs/reference/failures.md lists them all."""

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_aws as aws

from lib.platform import contract
from stack.components.function import Function
from stack.components.queue import DeadLetterQueue, WorkQueue
from stack.components.table import Table
from stack.monitoring.metrics import (
    ENRICHMENT_P99_LIMIT_MS,
    OLDEST_WORK_LIMIT_SECONDS,
    PERIOD_SECONDS,
    Metric,
    Total,
    Watched,
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
"""Slack stops waiting for the answer to a click after that, and shows a warning."""

REFUSALS_LIMIT = 20
"""Refused requests in 5 minutes. More than that for 15 minutes is a misconfigured sender rather than a random scan."""

LASTING_FAILURES = ("access_denied", "no_table", "refused", "defect")
"""Reasons of EnrichmentFailure that are permanent. The others show as latency or throttles, or open the circuit."""


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
        meaning: what has happened, as a sentence.
        runbook: the section that says what to do, relative to docs/runbooks/.
        metric: what is watched; CloudWatch bills each part of a total as an alarm.
        fault: whether too much of it or none is the fault.
        limit: more than this is too much; for silence, no more than this.
        periods: how many periods in a row.
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
        """What the notified person reads first."""
        return f"{self.meaning}. Runbook: docs/runbooks/{self.runbook}"


def alarms(watched: Watched) -> Iterator[Alarm]:
    """Every alarm of the stack."""
    for function in watched.functions:
        yield from _function_alarms(function)
    for dead_letters in watched.dead_letters:
        yield _depth_alarm(dead_letters)
    for work in watched.work_queues:
        yield _age_alarm(work)
    for table in watched.tables:
        yield from _table_alarms(table)
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


def create(alarm: Alarm, topic_arn: pulumi.Input[str], opts: pulumi.ResourceOptions) -> aws.cloudwatch.MetricAlarm:
    """Create an alarm; ``topic_arn`` is notified when it is raised and when it is over."""
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
        opts=opts,
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
        meaning=f"The function {name} was throttled: the account's concurrency is used up",
        runbook="functions.md#functions-are-throttled",
        metric=function_metric(function, "Throttles"),
    )
    yield Alarm(
        name=f"{name}-recursion-stopped",
        meaning=f"Lambda stopped a chain of invocations of {name} that looks like an endless loop",
        runbook="functions.md#lambda-stopped-a-loop",
        metric=function_metric(function, "RecursiveInvocationsDropped"),
    )
    if function.failures:
        yield _depth_alarm(function.failures)
        yield Alarm(
            name=f"{function.failures.logical_name}-lost",
            meaning=f"An event that {name} could not process is lost: Lambda could not write it to the failure queue",
            runbook="functions.md#an-event-was-lost",
            metric=function_metric(function, "DestinationDeliveryFailures"),
        )


def _depth_alarm(queue: DeadLetterQueue) -> Alarm:
    return Alarm(
        name=f"{queue.logical_name}-depth",
        meaning=f"The queue {queue.logical_name} contains failed work: nothing retries it until you redrive it",
        runbook="functions.md#dead-letters",
        metric=queue_depth(queue),
    )


def _age_alarm(queue: WorkQueue) -> Alarm:
    minutes = OLDEST_WORK_LIMIT_SECONDS // 60
    return Alarm(
        name=f"{queue.logical_name}-age",
        meaning=f"The oldest message of the queue {queue.logical_name} is older than {minutes} minutes",
        runbook="functions.md#messages-wait-in-a-queue",
        metric=queue_age(queue),
        limit=OLDEST_WORK_LIMIT_SECONDS,
    )


def _table_alarms(table: Table) -> Iterator[Alarm]:
    name, where = table.logical_name, " or its indexes" if table.indexes else ""
    for kind in ["Read"] if table.read_only else ["Read", "Write"]:
        yield Alarm(
            name=f"{name}-{kind.lower()}-throttles",
            meaning=f"DynamoDB throttled {kind.lower()}s of the table {name}{where}",
            runbook="functions.md#a-table-is-throttled",
            metric=table_metric(table, f"{kind}ThrottleEvents"),
        )


def _channel_alarm(channel: str) -> Alarm:
    return Alarm(
        name=f"{channel}-notifications-failed",
        meaning=f"Notifications could not be sent through the channel {channel}",
        runbook="lease-notifications.md#a-channel-fails",
        metric=own_metric(contract.NOTIFICATION_FAILED, channel=channel),
    )


def _too_old_alarm() -> Alarm:
    return Alarm(
        name="notifications-too-old",
        meaning="Lease events were too old to be sent: an old archive is replayed, or a sender's clock is wrong",
        runbook="lease-notifications.md#events-are-too-old",
        metric=own_metric(contract.NOTIFICATION_TOO_OLD),
    )


def _enrichment_alarms() -> Iterator[Alarm]:
    failing = "lease-notifications.md#enrichment-is-slow-or-fails"
    yield Alarm(
        name="enrichment-latency",
        meaning=f"The slowest 1 % of lease lookups took more than {ENRICHMENT_P99_LIMIT_MS} ms",
        runbook=failing,
        metric=own_metric(contract.ENRICHMENT_QUERY_LATENCY_MS, "p99"),
        limit=ENRICHMENT_P99_LIMIT_MS,
        periods=3,
    )
    for reason in LASTING_FAILURES:
        yield Alarm(
            name=f"enrichment-{reason.replace('_', '-')}",
            meaning=f"Lease lookups fail ({reason}): notifications lack the details of the lease",
            runbook=failing,
            metric=own_metric(contract.ENRICHMENT_FAILURE, reason=reason),
        )
    yield Alarm(
        name="enrichment-circuit-open",
        meaning="Three lease lookups in a row failed, and most are skipped for now: notifications lack the lease's details",
        runbook=failing,
        metric=own_metric(contract.ENRICHMENT_SKIPPED, reason="circuit_open"),
    )
    yield Alarm(
        name="schema-drift",
        meaning="Lease records have unknown fields, or lack required ones",
        runbook="lease-notifications.md#the-schema-drifts",
        metric=own_metric(contract.SCHEMA_DRIFT),
    )


def _project_alarms(project: str) -> Iterator[Alarm]:
    yield Alarm(
        name=f"{project}-reconciliation-refused",
        meaning=f"The reconciliation of the project {project} refused a step: its log says why",
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
        meaning=f"Changes to the project {project} in Jira were not read for an hour: this should run every 15 minutes",
        runbook="reconciliation.md#it-does-not-run",
        metric=own_metric(contract.RECONCILIATION_RUN, project=project, mode="changes"),
        fault=Fault.SILENCE,
        periods=12,
    )
    yield Alarm(
        name=f"{project}-sweep-stopped",
        meaning=f"No sweep of the project {project} finished for 26 hours: one should run every night",
        runbook="reconciliation.md#it-does-not-run",
        metric=own_metric(contract.RECONCILIATION_RUN, project=project, mode="full"),
        fault=Fault.SILENCE,
        periods=26,
        period_seconds=HOUR_SECONDS,
    )


def _not_queued_alarm(entry_point: str) -> Alarm:
    return Alarm(
        name=f"{entry_point}-correlation-not-queued",
        meaning=f"The function {entry_point} could not queue correlations: they are out of date until a sweep succeeds",
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
        meaning="A draft has two Jira issues: the log event second_issue_created names the one to close",
        runbook="approvals.md#what-people-see",
        metric=own_metric(contract.ISSUE_CREATION, outcome="second"),
    )
    yield Alarm(
        name="issue-search-stuck",
        meaning="The search for the Jira issue of a draft ended after many failures: whether the issue exists is unknown",
        runbook="approvals.md#what-people-see",
        metric=own_metric(contract.ISSUE_CREATION, outcome="stuck"),
    )
    [function] = [each for each in watched.functions if each.entry_point == "approvals"]
    yield Alarm(
        name="approvals-slow",
        meaning=(
            f"The slowest 1 % of clicks and drafts took the function approvals over {SLACK_WAITS_MS // 1000} s, cold starts "
            "excluded: Slack shows a warning for such a click"
        ),
        runbook="approvals.md#what-people-see",
        metric=function_metric(function, "Duration", "p99"),
        limit=SLACK_WAITS_MS,
    )


def _job_alarms() -> Iterator[Alarm]:
    yield Alarm(
        name="import-worker-lost",
        meaning="The sweep failed an import job because its worker was lost",
        runbook="jobs.md#worker_lost",
        metric=own_metric(contract.JOB_GIVEN_UP, failure="WORKER_LOST"),
    )
    yield Alarm(
        name="shuttle-sweep-stopped",
        meaning="The sweep for lost jobs did not run for an hour: it should run every 15 minutes",
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
        meaning="There was no health report for 15 minutes: there should be one every 5 minutes",
        runbook="health_smoke.md#no-report-at-all",
        metric=own_metric(contract.HEALTH_REPORT),
        fault=Fault.SILENCE,
        periods=3,
    )


def _http_alarms(watched: Watched) -> Iterator[Alarm]:
    yield Alarm(
        name="http-server-errors",
        meaning="The HTTP API answers with server errors: senders retry, and drop the event if this continues",
        runbook="functions.md#the-http-api-answers-5xx",
        metric=http_metric(watched.http_api, "5xx"),
    )
    yield Alarm(
        name="http-refusals",
        meaning=f"The HTTP API refused more than {REFUSALS_LIMIT} requests in 5 minutes, three times in a row",
        runbook="functions.md#many-callers-are-refused",
        metric=http_metric(watched.http_api, "4xx"),
        limit=REFUSALS_LIMIT,
        periods=3,
    )
