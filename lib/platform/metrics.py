"""CloudWatch metrics, through Powertools, in the embedded metric format (EMF), namespace ``Switchboard``.

Each metric is a record of its own, so that a dimension of one can't leak into another's. Every record has the
dimension ``service``, the function's entry point (``POWERTOOLS_SERVICE_NAME``). lib/platform/contract.py lists the names.
"""

import functools
import json
import os
import sys

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from lib.platform.contract import METRICS_NAMESPACE, Metric

_encode = json.JSONEncoder(separators=(",", ":")).encode


def count(metric: Metric, value: int = 1, /, **dimensions: str) -> None:
    """Count ``value`` occurrences of ``metric``."""
    _emit(metric, MetricUnit.Count, value, dimensions)


def milliseconds(metric: Metric, value: float, /, **dimensions: str) -> None:
    """Record a duration of ``value`` milliseconds."""
    _emit(metric, MetricUnit.Milliseconds, value, dimensions)


def _emit(metric: Metric, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    service = os.environ.get("POWERTOOLS_SERVICE_NAME", "")
    # CloudWatch refuses a record with an empty dimension.
    present = {name: of for name, of in {**dimensions, "service": service}.items() if of.strip()}
    measured = {metric.name: {"Unit": unit.value, "Value": [float(value)]}}
    record = _encode(_provider().serialize_metric_set(measured, present))
    sys.stdout.write(f"{record}\n")  # CloudWatch reads it from the log; ``print`` writes and flushes twice


@functools.cache
def _provider() -> AmazonCloudWatchEMFProvider:
    """What writes records. Filling and clearing it, or ``single_metric``, checks names and units that are constants here and
    takes two to four times the time."""
    return AmazonCloudWatchEMFProvider(namespace=METRICS_NAMESPACE)
