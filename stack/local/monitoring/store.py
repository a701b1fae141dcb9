"""Keeps metrics as CloudWatch does at standard resolution: one set of values per metric and minute."""

import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from weakref import WeakKeyDictionary

MINUTE = 60
KEPT_SECONDS = 2 * 24 * 3600
"""An alarm looks back 26 hours at most."""
EXACT_VALUES = 1000
"""The most exact values of a metric per minute. Further ones are rounded to three digits, which percentiles may show."""
_PRUNE_SECONDS = 600
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


@dataclass(frozen=True, slots=True)
class MetricKey:
    """What identifies a metric: its namespace, its name and all of its dimensions, sorted."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> Self:
        """The key of a metric with these dimensions."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric, or ``times`` equal ones, at ``at`` (epoch seconds)."""

    metric: MetricKey
    value: float
    at: float
    unit: str = "None"
    times: float = 1


Record = Callable[[Iterable[Sample]], None]
"""Keeps samples: :meth:`MetricStore.add`."""


class UnsupportedStatisticError(ValueError):
    """The local cloud can't compute this statistic. The text is for the caller."""


@dataclass(slots=True)
class Values:
    """The values of one metric in one or several minutes."""

    count: float = 0
    total: float = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    unit: str = "None"
    counts: dict[float, float] = field(default_factory=dict)
    """How often each value occurred. Statistic sets from PutMetricData are not in it."""

    def add(self, value: float, times: float) -> None:
        """Add a value that occurred ``times`` times."""
        self.merge(Values(times, value * times, value, value, self.unit, {value: times}))

    def merge(self, other: "Values") -> None:
        """Add the values of ``other``."""
        self.count += other.count
        self.total += other.total
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        for value, times in other.counts.items():
            key = value if value in self.counts or len(self.counts) < EXACT_VALUES else float(f"{value:.2e}")
            self.counts[key] = self.counts.get(key, 0) + times

    def statistic(self, name: str) -> float | None:
        """``Sum``, ``Average``, ``Minimum``, ``Maximum``, ``SampleCount`` or a percentile like ``p99``; None without a value.

        Raises:
            UnsupportedStatisticError: another statistic.
        """
        check_statistic(name)
        if not self.count:
            return None
        if name.startswith("p"):
            return self._percentile(float(name[1:]))
        return {
            "Sum": self.total,
            "Average": self.total / self.count,
            "Minimum": self.minimum,
            "Maximum": self.maximum,
            "SampleCount": self.count,
        }[name]

    def _percentile(self, percent: float) -> float | None:
        """The nearest rank; None if there are statistic sets, because their single values are unknown."""
        if not math.isclose(sum(self.counts.values()), self.count):
            return None
        seen, wanted = 0.0, percent / 100 * self.count
        for value in sorted(self.counts):
            seen += self.counts[value]
            if seen >= wanted:
                return value
        return self.maximum


def check_statistic(name: str) -> None:
    """Raises UnsupportedStatisticError for a statistic that can't be computed."""
    if name not in {"Sum", "Average", "Minimum", "Maximum", "SampleCount"} and not _PERCENTILE.fullmatch(name):
        raise UnsupportedStatisticError(f"the local cloud can't compute the statistic {name[:40]}")


class MetricStore:
    """The metrics of one account and region. Safe for threads.

    Attributes:
        version: changes with each change of the metrics.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._series: dict[MetricKey, dict[int, Values]] = {}
        self._pruned_at = now()
        self.version = 0

    def add(self, samples: Iterable[Sample]) -> None:
        """Keep samples. Those older than :data:`KEPT_SECONDS` are dropped."""
        for sample in samples:
            self.merge(sample.metric, sample.at, _values_of(sample))

    def merge(self, metric: MetricKey, at: float, values: Values) -> None:
        """Keep values of a metric at one time."""
        with self._lock:
            self._prune()
            if at >= self._now() - KEPT_SECONDS:
                minute = int(at) // MINUTE * MINUTE
                kept = self._series.setdefault(metric, {}).setdefault(minute, Values())
                kept.unit = values.unit
                kept.merge(values)
                self.version += 1

    def metrics(self) -> list[MetricKey]:
        """Every metric that has a value."""
        with self._lock:
            return list(self._series)

    def period(self, metric: MetricKey, start: int, seconds: int, unit: str = "") -> Values:
        """The values of a metric from ``start`` (epoch seconds, a whole minute), of one unit if it is given."""
        merged = Values()
        with self._lock:
            series = self._series.get(metric, {})
            minutes = range(start, start + max(seconds, MINUTE), MINUTE)
            for minute in minutes if series else ():
                found = series.get(minute)
                if found is not None and unit in {"", found.unit}:
                    merged.merge(found)
                    merged.unit = found.unit
        return merged

    def _prune(self) -> None:
        now = self._now()
        if now - self._pruned_at < _PRUNE_SECONDS:
            return
        self._pruned_at = now
        for metric, series in list(self._series.items()):
            kept = {minute: values for minute, values in series.items() if minute >= now - KEPT_SECONDS}
            if kept:
                self._series[metric] = kept
            else:
                del self._series[metric]


def _values_of(sample: Sample) -> Values:
    values = Values(unit=sample.unit)
    values.add(sample.value, sample.times)
    return values


_stores: WeakKeyDictionary[Any, MetricStore] = WeakKeyDictionary()
_stores_lock = threading.Lock()


def store_of(backend: Any) -> MetricStore:
    """The metrics of one of moto's CloudWatch backends."""
    with _stores_lock:
        return _stores.setdefault(backend, MetricStore())
