"""The metrics in a log line in the embedded metric format (EMF), which CloudWatch Logs extracts.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from stack.local.monitoring.store import MetricKey, Sample

MAX_VALUES = 100
MAX_DIMENSIONS = 30


class EmfError(ValueError):
    """The line claims to contain metrics, and CloudWatch would extract none."""


def samples_of(line: str) -> list[Sample]:
    """The values of all metrics in a log line; empty for a line that is not in the format.

    Raises:
        EmfError: see there.
    """
    if '"CloudWatchMetrics"' not in line:
        return []
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return []
    metadata = record.get("_aws") if isinstance(record, dict) else None
    if not isinstance(metadata, dict):
        return []
    try:
        at = float(metadata["Timestamp"]) / 1000
        return [sample for directive in metadata["CloudWatchMetrics"] for sample in _samples(directive, record, at)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EmfError(f"not a valid record of metrics: {error!r}") from error


def _samples(directive: Mapping[str, Any], record: Mapping[str, Any], at: float) -> Iterator[Sample]:
    namespace = directive["Namespace"]
    for names in directive["Dimensions"]:
        dimensions = {name: record[name] for name in names}
        if len(dimensions) > MAX_DIMENSIONS or not all(isinstance(value, str) and value for value in dimensions.values()):
            raise EmfError("a dimension is not a text, or there are too many")
        for metric in directive["Metrics"]:
            key = MetricKey.of(namespace, metric["Name"], dimensions)
            for value in _numbers(record[metric["Name"]]):
                yield Sample(key, value, at, metric.get("Unit") or "None")


def _numbers(value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    if len(values) > MAX_VALUES or not all(
        isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in values
    ):
        raise EmfError("the value of a metric is not a number, or there are too many")
    return [float(each) for each in values]
