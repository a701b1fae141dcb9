"""CloudWatch metrics, through Powertools, in the embedded metric format (EMF), namespace ``Switchboard``.

Each metric is a record of its own, so that a dimension of one can't leak into another's. Every record has the
dimension ``service``, the function's entry point (``POWERTOOLS_SERVICE_NAME``). lib/platform/contract.py lists the names.
"""

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from lib.platform.contract import METRICS_NAMESPACE, Metric


def count(metric: Metric, value: int = 1, /, **dimensions: str) -> None:
    """Count ``value`` occurrences of ``metric``."""
    _emit(metric, MetricUnit.Count, value, dimensions)


def milliseconds(metric: Metric, value: float, /, **dimensions: str) -> None:
    """Record a duration of ``value`` milliseconds."""
    _emit(metric, MetricUnit.Milliseconds, value, dimensions)


def _emit(metric: Metric, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    with single_metric(name=metric.name, unit=unit, value=value, namespace=METRICS_NAMESPACE) as record:
        for name, of in dimensions.items():
            record.add_dimension(name=name, value=of)
