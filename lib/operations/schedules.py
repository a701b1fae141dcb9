"""The schedules of a deployment, and a run of one at once."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lib.operations.deployed import logical_name, pages
from lib.platform import aws

_MOST_PAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule.

    Attributes:
        name: its logical name.
        expression: ``rate(…)`` or ``cron(…)``.
        timezone: of the expression.
        enabled: whether it runs.
        function: the ARN of the function that it starts, with its alias.
        payload: the input of the function, JSON.
    """

    name: str
    expression: str
    timezone: str
    enabled: bool
    function: str
    payload: str

    @property
    def function_name(self) -> str:
        """The logical name of the function."""
        return logical_name(_function_of(self.function))


def list_schedules(scheduler: Any, functions: Collection[str]) -> list[Schedule]:
    """The schedules of a deployment by name, each read by itself: a list does not have their inputs.

    Args:
        scheduler: the client of EventBridge Scheduler.
        functions: the names of the deployment's functions. Schedules of others are left out.

    Raises:
        SwitchboardError: AWS can't be reached or refuses.
    """
    found = []
    for answer in pages("list the schedules", scheduler.list_schedules, most=_MOST_PAGES, MaxResults=100):
        for each in answer.get("Schedules", []):
            if _function_of(str(each.get("Target", {}).get("Arn", ""))) in functions:
                with aws.translated(f"read the schedule {each['Name']}"):
                    found.append(_schedule(scheduler.get_schedule(Name=each["Name"], GroupName=each["GroupName"])))
    return sorted(found, key=lambda schedule: schedule.name)


def run_schedule(schedule: Schedule, functions: Any) -> None:
    """Start the function of a schedule with its input, asynchronously, as the schedule does. A disabled one runs too.

    Args:
        schedule: which.
        functions: the client of Lambda.

    Raises:
        SwitchboardError: AWS can't be reached or refuses.
    """
    with aws.translated(f"start the function of the schedule {schedule.name}"):
        functions.invoke(FunctionName=schedule.function, InvocationType="Event", Payload=schedule.payload.encode())


def _function_of(arn: str) -> str:
    """The name of a function in its ARN, or in that of its alias."""
    return arn.split(":")[6] if arn.count(":") > 5 else ""


def _schedule(details: Any) -> Schedule:
    target = details["Target"]
    return Schedule(
        name=logical_name(details["Name"]),
        expression=details["ScheduleExpression"],
        timezone=details.get("ScheduleExpressionTimezone") or "UTC",
        enabled=details.get("State") != "DISABLED",
        function=target["Arn"],
        payload=target.get("Input") or "{}",
    )
