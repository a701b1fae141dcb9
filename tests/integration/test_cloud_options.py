"""Options of ``up`` on one cloud: ``--schedules``, with the scheduler's role; ``--names random``; and ``--no-seed``."""

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.cloud import LOG_LOOKS, Cloud, until
from tests.support.project.outputs import STABLE_NAMES, names


def test_names_are_random_on_request(every_channel: Cloud) -> None:
    assert set(names(every_channel.outputs)).isdisjoint(STABLE_NAMES)


def test_without_seeds_everything_is_empty(every_channel: Cloud) -> None:
    scan = every_channel.client("dynamodb").scan(TableName=every_channel.outputs["lease_table_name"])

    assert scan["Items"] == []
    assert every_channel.invoke("reconciliation", {"full": True})["payload"]["projects"] == []


def test_a_schedule_starts_its_function_by_itself(every_channel: Cloud) -> None:
    scheduler: Any = every_channel.client("scheduler")
    [health] = [each for each in scheduler.list_schedules()["Schedules"] if each["Name"].startswith("health")]
    settings = scheduler.get_schedule(Name=health["Name"], GroupName=health["GroupName"])
    before = len(reports(every_channel))
    soon = datetime.now(ZoneInfo("America/Phoenix")) + timedelta(seconds=3)

    scheduler.update_schedule(
        Name=health["Name"],
        GroupName=health["GroupName"],
        ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="America/Phoenix",
        FlexibleTimeWindow=settings["FlexibleTimeWindow"],
        Target={**settings["Target"], "Input": json.dumps({"mode": "deep"})},
    )

    until(lambda: len(reports(every_channel)) > before, 30, every=LOG_LOOKS)


def reports(cloud: Cloud) -> list[dict[str, Any]]:
    """What the deep checks of ``health`` have logged."""
    return [each for each in cloud.log_records("health") if each.get("message") == "health_report"]
