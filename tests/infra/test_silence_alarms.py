"""Alarms on scheduled work that does not run: when its silence counts, and when it does not."""

import re
import time
from collections.abc import Sequence
from typing import Any

import pytest

from stack.local.monitoring.alarms import Rule, State, evaluate
from stack.local.monitoring.store import MetricKey, MetricStore, Sample
from stack.monitoring.metrics import CREATION_SECONDS
from tests.support.observability.aws_metrics import ALARM
from tests.support.project.pulumi_graph import EVERYTHING, declare

RUNS_EVERY_SECONDS = {
    "health-stopped": 300,
    "shuttle-sweep-stopped": 900,
    "approvals-sweep-stopped": 3600,
    "OPS-changes-stopped": 900,
    "OPS-sweep-stopped": 24 * 3600,
}
"""How often what each silence alarm watches runs."""


def test_missing_data_raises_an_alarm_only_for_scheduled_work() -> None:
    alarms = declare(*EVERYTHING).all(ALARM)
    silent = {each.name for each in alarms if each.inputs["treatMissingData"] == "breaching"}

    assert silent == {
        "health-stopped",
        "shuttle-sweep-stopped",
        "approvals-sweep-stopped",
        *(f"{project}-{what}-stopped" for project in ("TES", "OPS") for what in ("changes", "sweep")),
    }
    for each in alarms:
        is_silence = each.name in silent
        assert each.inputs["treatMissingData"] == ("breaching" if is_silence else "notBreaching")
        assert each.inputs["comparisonOperator"] == ("LessThanOrEqualToThreshold" if is_silence else "GreaterThanThreshold")
        assert each.inputs["threshold"] == 0 or not is_silence


@pytest.mark.parametrize(("name", "every_seconds"), RUNS_EVERY_SECONDS.items(), ids=RUNS_EVERY_SECONDS)
def test_silence_alarms_allow_one_missed_run_within_cloudwatchs_range(name: str, every_seconds: int) -> None:
    """Silence raises an alarm after more than one missed or late run, and within the period that CloudWatch evaluates."""
    inputs = declare(*EVERYTHING).one(ALARM, name).inputs
    period = inputs["metricQueries"][0]["metric"]["period"]
    looked_back = period * inputs["evaluationPeriods"]

    assert every_seconds < looked_back <= 4 * every_seconds
    assert looked_back <= (24 * 3600 if period < 3600 else 7 * 24 * 3600)


def is_raised(inputs: dict[str, Any], at: float, runs_at: Sequence[float] = ()) -> bool:
    """Whether CloudWatch raises a silence alarm at a time, if runs finished at these times."""
    query, total = inputs["metricQueries"]
    metric, periods = query["metric"], int(inputs["evaluationPeriods"])
    key = MetricKey.of(metric["namespace"], metric["metricName"], metric["dimensions"])
    rule = Rule(
        metrics={query["id"]: (key, metric["stat"])},
        expression=total["expression"],
        period_seconds=int(metric["period"]),
        periods=periods,
        datapoints=periods,
        comparison=inputs["comparisonOperator"],
        threshold=inputs["threshold"],
        missing=inputs["treatMissingData"],
    )
    store = MetricStore(lambda: at)
    store.add(Sample(key, 1, run) for run in runs_at)
    return evaluate(rule, store, at, State.OK).state is State.ALARM


def test_silence_is_not_a_fault_before_the_first_run_is_due() -> None:
    """A new stack has no runs. Once one was due and the usual time has passed, their absence raises the alarm."""
    graph = declare(*EVERYTHING)
    for name, first_due_seconds in RUNS_EVERY_SECONDS.items():
        inputs = graph.one(ALARM, name).inputs
        period = inputs["metricQueries"][0]["metric"]["period"]
        [since] = re.findall(r"<(\d+)", inputs["metricQueries"][1]["expression"])
        ready = int(since)
        created = ready - CREATION_SECONDS
        later = created + 30 * 24 * 3600

        assert time.time() - 3600 < created <= time.time()
        assert not any(
            is_raised(inputs, created + seconds) for seconds in range(0, CREATION_SECONDS + first_due_seconds + 1, 60)
        )
        assert is_raised(inputs, ready + period * inputs["evaluationPeriods"] + 2 * period)
        assert is_raised(inputs, later)
        assert not is_raised(inputs, later, [later - first_due_seconds])
        assert is_raised(inputs, later, [later - 5 * first_due_seconds])


def test_a_deployment_does_not_restart_the_wait_for_a_run() -> None:
    """The alarm keeps the time at which it was created, and nothing else."""
    graph = declare(*EVERYTHING)

    for each in graph.all(ALARM):
        kept = graph.options[ALARM, each.name].ignore_changes or []
        is_silence = each.inputs["treatMissingData"] == "breaching"
        assert list(kept) == (["metricQueries[1].expression"] if is_silence else [])
