"""Alarms: each watches something that exists, by a metric that somebody writes. test_silence_alarms.py has those on missing
runs.
"""

import re
import shlex
from typing import Any

import pytest
from click.testing import CliRunner

from handlers.cli.__main__ import cli
from lib.approvals.issue_creation import Outcome
from lib.leases.enrichment import Reason
from lib.platform.contract import CHANNELS, ENTRY_POINTS, HEALTH_CHECKS
from lib.shuttle.jobs.lifecycle import WORKER_LOST
from stack.config_values import MAX_RUNBOOK_BASE_URL
from stack.monitoring.alarms import LASTING_FAILURES
from stack.monitoring.severity import targets_of
from stack.runbooks import base_url
from tests.support.observability.aws_metrics import ALARM, FUNCTION, check_metric
from tests.support.project.documentation import ROOT, anchors_of
from tests.support.project.pulumi_graph import EVERYTHING, Graph, Resource, declare

QUEUE = "aws:sqs/queue:Queue"
SUBSCRIPTION, TOPIC = "aws:sns/topicSubscription:TopicSubscription", "aws:sns/topic:Topic"
RUNBOOKS = "https://docs.example.com/runbooks"
MAX_DESCRIPTION = 1024
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


def alarm(graph: Graph, name: str) -> dict[str, Any]:
    return graph.one(ALARM, name).inputs


