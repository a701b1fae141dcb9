"""Lease events: the bus, which events the rule picks, and what becomes of one that Lambda can't be given."""

import json
from typing import Any

import pytest

from stack.components.event_bus import event_pattern
from tests.support.project.pulumi_graph import declare

RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"


def test_a_source_that_ends_in_a_star_is_a_prefix_and_another_is_exact() -> None:
    assert event_pattern(["InnovationSandbox-*", "innovation-sandbox"]) == {
        "source": [{"prefix": "InnovationSandbox-"}, "innovation-sandbox"]
    }


def test_the_rule_picks_the_sources_of_the_config() -> None:
    graph = declare({"leaseEventSources": '["leases", "team-*"]'})

    assert json.loads(graph.one(RULE).inputs["eventPattern"]) == {"source": ["leases", {"prefix": "team-"}]}


def test_a_bus_is_created_and_its_events_are_picked() -> None:
    graph = declare()
    bus = graph.one("aws:cloudwatch/eventBus:EventBus").outputs["name"]

    assert graph.outputs["event_bus_name"] == bus
    assert graph.one(RULE).inputs["eventBusName"] == graph.one(TARGET).inputs["eventBusName"] == bus


def test_an_existing_bus_is_used_and_none_created_if_it_is_named() -> None:
    graph = declare({"eventBusName": "isb-events"})

    assert not graph.all("aws:cloudwatch/eventBus:EventBus")
    assert graph.outputs["event_bus_name"] == "isb-events"
    assert graph.one(RULE).inputs["eventBusName"] == graph.one(TARGET).inputs["eventBusName"] == "isb-events"


def test_the_rule_targets_the_notification_function_and_may_invoke_it() -> None:
    graph = declare()
    rule, function = graph.one(RULE).outputs, graph.one("aws:lambda/function:Function", "notification").outputs
    permission = graph.one("aws:lambda/permission:Permission", "lease-events").inputs

    assert graph.one(TARGET).inputs["rule"] == rule["name"]
    assert graph.one(TARGET).inputs["arn"] == f"{function['arn']}:live"
    assert permission == {
        "action": "lambda:InvokeFunction",
        "function": function["name"],
        "qualifier": "live",
        "principal": "events.amazonaws.com",
        "sourceArn": rule["arn"],
    }


def test_an_event_lambda_rejects_is_retried_for_an_hour_and_then_kept() -> None:
    graph = declare()
    target = graph.one(TARGET).inputs

    assert target["retryPolicy"] == {"maximumRetryAttempts": 185, "maximumEventAgeInSeconds": 3600}
    assert target["deadLetterConfig"] == {"arn": graph.arn("aws:sqs/queue:Queue", "lease-events-dead-letters")}


def test_the_rule_may_send_to_its_dead_letter_queue_and_to_no_other() -> None:
    graph = declare()
    rule_arn = graph.one(RULE).outputs["arn"]
    may_send = {
        policy.name
        for policy in graph.all("aws:sqs/queuePolicy:QueuePolicy")
        if any(condition_of(each) == rule_arn for each in json.loads(policy.inputs["policy"])["Statement"])
    }

    assert may_send == {"lease-events-dead-letters"}


def condition_of(statement: dict[str, Any]) -> str | None:
    return statement["Condition"].get("ArnEquals", {}).get("aws:SourceArn") if statement["Effect"] == "Allow" else None


@pytest.mark.parametrize("queue", ["lease-events-dead-letters", "notification-failures"])
def test_a_queue_policy_belongs_to_its_queue(queue: str) -> None:
    graph = declare()
    policy = graph.one("aws:sqs/queuePolicy:QueuePolicy", queue)

    assert policy.inputs["queueUrl"].endswith(graph.one("aws:sqs/queue:Queue", queue).outputs["name"])
