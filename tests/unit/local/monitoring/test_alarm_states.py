"""The state of an alarm: threshold, periods and missing data, as CloudWatch documents them."""

import dataclasses
import json

import pytest

from stack.local.monitoring.alarms import Rule, State, UnsupportedAlarmError, evaluate
from stack.local.monitoring.store import MetricKey, MetricStore, Sample

NOW = 1_770_000_000 + 30.0
ERRORS = MetricKey.of("AWS/Lambda", "Errors", {"FunctionName": "f"})
RULE = Rule(
    metrics={"m0": (ERRORS, "Sum")},
    expression="m0",
    period_seconds=300,
    periods=1,
    datapoints=1,
    comparison="GreaterThanThreshold",
    threshold=0,
    missing="notBreaching",
)


def rule(**changes: object) -> Rule:
    return dataclasses.replace(RULE, **changes)  # type: ignore[arg-type]


def store_with(pattern: str, period: int = 300) -> MetricStore:
    """Values in the newest periods: X is 1 and breaching, 0 is 0, and - is a missing value; the last one is the newest."""
    store = MetricStore(lambda: NOW)
    for age, each in enumerate(reversed(pattern.replace(" ", ""))):
        if each != "-":
            store.add([Sample(ERRORS, float(each == "X"), NOW - age * period)])
    return store


def state_of(rule: Rule, pattern: str, state: State = State.INSUFFICIENT_DATA) -> State:
    return evaluate(rule, store_with(pattern), NOW, state).state


@pytest.mark.parametrize(
    ("pattern", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", "OK", "OK", "OK", "OK"),
        ("0 - - - -", "OK", "OK", "OK", "OK"),
        ("- - - - -", "INSUFFICIENT_DATA", "retained", "ALARM", "OK"),
        ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("- - X - -", "ALARM", "retained", "ALARM", "OK"),
    ],
)
def test_missing_values_of_three_count_as_in_the_table_of_aws(
    pattern: str, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html"""
    expected = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for treatment, state in expected.items():
        of_three = rule(periods=3, datapoints=3, missing=treatment)
        for before in State:
            assert state_of(of_three, pattern, before) == (before if state == "retained" else state), treatment


@pytest.mark.parametrize(("pattern", "state"), [("0 - X - X", "ALARM"), ("0 0 X 0 X", "ALARM"), ("0 - X - -", "OK")])
def test_two_of_three_values_that_breach_are_enough(pattern: str, state: str) -> None:
    assert state_of(rule(periods=3, datapoints=2), pattern) == state


def test_a_value_of_the_current_minute_counts_at_once() -> None:
    assert state_of(RULE, "X") is State.ALARM


def test_an_alarm_is_over_when_its_period_has_passed() -> None:
    store = store_with("X")
    later = [seconds for seconds in range(0, 600, 60) if evaluate(RULE, store, NOW + seconds, State.ALARM).state is State.ALARM]
    assert later[:5] == [0, 60, 120, 180, 240]

    store.add([Sample(ERRORS, 0, NOW + 300)])  # the next invocation succeeds
    assert evaluate(RULE, store, NOW + 240, State.ALARM).state is State.ALARM
    assert evaluate(RULE, store, NOW + 300, State.ALARM).state is State.OK


def test_an_alarm_on_a_table_keeps_its_state_without_values() -> None:
    throttles = MetricKey.of("AWS/DynamoDB", "ReadThrottleEvents", {"TableName": "t"})
    for before in State:
        assert evaluate(rule(metrics={"m0": (throttles, "Sum")}), MetricStore(), NOW, before).state is before


def test_the_reason_is_written_as_cloudwatch_writes_it() -> None:
    raised = evaluate(RULE, store_with("X"), NOW, State.OK)
    over = evaluate(RULE, store_with(""), NOW, State.ALARM)

    assert raised.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoint [1.0 (02/02/26 02:36:00)] was greater than the threshold (0.0) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert json.loads(raised.reason_data)["recentDatapoints"] == [1.0]
    assert over.reason == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching]."
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"comparison": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
        ({"missing": "other"}, "other"),
        ({"period_seconds": 10}, "10 s"),
        ({"metrics": {"m0": (ERRORS, "tm90")}}, "tm90"),
        ({"expression": "AVG([m0])"}, "AVG"),
        ({"metrics": {"m0": (MetricKey.of("AWS/Lambda", "ConcurrentExecutions", {}), "Sum")}}, "ConcurrentExecutions"),
        ({"metrics": {"m0": (MetricKey.of("AWS/EC2", "CPUUtilization", {}), "Sum")}}, "AWS/EC2"),
    ],
)
def test_what_can_not_be_evaluated_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(UnsupportedAlarmError, match=reason):
        rule(**changes)