def metrics_of(alarm: Resource) -> list[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of what an alarm looks at: of each metric that its total adds up."""
    named = [query["metric"] for query in alarm.inputs.get("metricQueries", []) if "metric" in query] or [alarm.inputs]
    return [(each["namespace"], each["metricName"], each["dimensions"]) for each in named]


def alarms_on(graph: Graph, metric: str) -> list[dict[str, Any]]:
    """The alarms on this metric."""
    return [each.inputs for each in graph.all(ALARM) if each.inputs.get("metricName") == metric]


def dimension_of_alarms(graph: Graph, dimension: str) -> list[str]:
    """The values of a dimension that have alarms."""
    return [each.inputs["dimensions"][dimension] for each in graph.all(ALARM) if dimension in each.inputs.get("dimensions", {})]


def test_every_alarm_watches_a_written_metric_of_an_existing_resource() -> None:
    graph = declare(*EVERYTHING)

    for each in graph.all(ALARM):
        for metric in metrics_of(each):
            check_metric(graph, *metric)


def test_every_alarm_notifies_the_topic_of_its_severity_both_ways() -> None:
    graph = declare(*EVERYTHING)
    of_page, of_tickets = (graph.arn(TOPIC, f"alarms-{severity}") for severity in ("page", "ticket"))
    topics = {each.name: each.inputs["alarmActions"] for each in graph.all(ALARM)}

    assert all(each.inputs["okActions"] == each.inputs["alarmActions"] for each in graph.all(ALARM))
    assert {name for name, topic in topics.items() if topic == [of_page]} == {
        "health-stopped",
        "http-server-errors",
        *(f"health-{check.replace('_', '-')}" for check in HEALTH_CHECKS if check != "jira"),
        *(f"{name}-failures-lost" for name in ("notification", "reconciliation", "imports", "health")),
        "notification-failures-depth",
        *(f"{queue}-dead-letters-depth" for queue in ("lease-events", "jira-work", "approval-work", "shuttle-jobs")),
    }
    assert all(topic in ([of_page], [of_tickets]) for topic in topics.values())


def descriptions() -> dict[str, list[str]]:
    """The lines of the description of each alarm."""
    return {each.name: each.inputs["alarmDescription"].split("\n") for each in declare(*EVERYTHING).all(ALARM)}


def test_a_description_is_a_sentence_a_command_and_the_url_of_the_runbook() -> None:
    for meaning, first, runbook in descriptions().values():
        assert re.fullmatch(r"[A-Z](?:[^.]|\.(?! ))+[^.]\.", meaning)
        assert first.startswith("First: python -m handlers.cli --stack prod ")
        page, _, section = runbook.removeprefix(f"Runbook: {RUNBOOKS}/").partition("#")
        assert section in anchors_of(ROOT / "docs" / "runbooks" / page)


def test_the_command_of_an_alarm_is_a_command_of_the_command_line() -> None:
    commands = {first.removeprefix("First: python -m handlers.cli ") for _, first, _ in descriptions().values()}

    for command in commands:  # it reads every option before it prints the help
        assert CliRunner().invoke(cli, [*shlex.split(command), "--help"]).exit_code == 0, command


def test_the_log_event_that_a_command_searches_for_is_one_of_the_code() -> None:
    """docs/observability.md has every log event; a test compares it with the code."""
    documented = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    events = {found[1] for _, first, _ in descriptions().values() if (found := re.search(r" logs ([a-z_]+) ", first))}

    assert len(events) > 5
    assert {event for event in events if f"`{event}`" not in documented} == set()


def test_the_command_for_a_dead_letter_queue_reads_that_queue() -> None:
    graph = declare()
    for entry_point, queues in graph.outputs["dead_letter_queues"].items():
        for queue in queues:
            [alarm] = [
                each.inputs
                for each in graph.all(ALARM)
                if each.inputs.get("metricName") == "ApproximateNumberOfMessagesVisible"
                and each.inputs["dimensions"]["QueueName"] == queue
            ]
            assert f" redrive --function {entry_point} --dry-run\n" in alarm["alarmDescription"]


def test_a_local_stack_is_selected_by_the_shell() -> None:
    """The Pulumi CLI does not know the stack of the local cloud."""
    assert not [each for each in declare(*EVERYTHING, "local").all(ALARM) if "--stack" in each.inputs["alarmDescription"]]


def test_a_description_is_within_the_limit_of_cloudwatch() -> None:
    longest = {RUNBOOKS: "a" * MAX_RUNBOOK_BASE_URL, "--stack prod": f"--stack {'a' * 100}", "OPS": "A" * 80}
    for lines in descriptions().values():
        text = "\n".join(lines)
        for part, longer in longest.items():
            text = text.replace(part, longer)
        assert len(text) <= MAX_DESCRIPTION


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("https://github.com/acme/switchboard.git", "https://github.com/acme/switchboard/blob/HEAD/docs/runbooks/"),
        ("git@github.com:acme/switchboard.git", "https://github.com/acme/switchboard/blob/HEAD/docs/runbooks/"),
        ("https://ada:hush@github.acme.com/a/b", "https://github.acme.com/a/b/blob/HEAD/docs/runbooks/"),
        ("ssh://git@gitlab.com:22/acme/ops/sb.git", "https://gitlab.com/acme/ops/sb/-/blob/HEAD/docs/runbooks/"),
        ("git@bitbucket.org:acme/sb.git", "https://bitbucket.org/acme/sb/src/HEAD/docs/runbooks/"),
        ("https://git.acme.com/acme/sb.git", "docs/runbooks/"),
        ("/srv/git/github/sb.git", "docs/runbooks/"),
        ("", "docs/runbooks/"),
    ],
)
def test_runbooks_are_by_default_those_of_the_repository(remote: str, expected: str) -> None:
    assert base_url("", warn=False, remote=remote) == expected
    assert base_url("https://docs.acme.com/runbooks", warn=False, remote=remote) == "https://docs.acme.com/runbooks/"


@pytest.mark.parametrize(("url", "warn", "warnings"), [("", True, 1), ("", False, 0), (RUNBOOKS, True, 0)])
def test_a_stack_whose_alarms_have_no_url_warns(url: str, warn: bool, warnings: int, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", warned.append)

    base_url(url, warn=warn, remote="")

    assert [("runbookBaseUrl" in warning) for warning in warned] == [True] * warnings


def test_every_reason_that_is_watched_is_a_reason_of_the_code() -> None:
    watched = set(dimension_of_alarms(declare(), "reason"))

    assert watched == {*LASTING_FAILURES, "circuit_open"}
    assert watched <= set(Reason)


def test_every_watched_approval_outcome_exists_in_the_code() -> None:
    watched = set(dimension_of_alarms(declare(), "outcome"))

    assert watched == {Outcome.FAILED.value, Outcome.SECOND.value, Outcome.STUCK.value}


def test_every_failure_of_a_job_that_is_watched_is_a_failure_of_the_code() -> None:
    assert dimension_of_alarms(declare(), "failure") == [WORKER_LOST]


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    ("kind", "metric"),
    [("errors", "Errors"), ("throttles", "Throttles"), ("recursion-stopped", "RecursiveInvocationsDropped")],
)
def test_a_functions_errors_throttles_and_stopped_loops_raise_an_alarm(entry_point: str, kind: str, metric: str) -> None:
    graph = declare()
    inputs = alarm(graph, f"{entry_point}-{kind}")

    assert (inputs["metricName"], inputs["statistic"], inputs["threshold"]) == (metric, "Sum", 0)
    assert inputs["dimensions"] == {"FunctionName": graph.one(FUNCTION, entry_point).outputs["name"]}


def test_no_alarm_names_dead_letters_of_a_function_without_any() -> None:
    graph = declare(*EVERYTHING)
    texts = [str(each.inputs["alarmDescription"]) for each in graph.all(ALARM)]
    named = {found[1] for text in texts if (found := re.search(r"redrive --function (\w+)", text))}

    assert named == set(graph.outputs["dead_letter_queues"])


def test_every_queue_that_should_be_empty_raises_an_alarm_when_it_is_not() -> None:
    graph = declare()
    depths = alarms_on(graph, "ApproximateNumberOfMessagesVisible")
    should_be_empty = [queue for queue in graph.all(QUEUE) if queue.name not in {"jira-work", "approval-work", "shuttle-jobs"}]

    assert {each["dimensions"]["QueueName"] for each in depths} == {queue.outputs["name"] for queue in should_be_empty}
    assert {(each["statistic"], each["threshold"], each["evaluationPeriods"]) for each in depths} == {("Maximum", 0, 1)}


def test_work_that_lies_for_more_than_15_minutes_raises_an_alarm() -> None:
    graph = declare()
    inputs = alarm(graph, "jira-work-age")

    assert inputs["metricName"] == "ApproximateAgeOfOldestMessage"
    assert inputs["dimensions"] == {"QueueName": graph.one(QUEUE, "jira-work").outputs["name"]}
    assert (inputs["statistic"], inputs["comparisonOperator"], inputs["threshold"]) == ("Maximum", "GreaterThanThreshold", 900)


@pytest.mark.parametrize(("kind", "metric"), [("refused", "ReconciliationRefused"), ("failed", "ReconciliationFailed")])
def test_refused_and_failed_reconciliations_raise_an_alarm_per_project(kind: str, metric: str) -> None:
    graph = declare(*EVERYTHING)
    found = {each.name: each.inputs for each in graph.all(ALARM) if each.inputs.get("metricName") == metric}

    assert found.keys() == {f"TES-reconciliation-{kind}", f"OPS-reconciliation-{kind}"}
    for project in ("TES", "OPS"):
        inputs = found[f"{project}-reconciliation-{kind}"]
        assert inputs["dimensions"] == {"service": "reconciliation", "project": project}
        assert (inputs["statistic"], inputs["threshold"], inputs["evaluationPeriods"]) == ("Sum", 0, 1)


def test_no_projects_means_no_per_project_reconciliation_alarms() -> None:
    """Without a project, only the alarms on the reconciliation function and on its work remain."""
    names = [each.name for each in declare().all(ALARM) if "reconciliation" in each.name]

    assert sorted(names) == [
        "reconciliation-correlation-not-queued",
        "reconciliation-errors",
        "reconciliation-failures-depth",
        "reconciliation-failures-lost",
        "reconciliation-recursion-stopped",
        "reconciliation-throttles",
    ]


@pytest.mark.parametrize("entry_point", ["webhooks", "reconciliation"])
def test_a_correlation_that_could_not_be_queued_raises_an_alarm(entry_point: str) -> None:
    inputs = alarm(declare(), f"{entry_point}-correlation-not-queued")

    assert (inputs["metricName"], inputs["dimensions"]) == ("CorrelationNotQueued", {"service": entry_point})
    assert (inputs["statistic"], inputs["threshold"]) == ("Sum", 0)


def test_each_health_check_that_fails_raises_an_alarm() -> None:
    failing = alarms_on(declare(), "HealthCheckFailed")

    assert sorted(each["dimensions"]["check"] for each in failing) == sorted(HEALTH_CHECKS)
    assert {(each["statistic"], each["threshold"], each["evaluationPeriods"]) for each in failing} == {("Sum", 0, 1)}


def test_a_p99_over_200_ms_of_the_lease_look_up_raises_an_alarm() -> None:
    inputs = alarm(declare(), "enrichment-latency")

    assert inputs["namespace"] == "Switchboard"
    assert inputs["metricName"] == "EnrichmentQueryLatencyMs"
    assert inputs["dimensions"] == {"service": "notification"}
    assert (inputs["extendedStatistic"], inputs["comparisonOperator"], inputs["threshold"]) == (
        "p99",
        "GreaterThanThreshold",
        200,
    )
    assert "statistic" not in inputs


def test_throttles_raise_an_alarm_for_what_switchboard_does_to_a_table() -> None:
    graph = declare()
    watched = {
        (dimensions["TableName"], name)
        for each in graph.all(ALARM)
        for namespace, name, dimensions in metrics_of(each)
        if namespace == "AWS/DynamoDB"
    }
    table = "aws:dynamodb/table:Table"
    names = ("LeaseTable", "JiraIssues", "JiraOperations", "Shuttle")
    leases, issues, operations, shuttle = (graph.one(table, name).outputs["name"] for name in names)

    assert watched == {
        (leases, "ReadThrottleEvents"),
        (issues, "ReadThrottleEvents"),
        (issues, "WriteThrottleEvents"),
        (operations, "ReadThrottleEvents"),
        (operations, "WriteThrottleEvents"),
        (shuttle, "ReadThrottleEvents"),
        (shuttle, "WriteThrottleEvents"),
    }


@pytest.mark.parametrize("table", ["JiraIssues", "Shuttle"])
@pytest.mark.parametrize("kind", ["Read", "Write"])
def test_throttles_of_a_tables_indexes_count_too(table: str, kind: str) -> None:
    """DynamoDB does not count an index's throttles as its table's."""
    graph = declare()
    declared = graph.one("aws:dynamodb/table:Table", table)
    of_table = {"TableName": declared.outputs["name"]}
    of_indexes = [{**of_table, "GlobalSecondaryIndexName": each["name"]} for each in declared.inputs["globalSecondaryIndexes"]]
    inputs = alarm(graph, f"{table}-{kind.lower()}-throttles")
    *parts, total = inputs["metricQueries"]

    assert [part["metric"] for part in parts] == [
        {
            "namespace": "AWS/DynamoDB",
            "metricName": f"{kind}ThrottleEvents",
            "dimensions": dimensions,
            "stat": "Sum",
            "period": 300,
        }
        for dimensions in (of_table, *of_indexes)
    ]
    assert not any(part.get("returnData") for part in parts)
    assert total == {
        "id": "total",
        "expression": "SUM([" + ",".join(f"FILL({part['id']},0)" for part in parts) + "])",
        "label": "total",
        "returnData": True,
    }
    # CloudWatch refuses an alarm that names both queries and a metric of its own.
    assert not inputs.keys() & {"namespace", "metricName", "dimensions", "statistic", "extendedStatistic", "period"}


def test_a_failed_notification_raises_an_alarm_for_each_channel_that_is_on() -> None:
    graph = declare(*EVERYTHING)
    failing = alarms_on(graph, "NotificationFailed")

    assert sorted(each["dimensions"]["channel"] for each in failing) == sorted(CHANNELS)


def test_a_target_receives_the_severity_that_it_names_and_an_email_both() -> None:
    graph = declare(*EVERYTHING)
    severities = {graph.arn(TOPIC, f"alarms-{severity}"): severity for severity in ("page", "ticket")}

    assert sorted(
        (each.inputs["endpoint"], each.inputs["protocol"], severities[each.inputs["topic"]]) for each in graph.all(SUBSCRIPTION)
    ) == [
        ("all@example.com", "email", "page"),
        ("all@example.com", "email", "ticket"),
        ("https://alerts.example.com/a?key=hush", "https", "page"),
        ("operations@example.com", "email", "page"),
        ("operations@example.com", "email", "ticket"),
        ("ops@example.com", "email", "ticket"),
    ]
    assert not declare().all(SUBSCRIPTION)


def test_the_endpoint_of_a_subscription_is_a_secret() -> None:
    """URLs contain keys."""
    for each in declare(*EVERYTHING).all(SUBSCRIPTION):
        assert "endpoint" in each.secret_inputs
        assert "hush" not in each.name


def test_a_subscription_keeps_its_name_among_others() -> None:
    """A new name would replace the subscription, and somebody would have to confirm it again."""
    [alone] = targets_of(["page:https://alerts.example.com/hush"])
    among_others = targets_of(["first@example.com", "page:https://alerts.example.com/hush"])

    assert alone.logical_name in {each.logical_name for each in among_others}


def test_only_the_notification_topic_is_encrypted() -> None:
    """CloudWatch could not publish to an encrypted alarm topic."""
    graph = declare()

    assert graph.one(TOPIC, "notifications").inputs["kmsMasterKeyId"] == "alias/aws/sns"
    for severity in ("page", "ticket"):
        assert "kmsMasterKeyId" not in graph.one(TOPIC, f"alarms-{severity}").inputs
