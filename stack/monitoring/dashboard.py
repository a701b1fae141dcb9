"""The CloudWatch dashboard: from what people notice down to what AWS counts."""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from lib.platform import contract
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
    writer_of,
)

_WIDTH, _HEIGHT, _COLUMNS = 8, 6, 3
_STRIP_HEIGHT = 4
_ALARMS_IN_A_WIDGET = 100
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""

Json = dict[str, Any]


def create(
    name: str, watched: Watched, alarm_arns: Sequence[pulumi.Output[str]], opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """Create the dashboard.

    Returns:
        Its URL in the AWS console.
    """
    any_arn = watched.functions[0].live_arn
    region = any_arn.apply(lambda arn: arn.split(":")[3])
    widgets = [
        *_lease_graphs(watched, region),
        *_jira_graphs(region),
        *_approval_graphs(region),
        *_shuttle_graphs(region),
        *_work_graphs(watched, region),
        _health_graph(region),
        *_aws_graphs(watched, region),
    ]
    strips = _alarm_strips(alarm_arns)
    top = len(strips) * _STRIP_HEIGHT
    body = {
        "widgets": [
            *strips,
            *(_place(widget, index, top=top) for index, widget in enumerate(widgets)),
            _log_table(watched, region, top=top, below=len(widgets)),
        ]
    }
    dashboard = aws.cloudwatch.Dashboard(
        "switchboard", dashboard_name=name, dashboard_body=pulumi.Output.json_dumps(body), opts=opts
    )
    return pulumi.Output.all(any_arn, dashboard.dashboard_name).apply(lambda known: url(*known))


def url(any_arn: str, name: str) -> str:
    """The console's URL of a dashboard in the partition and region of ``any_arn``."""
    _, partition, _, region, *_ = any_arn.split(":")
    hosts = {"aws-us-gov": "console.amazonaws-us-gov.com", "aws-cn": "console.amazonaws.cn"}
    host = hosts.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def _alarm_strips(alarm_arns: Sequence[pulumi.Output[str]]) -> list[Json]:
    """The state of every alarm, in as many widgets as CloudWatch's limit requires."""
    return [
        {
            "type": "alarm",
            "width": _WIDTH * _COLUMNS,
            "height": _STRIP_HEIGHT,
            "x": 0,
            "y": _STRIP_HEIGHT * (first // _ALARMS_IN_A_WIDGET),
            "properties": {
                "title": "Alarms",
                "alarms": list(alarm_arns[first : first + _ALARMS_IN_A_WIDGET]),
                "sortBy": "stateUpdatedTimestamp",
            },
        }
        for first in range(0, len(alarm_arns), _ALARMS_IN_A_WIDGET)
    ]


def _lease_graphs(watched: Watched, region: pulumi.Output[str]) -> list[Json]:
    return [
        _graph(
            "Notifications sent and failed, by channel",
            region,
            *(
                _line(own_metric(metric, channel=channel), f"{channel} {word}")
                for channel in watched.channels
                for metric, word in ((contract.NOTIFICATION_SENT, "sent"), (contract.NOTIFICATION_FAILED, "failed"))
            ),
            _line(own_metric(contract.NOTIFICATION_TOO_OLD), "events too old"),
        ),
        _graph(
            "Lease lookups, by outcome",
            region,
            _line(own_metric(contract.ENRICHMENT_SUCCESS), "enriched"),
            _line(own_metric(contract.LEASE_NOT_FOUND), "no such lease"),
            _each(contract.ENRICHMENT_SKIPPED),
            _each(contract.ENRICHMENT_FAILURE),
        ),
        _graph(
            f"Lease lookup latency (limit {ENRICHMENT_P99_LIMIT_MS} ms at p99)",
            region,
            *(
                _line(own_metric(contract.ENRICHMENT_QUERY_LATENCY_MS, statistic), statistic)
                for statistic in ("p50", "p95", "p99")
            ),
            limit=ENRICHMENT_P99_LIMIT_MS,
        ),
        _graph(
            "Lease table: throttles and unexpected fields",
            region,
            _line(own_metric(contract.ENRICHMENT_THROTTLE_RETRY), "throttled, retried"),
            _line(own_metric(contract.ENRICHMENT_THROTTLE_EXHAUSTED), "throttled twice, given up"),
            _line(own_metric(contract.SCHEMA_DRIFT), "unexpected fields"),
        ),
    ]


def _jira_graphs(region: pulumi.Output[str]) -> list[Json]:
    throttled = contract.STORE_THROTTLE_RETRY
    return [
        _graph(
            "Webhooks, by source and outcome",
            region,
            _each(contract.WEBHOOK_DELIVERY),
            _each(contract.PUSH_SKIPPED, "webhooks"),
        ),
        _graph(
            "Jira worker: work done and failures",
            region,
            _line(own_metric(contract.JIRA_FETCH), "issues fetched"),
            _line(own_metric(contract.CORRELATION_RECOMPUTED), "correlations recomputed"),
            *(
                _line(own_metric(contract.CORRELATION_NOT_QUEUED, writer=writer), f"correlations not queued by {writer}")
                for writer in contract.CORRELATION_NOT_QUEUED.writers
            ),
            _each(contract.WORKER_FAILURE),
            _each(contract.PUSH_SKIPPED, "jira_worker"),
        ),
        _graph(
            "Reconciliation: issues compared, by project",
            region,
            *(_each(contract.RECONCILIATION_COUNTS[count]) for count in ("fetched", "unchanged")),
        ),
        _graph(
            "Reconciliation: issues corrected, by project",
            region,
            *(_each(contract.RECONCILIATION_COUNTS[count]) for count in ("created", "updated", "deleted")),
        ),
        _graph(
            "Reconciliation: issues failed and steps refused, by project",
            region,
            _each(contract.RECONCILIATION_COUNTS["failed"]),
            _each(contract.RECONCILIATION_REFUSED),
        ),
        _graph(
            "Reconciliation: finished runs, by project",
            region,
            _each(contract.RECONCILIATION_RUN),
        ),
        _graph(
            "Throttled requests to our tables that were retried",
            region,
            *(_line(own_metric(throttled, writer=writer), writer) for writer in throttled.writers),
        ),
    ]


def _approval_graphs(region: pulumi.Output[str]) -> list[Json]:
    return [
        _graph("Drafts, by the state of their session", region, _each(contract.DRAFT_SUBMITTED)),
        _graph("Clicks, by result", region, _each(contract.APPROVAL_CLICK)),
        _graph("Issues of approved drafts, by outcome", region, _each(contract.ISSUE_CREATION)),
        _graph("Sweeps of waiting drafts", region, _line(own_metric(contract.APPROVAL_SWEEP), "sweeps")),
    ]


def _shuttle_graphs(region: pulumi.Output[str]) -> list[Json]:
    return [
        _graph(
            "Imports: jobs created, runs by final status, runs to be retried",
            region,
            _line(own_metric(contract.JOB_CREATED), "created"),
            _each(contract.IMPORT_RUN),
            _line(own_metric(contract.IMPORT_FAILED), "to be retried"),
        ),
        _graph(
            "Imports: duration (ms)",
            region,
            *(_line(own_metric(contract.IMPORT_DURATION_MS, statistic), statistic) for statistic in ("p50", "p99")),
        ),
        _graph(
            "Job sweeps, and jobs that they failed, by reason",
            region,
            _line(own_metric(contract.JOB_SWEEP), "sweeps"),
            _each(contract.JOB_GIVEN_UP),
        ),
    ]


def _work_graphs(watched: Watched, region: pulumi.Output[str]) -> list[Json]:
    return [
        _graph(
            "Work queues: waiting messages",
            region,
            *(_line(queue_depth(queue), queue.logical_name) for queue in watched.work_queues),
        ),
        _graph(
            f"Work queues: age of the oldest message (s, limit {OLDEST_WORK_LIMIT_SECONDS})",
            region,
            *(_line(queue_age(queue), queue.logical_name) for queue in watched.work_queues),
            limit=OLDEST_WORK_LIMIT_SECONDS,
        ),
    ]


def _health_graph(region: pulumi.Output[str]) -> Json:
    return _graph(
        "Health reports, and checks by result",
        region,
        _line(own_metric(contract.HEALTH_REPORT), "reports"),
        _each(contract.HEALTH_CHECK_FAILED),
        _each(contract.HEALTH_CHECK_PASSED),
    )


def _aws_graphs(watched: Watched, region: pulumi.Output[str]) -> list[Json]:
    return [
        _graph(
            "Functions: invocations, errors, throttles",
            region,
            *(
                _line(function_metric(function, name), f"{function.entry_point} {name.lower()}")
                for function in watched.functions
                for name in ("Invocations", "Errors", "Throttles")
            ),
        ),
        _graph(
            "Functions: duration (ms)",
            region,
            *(
                _line(function_metric(function, "Duration", statistic), f"{function.entry_point} {statistic}")
                for function in watched.functions
                for statistic in ("p50", "p99")
            ),
        ),
        _graph(
            "Dead letters and lost events",
            region,
            *(
                _line(queue_depth(queue), queue.logical_name)
                for queue in (
                    *(function.failures for function in watched.functions),
                    *(queue for queues in watched.dead_letters.values() for queue in queues),
                )
                if queue
            ),
            *(
                _line(function_metric(function, "DestinationDeliveryFailures"), f"{function.entry_point} lost")
                for function in watched.functions
                if function.failures
            ),
        ),
        _graph(
            "HTTP API: requests and errors",
            region,
            *(_line(http_metric(watched.http_api, name), name.lower()) for name in ("Count", "4xx", "5xx")),
        ),
        _graph(
            "Tables: consumed units and throttled requests",
            region,
            *(
                line
                for table in watched.tables
                for kind, what, word in (
                    ("Consumed", "ReadCapacityUnits", "reads"),
                    ("Consumed", "WriteCapacityUnits", "writes"),
                    ("Read", "ThrottleEvents", "throttles"),
                    ("Write", "ThrottleEvents", "throttles"),
                )
                for line in _lines(table_metric(table, f"{kind}{what}"), f"{table.logical_name} {kind.lower()} {word}")
            ),
        ),
    ]


def _graph(title: str, region: pulumi.Output[str], *lines: list[Any], limit: float | None = None) -> Json:
    annotations = {"annotations": {"horizontal": [{"label": "limit", "value": limit}]}} if limit is not None else {}
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": region,
            "view": "timeSeries",
            "period": PERIOD_SECONDS,
            "metrics": list(lines),
            "yAxis": {"left": {"min": 0}},
            **annotations,
        },
    }


