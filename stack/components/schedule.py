"""The schedules of EventBridge Scheduler, in Phoenix time: which functions run, when, and with which input."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi_aws as aws

from lib.platform.contract import TIMEZONE
from stack.components import iam
from stack.components.component import Component
from stack.components.function import Function

RETRY_ATTEMPTS = 2
MAX_AGE_SECONDS = 3600
"""A run that could not be started for an hour is left to the next one."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a function runs, and with which input.

    Attributes:
        name: the logical name.
        when: ``rate(…)`` or ``cron(…)``, in Phoenix time.
        entry_point: the function.
        payload: its event.
    """

    name: str
    when: str
    entry_point: str
    payload: Mapping[str, Any]


ALWAYS = (
    Schedule(name="health", when="rate(5 minutes)", entry_point="health", payload={"mode": "deep"}),
    Schedule(name="shuttle-sweep", when="rate(15 minutes)", entry_point="imports", payload={"mode": "sweep"}),
)
WITH_PROJECTS = (
    Schedule(name="changes", when="rate(15 minutes)", entry_point="reconciliation", payload={"mode": "changes"}),
    Schedule(name="sweep", when="cron(0 2 * * ? *)", entry_point="reconciliation", payload={"mode": "full"}),
)
"""Only where ``jiraProjects`` names something to reconcile."""


WITH_APPROVALS = (Schedule(name="approvals", when="rate(1 hour)", entry_point="approvals", payload={"mode": "sweep"}),)
"""Only where drafts are submitted and have reminders or an expiry."""


class Schedules(Component):
    """The schedules, in a group of their own, and the role that may start their functions and nothing else.

    The role trusts the group, as EventBridge Scheduler recommends: the ARN of a schedule is known only after its role's.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    """

    def __init__(self, schedules: Sequence[Schedule], functions: Mapping[str, Function]) -> None:
        """Create the schedules; ``functions`` are by entry point."""
        super().__init__("schedules")
        group = aws.scheduler.ScheduleGroup("switchboard", opts=self.child())
        trust = group.arn.apply(lambda arn: iam.trust_policy("scheduler.amazonaws.com", arn))
        role = aws.iam.Role("scheduler", assume_role_policy=trust, opts=self.child())
        targets = {schedule.entry_point: functions[schedule.entry_point].live_arn for schedule in schedules}
        grant = iam.Grant(actions=("lambda:InvokeFunction",), resources=tuple(targets.values()))
        policy = aws.iam.RolePolicy("scheduler", role=role.name, policy=iam.policy([grant]), opts=self.child())
        for schedule in schedules:
            aws.scheduler.Schedule(
                schedule.name,
                group_name=group.name,
                schedule_expression=schedule.when,
                schedule_expression_timezone=TIMEZONE,
                flexible_time_window={"mode": "OFF"},
                target={
                    "arn": targets[schedule.entry_point],
                    "role_arn": role.arn,
                    "input": json.dumps(schedule.payload),
                    "retry_policy": {"maximum_retry_attempts": RETRY_ATTEMPTS, "maximum_event_age_in_seconds": MAX_AGE_SECONDS},
                },
                opts=self.child(depends_on=[policy]),
            )
        self.register_outputs({})
