"""The alarms: when a person is notified, and which runbook to follow. docs/reference/failures.md lists them all."""

from collections.abc import Iterator

from lib.platform import contract
from stack.components.function import Function
from stack.components.queue import DeadLetterQueue, WorkQueue
from stack.components.table import Table
from stack.monitoring.alarm import Alarm, Fault
from stack.monitoring.metrics import (
    ENRICHMENT_P99_LIMIT_MS,
    OLDEST_WORK_LIMIT_SECONDS,
    Watched,
    function_metric,
    http_metric,
    own_metric,
    queue_age,
    queue_depth,
    table_metric,
)
from stack.monitoring.severity import Severity

HOUR_SECONDS = 3600
SLACK_WAITS_MS = 3000
"""Slack stops waiting for the answer to a click after that, and shows a warning."""

REFUSALS_LIMIT = 20
"""Refused requests in 5 minutes. More than that for 15 minutes is a misconfigured sender rather than a random scan."""

LASTING_FAILURES = ("access_denied", "no_table", "refused", "defect")
"""Reasons of EnrichmentFailure that are permanent. The others show as latency or throttles, or open the circuit."""


def alarms(watched: Watched) -> Iterator[Alarm]:
    """Every alarm of the stack."""
    for function in watched.functions:
        yield from _function_alarms(function, bool(function.failures or watched.dead_letters.get(function.entry_point)))
    for entry_point, queues in watched.dead_letters.items():
        # A person follows a backfill, and nothing is lost while it waits.
        severity = Severity.TICKET if entry_point == "backfill" else Severity.PAGE
        yield from (_depth_alarm(queue, entry_point, severity) for queue in queues)
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


def _function_alarms(function: Function, has_dead_letters: bool) -> Iterator[Alarm]:
    name = function.entry_point
    yield Alarm(
        name=f"{name}-errors",
        meaning=f"The function {name} failed: its log says why",
        command=_log_of(name),
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
        command=_dead_letters_of(name) if has_dead_letters else _log_of(name),
        runbook="functions.md#lambda-stopped-a-loop",
        metric=function_metric(function, "RecursiveInvocationsDropped"),
    )
    if function.failures:
        # The next run repeats scheduled work that failed. Nothing repeats a lease event.
        yield _depth_alarm(function.failures, name, Severity.PAGE if name == "notification" else Severity.TICKET)
        yield Alarm(
            name=f"{function.failures.logical_name}-lost",
            meaning=f"An event that {name} could not process is lost: Lambda could not write it to the failure queue",
            command=_log_of(name, "event_failed"),
            runbook="functions.md#an-event-was-lost",
            severity=Severity.PAGE,
            metric=function_metric(function, "DestinationDeliveryFailures"),
        )


def _depth_alarm(queue: DeadLetterQueue, entry_point: str, severity: Severity) -> Alarm:
    return Alarm(
        name=f"{queue.logical_name}-depth",
        meaning=f"The queue {queue.logical_name} contains failed work: nothing retries it until you redrive it",
        command=_dead_letters_of(entry_point),
        runbook="functions.md#dead-letters",
        severity=severity,
        metric=queue_depth(queue),
    )


def _dead_letters_of(entry_point: str) -> str:
    return f"redrive --function {entry_point} --dry-run"


def _log_of(entry_point: str, event: str = "") -> str:
    """The command that shows a function's log. A ticket may be read a day later."""
    return f"logs {event or '--level warning'} --function {entry_point} --since 1d"


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
        command=_log_of("notification", "notification_failed"),
        runbook="lease-notifications.md#a-channel-fails",
        metric=own_metric(contract.NOTIFICATION_FAILED, channel=channel),
    )


def _too_old_alarm() -> Alarm:
    return Alarm(
        name="notifications-too-old",
        meaning="Lease events were too old to be sent: an old archive is replayed, or a sender's clock is wrong",
        command=_log_of("notification", "event_too_old"),
        runbook="lease-notifications.md#events-are-too-old",
        metric=own_metric(contract.NOTIFICATION_TOO_OLD),
    )


def _enrichment_alarms() -> Iterator[Alarm]:
    failing = "lease-notifications.md#enrichment-is-slow-or-fails"
    yield Alarm(
        name="enrichment-latency",
        meaning=f"The slowest 1 % of lease lookups took more than {ENRICHMENT_P99_LIMIT_MS} ms",
        command=_log_of("notification"),
        runbook=failing,
        metric=own_metric(contract.ENRICHMENT_QUERY_LATENCY_MS, "p99"),
        limit=ENRICHMENT_P99_LIMIT_MS,
        periods=3,
    )
    for reason in LASTING_FAILURES:
        yield Alarm(
            name=f"enrichment-{reason.replace('_', '-')}",
            meaning=f"Lease lookups fail ({reason}): notifications lack the details of the lease",
            command=_log_of("notification", "enrichment_failed"),
            runbook=failing,
            metric=own_metric(contract.ENRICHMENT_FAILURE, reason=reason),
        )
    yield Alarm(
        name="enrichment-circuit-open",
        meaning="Three lease lookups in a row failed, and most are skipped for now: notifications lack the lease's details",
        command=_log_of("notification", "enrichment_failed"),
        runbook=failing,
        metric=own_metric(contract.ENRICHMENT_SKIPPED, reason="circuit_open"),
    )
    yield Alarm(
        name="schema-drift",
        meaning="Lease records have unknown fields, or lack required ones",
        command=_log_of("notification", "schema_drift"),
        runbook="lease-notifications.md#the-schema-drifts",
        metric=own_metric(contract.SCHEMA_DRIFT),
    )


