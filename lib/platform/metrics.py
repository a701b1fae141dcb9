"""CloudWatch metrics, through Powertools, in the embedded metric format (EMF), namespace ``Switchboard``.

Each metric is a record of its own, so that a dimension of one can't leak into another's. Every record has the
dimension ``service``, the function's entry point (``POWERTOOLS_SERVICE_NAME``). docs/observability.md lists the names.
"""

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Switchboard"


def count(name: str, value: int = 1, /, **dimensions: str) -> None:
    """Count ``value`` occurrences of ``name``, under ``dimensions`` and the function's own."""
    _emit(name, MetricUnit.Count, value, dimensions)


def milliseconds(name: str, value: float, /, **dimensions: str) -> None:
    """Record a duration of ``value`` milliseconds."""
    _emit(name, MetricUnit.Milliseconds, value, dimensions)


def _emit(name: str, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, of in dimensions.items():
            metric.add_dimension(name=dimension, value=of)
