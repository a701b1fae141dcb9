"""Decides the state of an alarm from its metrics, as CloudWatch does. Pure: no request, no moto, no clock.

CloudWatch looks at the last periods every minute; they end with the current minute, and not with a multiple of the period.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import enum
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stack.local.monitoring import aws_metrics, expressions
from stack.local.monitoring.expressions import Series
from stack.local.monitoring.store import MINUTE, MetricKey, MetricStore, UnsupportedStatisticError, check_statistic

EXTRA_PERIODS = 2
"""CloudWatch retrieves more periods than it evaluates, in case some have no value; in its examples, five for three."""


class State(enum.StrEnum):
    """The state of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class UnsupportedAlarmError(ValueError):
    """The local cloud can't evaluate the alarm. The text says why."""


_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_TREATMENTS = {"missing": "Missing", "ignore": "Ignored", "breaching": "Breaching", "notBreaching": "NonBreaching"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When an alarm is raised.

    Attributes:
        metrics: metric and statistic by the id that ``expression`` has for it.
        expression: metric math; of an alarm on one metric, the metric's id.
        period_seconds: the length of a period.
        periods: how many periods are evaluated.
        datapoints: how many of them must breach.
        comparison: CloudWatch's name of the comparison with the threshold.
        threshold: see there.
        missing: how a period without a value is treated, by CloudWatch's name.
    """

    metrics: Mapping[str, tuple[MetricKey, str]]
    expression: str
    period_seconds: int
    periods: int
    datapoints: int
    comparison: str
    threshold: float
    missing: str

    def __post_init__(self) -> None:
        """Check that everything can be evaluated.

        Raises:
            UnsupportedAlarmError: something can't.
        """
        if self.comparison not in _COMPARISONS or self.missing not in _TREATMENTS:
            raise UnsupportedAlarmError(f"the local cloud can't evaluate {self.comparison} with {self.missing}")
        if self.period_seconds < MINUTE or self.period_seconds % MINUTE:
            raise UnsupportedAlarmError(f"the local cloud keeps no values for a period of {self.period_seconds} s")
        for metric, statistic in self.metrics.values():
            if metric.namespace.startswith("AWS/") and not aws_metrics.is_known(metric.namespace, metric.name):
                raise UnsupportedAlarmError(f"the local cloud does not have the metric {metric.name} of {metric.namespace}")
            try:
                check_statistic(statistic)
            except UnsupportedStatisticError as error:
                raise UnsupportedAlarmError(str(error)) from error
        try:
            expressions.evaluate(self.expression, {id_: [None] for id_ in self.metrics}, [0])
        except expressions.ExpressionError as error:
            raise UnsupportedAlarmError(str(error)) from error

    def treatment(self) -> str:
        """How a missing value is treated: alarms on DynamoDB's own metrics keep their state."""
        of_table = any(metric.namespace == "AWS/DynamoDB" for metric, _ in self.metrics.values())
        return "ignore" if of_table else self.missing


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state, and why: as text, and as the JSON text of ``StateReasonData``."""

    state: State
    reason: str
    reason_data: str


def evaluate(rule: Rule, store: MetricStore, now: float, state: State) -> Verdict:
    """The state of an alarm at ``now`` (epoch seconds) that was in ``state``. The current minute counts already."""
    end = int(now) // MINUTE * MINUTE + MINUTE
    starts = [end - number * rule.period_seconds for number in range(rule.periods + EXTRA_PERIODS, 0, -1)]
    metrics: dict[str, Series] = {
        id_: [store.period(metric, start, rule.period_seconds).statistic(statistic) for start in starts]
        for id_, (metric, statistic) in rule.metrics.items()
    }
    values = expressions.evaluate(rule.expression, metrics, starts)
    considered = _considered(values, rule.periods)
    points = [(starts[index], value) for index in considered if (value := values[index]) is not None]
    decided = decide(rule, [value for _, value in points], values, state)
    return Verdict(decided, _reason(rule, points, state, decided), _reason_data(rule, points, now))


def decide(rule: Rule, present: Sequence[float], values: Series, state: State) -> State:
    """The state of the alarm with these values.

    Args:
        rule: the alarm's.
        present: the newest values, at most one per evaluated period.
        values: those of all retrieved periods, oldest first.
        state: the current state.
    """
    breaches, _ = _COMPARISONS[rule.comparison]
    breaching = sum(breaches(value, rule.threshold) for value in present)
    absent = rule.periods - len(present)
    treatment = rule.treatment()
    if breaching + (absent if treatment == "breaching" else 0) >= rule.datapoints:
        return State.ALARM
    if not present and treatment in {"missing", "ignore"}:
        return State.INSUFFICIENT_DATA if treatment == "missing" else state
    if treatment == "ignore" and breaching + absent >= rule.datapoints:
        return state
    if treatment == "missing" and absent and breaching == len(present) and values[-rule.datapoints] is not None:
        return State.ALARM  # the oldest of the breaching values is old enough, and only missing ones follow
    return State.OK


def _considered(values: Series, periods: int) -> list[int]:
    """The indexes of the newest values that exist, at most one per evaluated period."""
    return [index for index, value in enumerate(values) if value is not None][-periods:]


def _reason(rule: Rule, points: Sequence[tuple[int, float]], before: State, after: State) -> str:
    """The reason, as CloudWatch writes it."""
    breaches, words = _COMPARISONS[rule.comparison]
    breaching = [point for point in points if breaches(point[1], rule.threshold)]
    absent = rule.periods - len(points)
    if not points:
        text = f"no datapoints were received for {_counted(rule.periods, 'period')}"
    else:
        wanted = breaching if after is State.ALARM else [point for point in points if point not in breaching]
        shown = ", ".join(f"{float(value)} ({_date(start)})" for start, value in reversed(wanted))
        was = "was" if len(wanted) == 1 else "were"
        negation = "" if after is State.ALARM else "not "
        text = f"{len(wanted)} out of the last {_counted(len(points), 'datapoint')} [{shown}] {was} {negation}{words}"
        text += f" the threshold ({float(rule.threshold)})"
    if absent and after is not State.INSUFFICIENT_DATA:
        was = "was" if absent == 1 else "were"
        text += f" and {_counted(absent, 'missing datapoint')} {was} treated as [{_TREATMENTS[rule.treatment()]}]"
    elif points:
        text += f" (minimum {_counted(rule.datapoints, 'datapoint')} for {before} -> {after} transition)"
    return f"Threshold Crossed: {text}." if after is not State.INSUFFICIENT_DATA else f"Insufficient Data: {text}."


def _reason_data(rule: Rule, points: Sequence[tuple[int, float]], now: float) -> str:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html"""
    data: dict[str, object] = {"version": "1.0", "queryDate": _iso(now)}
    if points:
        data["startDate"] = _iso(points[0][0])
    if len(rule.metrics) == 1 and rule.expression in rule.metrics:
        data["statistic"] = rule.metrics[rule.expression][1]
    data |= {
        "period": rule.period_seconds,
        "recentDatapoints": [float(value) for _, value in points],
        "threshold": float(rule.threshold),
        "evaluatedDatapoints": [{"timestamp": _iso(start), "value": float(value)} for start, value in reversed(points)],
    }
    return json.dumps(data)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _date(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%d/%m/%y %H:%M:%S")


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