def _project_alarms(project: str) -> Iterator[Alarm]:
    yield Alarm(
        name=f"{project}-reconciliation-refused",
        meaning=f"The reconciliation of the project {project} refused a step: its log says why",
        command=_log_of("reconciliation", "reconciliation_refused"),
        runbook="reconciliation.md#a-run-refused-something",
        metric=own_metric(contract.RECONCILIATION_REFUSED, project=project),
    )
    yield Alarm(
        name=f"{project}-reconciliation-failed",
        meaning=f"Issues of the project {project} could not be reconciled",
        command=_log_of("reconciliation", "project_reconciled"),
        runbook="reconciliation.md#a-run-refused-something",
        metric=own_metric(contract.RECONCILIATION_COUNTS["failed"], project=project),
    )
    yield Alarm(
        name=f"{project}-changes-stopped",
        meaning=f"Changes to the project {project} in Jira were not read for an hour: this should run every 15 minutes",
        command=f"reconcile --project {project} --dry-run",
        runbook="reconciliation.md#it-does-not-run",
        metric=own_metric(contract.RECONCILIATION_RUN, project=project, mode="changes"),
        fault=Fault.SILENCE,
        periods=12,
    )
    yield Alarm(
        name=f"{project}-sweep-stopped",
        meaning=f"No sweep of the project {project} finished for 26 hours: one should run every night",
        command=f"reconcile --project {project} --full --dry-run",
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
        command=_log_of(entry_point, "correlation_not_queued"),
        runbook="jira-webhooks.md#troubleshooting",
        metric=own_metric(contract.CORRELATION_NOT_QUEUED, writer=entry_point),
    )


def _approval_alarms(watched: Watched) -> Iterator[Alarm]:
    yield Alarm(
        name="issue-creation-failed",
        meaning="An approved draft did not become a Jira issue: its preview in Slack says why and what to do",
        command="approvals list --state failed",
        runbook="approvals.md#what-people-see",
        metric=own_metric(contract.ISSUE_CREATION, outcome="failed"),
    )
    yield Alarm(
        name="second-issue-created",
        meaning="A draft has two Jira issues: the log event second_issue_created names the one to close",
        command=_log_of("jira_worker", "second_issue_created"),
        runbook="approvals.md#what-people-see",
        metric=own_metric(contract.ISSUE_CREATION, outcome="second"),
    )
    yield Alarm(
        name="issue-search-stuck",
        meaning="The search for the Jira issue of a draft ended after many failures: whether the issue exists is unknown",
        command="approvals list",
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
        command=_log_of("approvals"),
        runbook="approvals.md#what-people-see",
        metric=function_metric(function, "Duration", "p99"),
        limit=SLACK_WAITS_MS,
    )
    if watched.sweeps_approvals:
        yield Alarm(
            name="approvals-sweep-stopped",
            meaning="The sweep of waiting drafts did not run for 3 hours: nobody is reminded, and no draft expires",
            command=_log_of("approvals"),
            runbook="approvals.md#the-sweep-does-not-run",
            metric=own_metric(contract.APPROVAL_SWEEP),
            fault=Fault.SILENCE,
            periods=3,
            period_seconds=HOUR_SECONDS,
        )


def _job_alarms() -> Iterator[Alarm]:
    yield Alarm(
        name="import-worker-lost",
        meaning="The sweep failed an import job because its worker was lost",
        command=_log_of("imports", "jobs_swept"),
        runbook="jobs.md#worker_lost",
        metric=own_metric(contract.JOB_GIVEN_UP, failure="WORKER_LOST"),
    )
    yield Alarm(
        name="shuttle-sweep-stopped",
        meaning="The sweep for lost jobs did not run for an hour: it should run every 15 minutes",
        command="shuttle jobs sweep",
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
            command="health",
            runbook="health_smoke.md#a-check-failed",
            metric=own_metric(contract.HEALTH_CHECK_FAILED, check=check),
            # Only Atlassian can end an outage of Jira, and all work that needs Jira is retried.
            severity=Severity.TICKET if check == "jira" else Severity.PAGE,
        )
    yield Alarm(
        name="health-stopped",
        meaning="There was no health report for 15 minutes: there should be one every 5 minutes",
        runbook="health_smoke.md#no-report-at-all",
        metric=own_metric(contract.HEALTH_REPORT),
        severity=Severity.PAGE,
        fault=Fault.SILENCE,
        periods=3,
    )


def _http_alarms(watched: Watched) -> Iterator[Alarm]:
    yield Alarm(
        name="http-server-errors",
        meaning="The HTTP API answers with server errors: senders retry, and drop the event if this continues",
        command="logs request_failed --since 1d",
        runbook="functions.md#the-http-api-answers-5xx",
        metric=http_metric(watched.http_api, "5xx"),
        severity=Severity.PAGE,
    )
    yield Alarm(
        name="http-refusals",
        meaning=f"The HTTP API refused more than {REFUSALS_LIMIT} requests in 5 minutes, three times in a row",
        command="logs request_refused --since 1d",
        runbook="functions.md#many-callers-are-refused",
        metric=http_metric(watched.http_api, "4xx"),
        limit=REFUSALS_LIMIT,
        periods=3,
    )
