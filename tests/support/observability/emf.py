"""Metrics as CloudWatch reads them from the output of a function: records in the embedded metric format (EMF)."""

import dataclasses
import json


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One value of one metric in one record."""

    name: str
    value: float
    unit: str
    dimensions: dict[str, str]


def metrics_in(output: str) -> list[Metric]:
    """The metrics in a function's output, in order. Other lines are skipped."""
    metrics = []
    for line in output.splitlines():
        record = _record(line)
        for directive in record.get("_aws", {}).get("CloudWatchMetrics", []):
            for dimensions in directive["Dimensions"]:
                metrics += [
                    Metric(
                        name=metric["Name"],
                        value=_first(record[metric["Name"]]),
                        unit=metric["Unit"],
                        dimensions={name: record[name] for name in dimensions},
                    )
                    for metric in directive["Metrics"]
                ]
    return metrics


def names_in(output: str) -> list[str]:
    """The names of the metrics in a function's output, in order."""
    return [metric.name for metric in metrics_in(output)]


def reasons_in(output: str, name: str) -> list[str]:
    """The ``reason`` of each record of metric ``name``, in order."""
    return [metric.dimensions["reason"] for metric in metrics_in(output) if metric.name == name]


def _record(line: str) -> dict:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _first(value: float | list[float]) -> float:
    return value[0] if isinstance(value, list) else value
