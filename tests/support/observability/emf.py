"""Metrics as CloudWatch reads them from the output of a function: records in the embedded metric format (EMF)."""

import dataclasses

from stack.local.monitoring.emf import samples_of


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One value of one metric in one record."""

    name: str
    value: float
    unit: str
    dimensions: dict[str, str]


def metrics_in(output: str) -> list[Metric]:
    """The metrics in a function's output, in order. A line that CloudWatch would refuse is an error."""
    return [
        Metric(sample.metric.name, sample.value, sample.unit, dict(sample.metric.dimensions))
        for line in output.splitlines()
        for sample in samples_of(line)
    ]


def names_in(output: str) -> list[str]:
    """The names of the metrics in a function's output, in order."""
    return [metric.name for metric in metrics_in(output)]


def reasons_in(output: str, name: str) -> list[str]:
    """The ``reason`` of each record of metric ``name``, in order."""
    return [metric.dimensions["reason"] for metric in metrics_in(output) if metric.name == name]
