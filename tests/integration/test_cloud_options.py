"""``up --schedules``: the functions run by themselves, with the scheduler's role."""

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.cloud import LOG_LOOKS, running_cloud, until


def test_a_schedule_starts_its_function_by_itself() -> None:
    with running_cloud("--schedules") as cloud:
        scheduler: Any = cloud.client("scheduler")
        [health] = [each for each in scheduler.list_schedules()["Schedules"] if each["Name"].startswith("health")]
        settings = scheduler.get_schedule(Name=health["Name"], GroupName=health["GroupName"])
        soon = datetime.now(ZoneInfo("America/Phoenix")) + timedelta(seconds=3)

        scheduler.update_schedule(
            Name=health["Name"],
            GroupName=health["GroupName"],
            ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="America/Phoenix",
            FlexibleTimeWindow=settings["FlexibleTimeWindow"],
            Target={**settings["Target"], "Input": json.dumps({"mode": "deep"})},
        )

        until(
            lambda: [each for each in cloud.log_records("health") if each.get("message") == "health_report"],
            30,
            every=LOG_LOOKS,
        )