def _line(metric: Metric, label: str) -> list[Any]:
    dimensions = [part for dimension in metric.dimensions.items() for part in dimension]
    return [metric.namespace, metric.name, *dimensions, {"stat": metric.statistic, "label": label}]


def _lines(metric: Metric | Total, label: str) -> list[list[Any]]:
    """One visible line. The parts of a sum are in the graph too, hidden."""
    if isinstance(metric, Metric):
        return [_line(metric, label)]
    prefix = label.lower().replace(" ", "_")
    ids = [f"{prefix}_{number}" for number in range(len(metric.parts))]
    hidden = [_line(part, label) for part in metric.parts]
    for line, each in zip(hidden, ids, strict=True):
        line[-1] |= {"id": each, "visible": False}
    return [*hidden, [{"expression": total_of(ids), "label": label, "id": prefix}]]


def _each(metric: contract.Metric, writer: str = "") -> list[Any]:
    """One line for each combination of values that the metric's dimensions have had."""
    schema = ",".join([contract.METRICS_NAMESPACE, *sorted([*metric.dimensions, "service"])])
    terms = f'MetricName="{metric.name}" service="{writer_of(metric, writer)}"'
    search = f"SEARCH('{{{schema}}} {terms}', 'Sum', {PERIOD_SECONDS})"
    return [{"expression": search, "label": metric.name, "id": metric.name.lower()}]


def _log_table(watched: Watched, region: pulumi.Output[str], *, top: int, below: int) -> Json:
    sources = pulumi.Output.all(*(function.log_group_name for function in watched.functions)).apply(
        lambda names: " | ".join(f"SOURCE '{name}'" for name in names)
    )
    query = sources.apply(
        lambda text: (
            f"{text} | fields generated_at, function, level, message, event_id, run_id"
            ' | filter level in ["WARNING", "ERROR", "CRITICAL"] | sort @timestamp desc | limit 50'
        )
    )
    return {
        **_place({"type": "log"}, -(-below // _COLUMNS) * _COLUMNS, top=top),
        "width": _WIDTH * _COLUMNS,
        "properties": {"title": "Latest warnings and errors", "region": region, "view": "table", "query": query},
    }


def _place(widget: Json, index: int, *, top: int) -> Json:
    row, column = divmod(index, _COLUMNS)
    return {**widget, "width": _WIDTH, "height": _HEIGHT, "x": column * _WIDTH, "y": top + row * _HEIGHT}
