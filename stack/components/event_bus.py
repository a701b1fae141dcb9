"""The event bus: lease events arrive on it, and Shuttle puts its events on it for subscribers, which create rules."""

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
"""How long EventBridge retries to deliver an event to Lambda. Lambda itself retries as long."""


class EventBus(Component):
    """The bus, and the rule for lease events.

    Attributes:
        bus_name: the name of the bus.
        bus_arn: its ARN.
        dead_letters: the queue of the lease events that EventBridge could not hand to Lambda.
    """

    def __init__(self, lease_sources: Iterable[str], *, existing_bus: str = "") -> None:
        """Create a bus, or use the one named ``existing_bus``, and the rule for the events of ``lease_sources``."""
        super().__init__("lease-events")
        if existing_bus:
            self.bus_name = pulumi.Output.from_input(existing_bus)
        else:
            description = "Lease events for Switchboard, and events of Shuttle"
            self.bus_name = aws.cloudwatch.EventBus("switchboard", description=description, opts=self.child()).name
        self._rule = aws.cloudwatch.EventRule(
            "lease-events",
            description="Lease events, for the notification function",
            event_bus_name=self.bus_name,
            event_pattern=json.dumps(event_pattern(lease_sources)),
            opts=self.child(),
        )
        # Of an existing bus only the name is known; its account and region are those of its rules.
        self.bus_arn = pulumi.Output.all(self._rule.arn, self.bus_name).apply(lambda known: _bus_arn(*known))
        self.dead_letters = DeadLetterQueue("lease-events-dead-letters", sender_arn=self._rule.arn, parent=self)
        self.register_outputs({"bus_name": self.bus_name})

    def send_leases_to(self, function: Function) -> None:
        """Send lease events to ``function``."""
        permission = aws.lambda_.Permission(
            "lease-events",
            action="lambda:InvokeFunction",
            function=function.name,
            qualifier=function.alias,
            principal="events.amazonaws.com",
            source_arn=self._rule.arn,
            opts=self.child(),
        )
        aws.cloudwatch.EventTarget(
            "lease-events",
            rule=self._rule.name,
            event_bus_name=self.bus_name,
            arn=function.live_arn,
            retry_policy={"maximum_retry_attempts": RETRY_ATTEMPTS, "maximum_event_age_in_seconds": MAX_AGE_SECONDS},
            dead_letter_config={"arn": self.dead_letters.arn},
            opts=self.child(depends_on=[permission]),
        )


def _bus_arn(rule_arn: str, bus_name: str) -> str:
    return f"{rule_arn.partition(':rule/')[0]}:event-bus/{bus_name}"


def event_pattern(sources: Iterable[str]) -> dict[str, Any]:
    """The pattern of the events from ``sources``; a source that ends in ``*`` is a prefix."""
    return {
        "source": [{"prefix": source.removesuffix("*")} if source.endswith("*") else source for source in sources],
    }
