"""The event bus, and the rule that sends lease events to the notification function."""

import json
from collections.abc import Iterable
from typing import Any

import pulumi
import pulumi_aws as aws

from stack.components.component import Component
from stack.components.function import Function
from stack.components.queue import DeadLetterQueue

RETRY_ATTEMPTS = 185
MAX_AGE_SECONDS = 3600
"""How long EventBridge retries to hand an event to Lambda; Lambda itself keeps one as long."""


class LeaseEvents(Component):
    """The bus that lease events arrive on, and the rule for them.

    Attributes:
        bus_name: the name of the bus.
        dead_letters: the queue of the events that EventBridge could not hand to Lambda.
    """

    def __init__(self, sources: Iterable[str], function: Function, *, existing_bus: str = "") -> None:
        """Send the events of ``sources`` to ``function``, from a new bus or the one named ``existing_bus``."""
        super().__init__("lease-events")
        if existing_bus:
            self.bus_name = pulumi.Output.from_input(existing_bus)
        else:
            description = "Lease events for Switchboard"
            self.bus_name = aws.cloudwatch.EventBus("switchboard", description=description, opts=self.child()).name
        rule = aws.cloudwatch.EventRule(
            "lease-events",
            description="Lease events, for the notification function",
            event_bus_name=self.bus_name,
            event_pattern=json.dumps(event_pattern(sources)),
            opts=self.child(),
        )
        self.dead_letters = DeadLetterQueue("lease-events-dead-letters", sender_arn=rule.arn, parent=self)
        permission = aws.lambda_.Permission(
            "lease-events",
            action="lambda:InvokeFunction",
            function=function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=self.child(),
        )
        aws.cloudwatch.EventTarget(
            "lease-events",
            rule=rule.name,
            event_bus_name=self.bus_name,
            arn=function.arn,
            retry_policy={"maximum_retry_attempts": RETRY_ATTEMPTS, "maximum_event_age_in_seconds": MAX_AGE_SECONDS},
            dead_letter_config={"arn": self.dead_letters.arn},
            opts=self.child(depends_on=[permission]),
        )
        self.register_outputs({"bus_name": self.bus_name})


def event_pattern(sources: Iterable[str]) -> dict[str, Any]:
    """The pattern of the events from ``sources``; a source that ends in ``*`` is a prefix."""
    return {
        "source": [{"prefix": source.removesuffix("*")} if source.endswith("*") else source for source in sources],
    }
