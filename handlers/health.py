"""The health function: the deep check of everything that the other functions need, on a schedule.

It has no HTTP route, because its role may read every secret; the webhooks function answers ``GET /health``. A failed check is
in the result, the log and a metric, but does not fail the invocation: Lambda would only retry, and the caller would get an
error instead of the report.
"""

from typing import Any

from lib import health
from lib.platform import aws, contract, errors, gc_tuning, invocation, metrics
from lib.platform.environment.health import HealthEnvironment
from lib.platform.log import Logger

_environment = HealthEnvironment.read()
_logger = Logger("health")


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Run the deep check, for ``{}``, ``{"mode": "deep"}`` or a schedule's own event.

    Raises:
        InvalidInputError: the event is something else.
    """
    with invocation.run(_logger, context):
        if not _asks_for_deep_check(event):
            raise errors.InvalidInputError('the event is not {"mode": "deep"}')
        return _check_deeply()


def _asks_for_deep_check(event: object) -> bool:
    if not isinstance(event, dict):
        return False
    return event in ({}, {"mode": "deep"}) or event.get("source") == "aws.scheduler"


def _check_deeply() -> dict[str, Any]:
    report = health.run_checks(_environment, clients=_clients)
    for check in report.checks:
        if check.status is health.Status.FAILED:
            metrics.count(contract.HEALTH_CHECK_FAILED, check=check.name)
            _logger.error("health_check_failed", check=check.name, detail=check.detail, latency_ms=round(check.latency_ms, 1))
        elif check.status is health.Status.OK:
            metrics.count(contract.HEALTH_CHECK_PASSED, check=check.name)
    metrics.count(contract.HEALTH_REPORT)
    statuses = {check.name: check.status.value for check in report.checks}
    _logger.info("health_report", status="ok" if report.ok else "failed", checks=statuses)
    return report.as_json()


_clients = aws.Clients(aws.make_client)

gc_tuning.end()
