"""The health function: whether the way in is up, for anybody; and whether everything works, on a schedule.

``GET /health`` is public and cheap: it makes no AWS call and tells no secret. An invocation without a request is the deep
check (lib/health.py). It reports what failed by its result, its log and a metric for each check, and does not fail itself
for it: Lambda would only try again and say the same, and whoever invoked it would get an error in place of the report.
"""

import functools
from typing import Any

import flask

from lib import clock, errors, http, startup, wsgi
from lib.environment import HealthEnvironment
from lib.log import Logger

_environment = HealthEnvironment.read()
_logger = Logger("health")
app = http.make_app("health", _logger)


@app.get("/health")
def health() -> flask.Response:
    """Answer that the function runs, which version it is, and the time in Phoenix."""
    return flask.jsonify(
        status="ok", version=_environment.version, time=clock.phoenix(clock.utc_now()), timezone=clock.TIMEZONE
    )


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Answer an HTTP request, or run the deep check: ``{}``, ``{"mode": "deep"}`` or a schedule's own event.

    Raises:
        InvalidInputError: the event is none of these.
    """
    if isinstance(event, dict) and wsgi.form_of(event) is not None:
        return wsgi.respond(app, event, context)
    _logger.start_run(str(context.aws_request_id))
    if not _asks_for_deep_check(event):
        error = errors.InvalidInputError('the event is neither an HTTP request nor {"mode": "deep"}')
        _logger.error("event_failed", error)
        raise error
    return _check_deeply()


def _asks_for_deep_check(event: object) -> bool:
    if not isinstance(event, dict):
        return False
    return event in ({}, {"mode": "deep"}) or event.get("source") == "aws.scheduler"


def _check_deeply() -> dict[str, Any]:
    from lib import health as checks  # noqa: PLC0415 - GET /health needs neither AWS clients nor metrics
    from lib import metrics  # noqa: PLC0415

    report = checks.run_checks(_environment, make_client=_make_client)
    for check in report.checks:
        if check.status is checks.Status.FAILED:
            metrics.count("HealthCheckFailed", check=check.name)
            _logger.error("health_check_failed", check=check.name, detail=check.detail, latency_ms=round(check.latency_ms, 1))
        elif check.status is checks.Status.OK:
            metrics.count("HealthCheckPassed", check=check.name)
    metrics.count("HealthReport")
    statuses = {check.name: check.status.value for check in report.checks}
    _logger.info("health_report", status="ok" if report.ok else "failed", checks=statuses)
    return report.as_json()


@functools.cache
def _make_client(service: str) -> Any:
    from lib import aws  # noqa: PLC0415 - see above

    return aws.make_client(service)


startup.end()
