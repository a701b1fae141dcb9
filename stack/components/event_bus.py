"""The event bus and the rule that puts lease events through to the function that tells people."""

import json
from collections.abc import Iterable
from typing import Any

import pulumi
import pulumi_aws as aws

from stack.components import queue
from stack.components.function import Function
from stack.components.queue import Queue
from stack.settings import Settings

RETRY_ATTEMPTS = 185
MAX_AGE_SECONDS = 3600
"""For how long EventBridge goes on trying to hand an event to Lambda, as long as Lambda itself keeps one."""


def lease_bus(settings: Settings) -> pulumi.Output[str]:
    """The name of the bus that lease events come by: the existing one that ``eventBusName`` names, else one of our own."""
    if settings.event_bus_name:
        return pulumi.Output.from_input(settings.event_bus_name)
    return aws.cloudwatch.EventBus("switchboard", description="Lease events for Switchboard").name


def event_pattern(sources: Iterable[str]) -> dict[str, Any]:
    """The pattern of the events from ``sources``; a source that ends in ``*`` is a prefix."""
    return {
        "source": [{"prefix": source.removesuffix("*")} if source.endswith("*") else source for source in sources],
    }


def send_lease_events(bus_name: pulumi.Input[str], sources: Iterable[str], function: Function) -> Queue:
    """Send the events of ``sources`` to ``function``.

    Returns:
        The queue of the events that EventBridge could not hand to Lambda.
    """
    rule = aws.cloudwatch.EventRule(
        "lease-events",
        description="Lease events, for the notification function",
        event_bus_name=bus_name,
        event_pattern=json.dumps(event_pattern(sources)),
    )
    dead_letters = queue.create_dead_letter_queue("lease-events-dead-letters", sending_rule_arn=rule.arn)
    permission = aws.lambda_.Permission(
        "lease-events",
        action="lambda:InvokeFunction",
        function=function.name,
        principal="events.amazonaws.com",
        source_arn=rule.arn,
    )
    aws.cloudwatch.EventTarget(
        "lease-events",
        rule=rule.name,
        event_bus_name=bus_name,
        arn=function.arn,
        retry_policy={"maximum_retry_attempts": RETRY_ATTEMPTS, "maximum_event_age_in_seconds": MAX_AGE_SECONDS},
        dead_letter_config={"arn": dead_letters.arn},
        opts=pulumi.ResourceOptions(depends_on=[permission]),
    )
    return dead_letters
