"""The schedules: when they run, with which input, and with which role."""

import json
from typing import Any, cast

import pulumi
import pytest

from lib.jira.reconciliation.requests import Mode, read_request
from lib.platform import clock
from stack.settings import Settings
from tests.support.aws.functions import load
from tests.support.observability.aws_metrics import ALARM
from tests.support.project.pulumi_graph import (
    ALIAS,
    APPROVALS_SECRETS,
    EVERYTHING,
    JIRA_CONFIG,
    JIRA_SECRETS,
    Graph,
    declare,
    statements,
)

# Never opened here.
A_SECRET = cast("pulumi.Output[str]", object())
SCHEDULE = "aws:scheduler/schedule:Schedule"


def input_of(graph: Graph, schedule: str) -> Any:
    return json.loads(graph.one(SCHEDULE, schedule).inputs["target"]["input"])


@pytest.mark.parametrize(
    ("schedule", "when", "entry_point", "event"),
    [
        ("changes", "rate(15 minutes)", "reconciliation", {"mode": "changes"}),
        ("sweep", "cron(0 2 * * ? *)", "reconciliation", {"mode": "full"}),
        ("health", "rate(5 minutes)", "health", {"mode": "deep"}),
        ("shuttle-sweep", "rate(15 minutes)", "imports", {"mode": "sweep"}),
    ],
)
def test_a_schedule_hands_its_function_this_event_at_this_time(
    schedule: str, when: str, entry_point: str, event: dict[str, str]
) -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)
    inputs = graph.one(SCHEDULE, schedule).inputs

    assert inputs["scheduleExpression"] == when
    assert inputs["target"]["arn"] == graph.arn(ALIAS, entry_point)
    assert input_of(graph, schedule) == event


def test_these_are_the_schedules() -> None:
    assert sorted(schedule.name for schedule in declare(JIRA_CONFIG, JIRA_SECRETS).all(SCHEDULE)) == [
        "changes",
        "health",
        "shuttle-sweep",
        "sweep",
    ]


def test_waiting_drafts_are_swept_where_drafts_are_submitted() -> None:
    graph = declare(*EVERYTHING)
    inputs = graph.one(SCHEDULE, "approvals").inputs
    assert (inputs["scheduleExpression"], input_of(graph, "approvals")) == ("rate(1 hour)", {"mode": "sweep"})
    assert inputs["target"]["arn"] == graph.arn(ALIAS, "approvals")

    for swept in (graph, declare(JIRA_CONFIG, JIRA_SECRETS)):
        names = {schedule.name for schedule in swept.all(SCHEDULE)}
        assert ("approvals-sweep-stopped" in {alarm.name for alarm in swept.all(ALARM)}) is ("approvals" in names)
    for hours, days, sweeps in (("0", "14", True), ("24", "0", True), ("0", "0", False)):
        config = {**JIRA_CONFIG, "approvalReminderHours": hours, "approvalExpiryDays": days}
        secrets = dict.fromkeys((*JIRA_SECRETS, *APPROVALS_SECRETS), A_SECRET)
        assert Settings.from_mapping(config, secrets).sweeps_approvals is sweeps


def test_without_a_project_nothing_is_reconciled_by_the_clock() -> None:
    assert sorted(schedule.name for schedule in declare().all(SCHEDULE)) == ["health", "shuttle-sweep"]


def test_every_schedule_keeps_phoenix_time_to_the_minute() -> None:
    for schedule in declare(JIRA_CONFIG, JIRA_SECRETS).all(SCHEDULE):
        assert schedule.inputs["scheduleExpressionTimezone"] == clock.TIMEZONE == "America/Phoenix"
        assert schedule.inputs["flexibleTimeWindow"] == {"mode": "OFF"}


def test_a_run_that_can_not_be_started_is_tried_for_an_hour_at_most() -> None:
    for schedule in declare(JIRA_CONFIG, JIRA_SECRETS).all(SCHEDULE):
        assert schedule.inputs["target"]["retryPolicy"] == {"maximumRetryAttempts": 2, "maximumEventAgeInSeconds": 3600}


def test_the_reconciliation_function_understands_its_schedules() -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)

    assert read_request(input_of(graph, "changes")).mode is Mode.CHANGES
    assert read_request(input_of(graph, "sweep")).mode is Mode.FULL
    assert all(read_request(input_of(graph, schedule)).projects is None for schedule in ("changes", "sweep"))


def test_the_health_function_takes_its_schedule_for_a_deep_check(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {
        "LEASE_TABLE_ARN": "arn:aws:dynamodb:us-west-2:123456789012:table/leases",
        "JIRA_ISSUES_TABLE_NAME": "issues",
        "OPERATIONS_TABLE_NAME": "operations",
        "SHUTTLE_TABLE_NAME": "shops",
    }
    health = load(monkeypatch, "health", tables)

    assert health._asks_for_deep_check(input_of(declare(JIRA_CONFIG, JIRA_SECRETS), "health")) is True


def test_the_scheduler_may_start_exactly_the_functions_of_the_schedules() -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)
    policy = graph.one("aws:iam/rolePolicy:RolePolicy", "scheduler").inputs

    assert policy["role"] == graph.one("aws:iam/role:Role", "scheduler").outputs["name"]
    [statement] = statements(policy["policy"])
    assert statement["Action"] == ["lambda:InvokeFunction"]
    started = ("health", "imports", "reconciliation")
    assert sorted(statement["Resource"]) == sorted(graph.arn(ALIAS, name) for name in started)


def test_a_schedule_waits_for_the_schedulers_role_to_have_its_policy() -> None:
    graph = declare(JIRA_CONFIG, JIRA_SECRETS)
    role = graph.arn("aws:iam/role:Role", "scheduler")

    for schedule in graph.all(SCHEDULE):
        assert schedule.inputs["target"]["roleArn"] == role
        waits_for = graph.options[SCHEDULE, schedule.name].depends_on
        assert isinstance(waits_for, list)
        assert [type(resource).__name__ for resource in waits_for] == ["RolePolicy"]
