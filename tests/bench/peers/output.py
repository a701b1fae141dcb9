"""What a peer writes about an event: one log line, as its library's documentation shows, or (``PEER_OUTPUT=same``) structured
lines and the metrics of Switchboard, through Powertools, which is what AWS recommends for functions of any framework."""

import os
from time import perf_counter

SAME = os.environ.get("PEER_OUTPUT") == "same"
if SAME:
    from aws_lambda_powertools import Logger, Metrics, single_metric
    from aws_lambda_powertools.metrics import MetricUnit

    _logger = Logger()
    _metrics = Metrics(namespace="Switchboard")


def start(context) -> None:
    """Begin the lines of one invocation."""
    if SAME:
        _logger.append_keys(run_id=context.aws_request_id)


def delivery(log, key: str, delivery_id: str) -> None:
    """A delivery was stored and queued."""
    if not SAME:
        log("webhook_delivery %s", key)
        return
    _count("WebhookDelivery", source="jira", outcome="stored")
    fields = {"source": "jira", "status": "stored", "event_type": "jira:issue_updated", "issue_keys": [key]}
    _logger.info("webhook_delivery", extra={**fields, "issue_key": key, "correlation_queued": True, "identifier": delivery_id})


def lease(log, found: dict, started: float, uuid: str) -> None:
    """A lease was read."""
    if not SAME:
        log("lease_read %s", found.get("status"))
        return
    took = round((perf_counter() - started) * 1000, 3)
    _metrics.add_metric(name="EnrichmentQueryLatencyMs", unit=MetricUnit.Milliseconds, value=took)
    _metrics.add_metric(name="EnrichmentSuccess", unit=MetricUnit.Count, value=1)
    _metrics.flush_metrics()
    fields = {"lease_status": found.get("status"), "field_count": len(found), "latency_ms": took, "lease_uuid": uuid}
    _logger.info("lease_schema", extra=fields)


def sent(event: dict) -> None:
    """A notification was sent."""
    if SAME:
        _count("NotificationSent", channel="sns")
        _logger.info(
            "lease_event", extra={"event_id": event["id"], "detail_type": event["detail-type"], "channels": {"sns": "sent"}}
        )


def _count(name: str, **dimensions: str) -> None:
    with single_metric(name=name, unit=MetricUnit.Count, value=1, namespace="Switchboard") as metric:
        for dimension, value in dimensions.items():
            metric.add_dimension(name=dimension, value=value)
