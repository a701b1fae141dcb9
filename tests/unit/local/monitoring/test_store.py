"""Kept metrics: one set of values per minute, and its statistics."""

import math

import pytest

from stack.local.monitoring.store import (
    EXACT_VALUES,
    KEPT_SECONDS,
    MetricKey,
    MetricStore,
    Sample,
    UnsupportedStatisticError,
    Values,
)

NOW = 1_770_000_000
LATENCY = MetricKey.of("Switchboard", "Latency", {"service": "notification"})


def filled(*values: float, at: float = NOW) -> MetricStore:
    store = MetricStore(lambda: NOW)
    store.add(Sample(LATENCY, value, at, "Milliseconds") for value in values)
    return store


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Sum", 10), ("Average", 2.5), ("Minimum", 1), ("Maximum", 4), ("SampleCount", 4), ("p50", 2), ("p99", 4), ("p0.1", 1)],
)
def test_a_period_has_the_statistics_of_its_values(statistic: str, expected: float) -> None:
    assert filled(3, 1, 4, 2).period(LATENCY, NOW, 60).statistic(statistic) == expected


def test_a_period_has_the_values_of_its_minutes_only() -> None:
    store = filled(1, at=NOW - 1)
    store.add([Sample(LATENCY, 2, NOW + 59.9), Sample(LATENCY, 4, NOW + 60)])

    assert store.period(LATENCY, NOW, 60).statistic("Sum") == 2
    assert store.period(LATENCY, NOW - 60, 180).statistic("Sum") == 7


def test_metrics_with_other_dimensions_are_others() -> None:
    assert filled(1).period(MetricKey.of("Switchboard", "Latency", {}), NOW, 60).statistic("Sum") is None


@pytest.mark.parametrize("statistic", ["tm90", "p101", "sum", "IQM"])
def test_other_statistics_are_refused(statistic: str) -> None:
    with pytest.raises(UnsupportedStatisticError, match=statistic):
        filled(1).period(LATENCY, NOW, 60).statistic(statistic)


def test_a_percentile_of_a_statistic_set_is_unknown() -> None:
    store = filled(1)
    store.merge(LATENCY, NOW, Values(count=2, total=8, minimum=3, maximum=5))

    assert store.period(LATENCY, NOW, 60).statistic("p99") is None
    assert store.period(LATENCY, NOW, 60).statistic("Sum") == 9


def test_old_values_are_dropped() -> None:
    clock = [float(NOW)]
    store = MetricStore(lambda: clock[0])
    store.add([Sample(LATENCY, 1, NOW)])
    clock[0] += KEPT_SECONDS + 3600
    other = MetricKey.of("Switchboard", "Other", {})
    store.add([Sample(other, 1, clock[0]), Sample(LATENCY, 1, NOW)])

    assert store.metrics() == [other]


def test_a_minute_keeps_a_bounded_number_of_values() -> None:
    values = [1000 + number / 7 for number in range(EXACT_VALUES * 20)]
    kept = filled(*values).period(LATENCY, NOW, 60)

    assert len(kept.counts) < EXACT_VALUES + 1000
    assert kept.statistic("Sum") == pytest.approx(sum(values))
    assert math.isclose(kept.statistic("p99") or 0, sorted(values)[int(len(values) * 0.99)], rel_tol=0.01)
