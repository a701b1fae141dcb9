"""The schedules of a deployment, and a run of one at once."""

from dataclasses import dataclass
from typing import Any

from lib.operations.deployed import logical_name, pages
from lib.platform import aws, errors

_MOST_PAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule.

    Attributes:
        name: its logical name.
        expression: ``rate(…)`` or ``cron(…)``.
        timezone: of the expression.
        enabled: whether it runs.
        function: the ARN of the function that it starts.
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
        return logical_name(self.function.rsplit(":", 1)[-1])


def list_schedules(scheduler: Any) -> list[Schedule]:
    """The schedules by name, each read by itself: a list does not have their inputs.

    Raises:
        SwitchboardError: AWS can't be asked.
    """
    listed = pages("list the schedules", scheduler.list_schedules, most=_MOST_PAGES, MaxResults=100)
    found = []
    for answer in listed:
        for each in answer.get("Schedules", []):
            with aws.translated(f"read the schedule {each['Name']}"):
                found.append(_schedule(scheduler.get_schedule(Name=each["Name"], GroupName=each["GroupName"])))
    return sorted(found, key=lambda schedule: schedule.name)


def run_schedule(scheduler: Any, functions: Any, name: str) -> Schedule:
    """Start the function of a schedule with its input, asynchronously, as the schedule does. A disabled one runs too.

    Args:
        scheduler: the client of EventBridge Scheduler.
        functions: the client of Lambda.
        name: the schedule's logical name.

    Raises:
        NotFoundError: there is no such schedule.
        SwitchboardError: AWS can't be asked.
    """
    schedule = next((each for each in list_schedules(scheduler) if each.name == name), None)
    if schedule is None:
        raise errors.NotFoundError(f"there is no schedule {name[:80]!a}")
    with aws.translated(f"start the function of the schedule {name}"):
        functions.invoke(FunctionName=schedule.function, InvocationType="Event", Payload=schedule.payload.encode())
    return schedule


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
