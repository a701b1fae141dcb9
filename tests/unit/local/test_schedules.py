"""When the local cloud runs a schedule, and with what."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest

from lib.platform.schedule_expressions import ExpressionError, next_run
from stack.components.schedule import ALWAYS, WITH_APPROVALS, WITH_PROJECTS
from stack.local.schedules import ScheduleRunner
from tests.support.aws.moto_clients import mocked

PHOENIX = ZoneInfo("America/Phoenix")
NOON = datetime(2026, 11, 29, 12, 0, 30, tzinfo=PHOENIX)  # a Sunday
ROLE = "arn:aws:iam::123456789012:role/scheduler"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PHOENIX)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", at("2026-11-29T12:01:30")),
        ("rate(15 minutes)", at("2026-11-29T12:15:30")),
        ("rate(1 hour)", at("2026-11-29T13:00:30")),
        ("rate(2 days)", at("2026-12-01T12:00:30")),
        ("cron(0 2 * * ? *)", at("2026-11-30T02:00")),
        ("cron(0 12 * * ? *)", at("2026-11-30T12:00")),
        ("cron(0/15 * * * ? *)", at("2026-11-29T12:15")),
        ("cron(15 10 ? * MON-FRI *)", at("2026-11-30T10:15")),
        ("cron(0 18 ? * SUN *)", at("2026-11-29T18:00")),
        ("cron(0 8 1 * ? *)", at("2026-12-01T08:00")),
        ("cron(5,35 14 * jan,JUL ? 2027)", at("2027-01-01T14:05")),
        ("cron(0 0 29 2 ? *)", at("2028-02-29T00:00")),
        ("at(2026-11-29T12:00:31)", at("2026-11-29T12:00:31")),
        ("at(2026-11-29T12:00:30)", None),
        ("cron(0 2 * * ? 2020)", None),
    ],
)
def test_the_next_run(expression: str, expected: datetime | None) -> None:
    assert next_run(expression, NOON) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "daily",
        "rate(5)",
        "rate(0 minutes)",
        "rate(5 weeks)",
        "cron(0 2 * * ?)",
        "cron(60 2 * * ? *)",
        "cron(0 2 L * ? *)",
        "cron(0/0 2 * * ? *)",
        "at(tomorrow)",
    ],
)
def test_a_wrong_expression_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        next_run(expression, NOON)


def test_every_schedule_of_the_program_can_run() -> None:
    assert all(next_run(schedule.when, NOON) for schedule in (*ALWAYS, *WITH_PROJECTS, *WITH_APPROVALS))


class Clock:
    """A clock, the schedules in moto, and what was invoked."""

    def __init__(self) -> None:
        self.time = NOON
        self.invoked: list[tuple[str, str, str]] = []
        self.client: Any = boto3.client("scheduler", region_name="us-west-2")

    def target(self, name: str) -> dict[str, str]:
        return {"Arn": f"arn:aws:lambda:us-west-2:123456789012:function:{name}", "RoleArn": ROLE, "Input": f'"{name}"'}

    def put(
        self, name: str, expression: str, *, state: str = "ENABLED", zone: str = "America/Phoenix", new: bool = True
    ) -> None:
        put = self.client.create_schedule if new else self.client.update_schedule
        put(
            Name=name,
            ScheduleExpression=expression,
            ScheduleExpressionTimezone=zone,
            State=state,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=self.target(name),
        )

    def invoke(self, function_arn: str, payload: str, role_arn: str) -> None:
        self.invoked.append((function_arn, payload, role_arn))
        if payload == '"broken"':
            raise RuntimeError("no such function")

    def names(self, runner: ScheduleRunner, **later: float) -> list[str]:
        """The schedules that run after this time."""
        self.time += timedelta(**later)
        self.invoked.clear()
        runner.check()
        return sorted(payload.strip('"') for _, payload, _ in self.invoked)


@pytest.fixture
def clock() -> Any:
    with mocked():
        yield Clock()


@pytest.fixture
def runner_of(clock: Clock) -> Any:
    runners = []

    def start() -> ScheduleRunner:
        runner = ScheduleRunner("123456789012", "us-west-2", clock.invoke, lambda: clock.time.astimezone(UTC))
        runner.close()  # the test calls check itself
        runners.append(runner)
        return runner

    return start


def test_a_schedule_runs_once_each_time_with_its_input_and_role(clock: Clock, runner_of: Any) -> None:
    clock.put("health", "rate(5 minutes)")
    clock.put("sweep", "cron(0 2 * * ? *)")
    runner = runner_of()

    assert clock.names(runner, seconds=299) == []
    assert clock.names(runner, seconds=1) == ["health"]
    assert clock.invoked == [("arn:aws:lambda:us-west-2:123456789012:function:health", '"health"', ROLE)]
    assert clock.names(runner, seconds=1) == []
    assert clock.names(runner, hours=14) == ["health", "sweep"]
    assert clock.names(runner, seconds=1) == []


def test_changes_through_the_api_count_at_once(clock: Clock, runner_of: Any) -> None:
    clock.put("health", "rate(5 minutes)")
    runner = runner_of()
    clock.put("health", "rate(1 minute)", state="DISABLED", new=False)
    clock.put("once", f"at({(clock.time + timedelta(minutes=2)).strftime('%Y-%m-%dT%H:%M:%S')})")

    assert clock.names(runner, seconds=1) == []
    assert clock.names(runner, minutes=9) == ["once"]
    clock.put("health", "rate(1 minute)", new=False)
    assert clock.names(runner, seconds=1) == []
    assert clock.names(runner, minutes=1) == ["health"]


def test_a_schedule_that_fails_does_not_stop_the_others(
    clock: Clock, runner_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.put("broken", "rate(1 minute)")
    clock.put("odd", "cron(0 2 L * ? *)")
    clock.put("nowhere", "rate(1 minute)", zone="Mars/Olympus")
    clock.put("sound", "rate(1 minute)")
    runner = runner_of()

    assert clock.names(runner, minutes=1) == ["broken", "sound"]
    assert clock.names(runner, minutes=1) == ["broken", "sound"]
    errors = capsys.readouterr().err
    assert "schedule broken could not start its function: no such function" in errors
    assert "schedule odd never runs: cron(0 2 L * ? *) is wrong or not supported" in errors
    assert "schedule nowhere never runs: " in errors
