"""Options of ``up`` on one cloud: ``--schedules``, with the scheduler's role; ``--names random``; and ``--no-seed``."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.cloud import LOG_LOOKS, Cloud, running_cloud, until
from tests.support.project.outputs import STABLE_NAMES, names


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud("--schedules", "--names", "random", "--no-seed") as started:
        yield started


def test_names_are_random_on_request(cloud: Cloud) -> None:
    assert set(names(cloud.outputs)).isdisjoint(STABLE_NAMES)


def test_without_seeds_everything_is_empty(cloud: Cloud) -> None:
    scan = cloud.client("dynamodb").scan(TableName=cloud.outputs["lease_table_name"])

    assert scan["Items"] == []
    assert cloud.invoke("reconciliation", {"full": True})["payload"]["projects"] == []


def test_a_schedule_starts_its_function_by_itself(cloud: Cloud) -> None:
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
