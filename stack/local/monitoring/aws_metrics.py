"""Writes the metrics that AWS writes about its services, as far as the local cloud supports them.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from stack.local.monitoring.store import MINUTE, MetricKey, MetricStore, Sample

_QUEUE_NAMES = ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage")

WRITTEN = {
    "AWS/Lambda": {"Invocations", "Errors", "Duration", "DestinationDeliveryFailures"},
    "AWS/SQS": set(_QUEUE_NAMES),
    "AWS/ApiGateway": {"Count", "4xx", "5xx", "Latency"},
}
NEVER_WRITTEN = {
    "AWS/Lambda": {"Throttles", "RecursiveInvocationsDropped"},
    "AWS/DynamoDB": {"ReadThrottleEvents", "WriteThrottleEvents"},
}
"""The local cloud neither throttles nor stops loops: what these metrics count does not happen."""

_ACTIVE_SECONDS = 6 * 3600
"""A queue has metrics for this long after its last message."""
_POISON_RECEIVES = 3
"""SQS ignores the age of a message that was received this often and not deleted."""


def is_known(namespace: str, name: str) -> bool:
    """Whether the local cloud writes a metric of AWS, or knows that it has no value."""
    return any(name in metrics.get(namespace, ()) for metrics in (WRITTEN, NEVER_WRITTEN))


def of_invocation(function_name: str, started_at: float, seconds: float | None, *, failed: bool) -> Iterator[Sample]:
    """The metrics of one invocation, at its start; ``seconds`` is None if no process got it."""
    yield _of_function(function_name, "Invocations", 1, started_at, "Count")
    yield _of_function(function_name, "Errors", int(failed), started_at, "Count")
    if seconds is not None:
        yield _of_function(function_name, "Duration", round(seconds * 1000, 2), started_at, "Milliseconds")


def of_lost_event(function_name: str) -> Iterator[Sample]:
    """The metrics of an asynchronous event that could not be sent to its failure destination."""
    yield _of_function(function_name, "DestinationDeliveryFailures", 1, time.time(), "Count")


def of_request(api_id: str, started_at: float, status: int) -> Iterator[Sample]:
    """The metrics of one request to the HTTP API."""
    values = {
        "Count": (1, "Count"),
        "4xx": (int(400 <= status < 500), "Count"),
        "5xx": (int(status >= 500), "Count"),
        "Latency": (round((time.time() - started_at) * 1000), "Milliseconds"),
    }
    for name, (value, unit) in values.items():
        yield Sample(MetricKey.of("AWS/ApiGateway", name, {"ApiId": api_id}), value, started_at, unit)


def _of_function(function_name: str, name: str, value: float, at: float, unit: str) -> Sample:
    return Sample(MetricKey.of("AWS/Lambda", name, {"FunctionName": function_name}), value, at, unit)


class QueueMetrics:
    """Writes the depth and the oldest age of each queue.

    Args:
        backend: moto's SQS backend.
        store: where the metrics are kept.
    """

    def __init__(self, backend: Any, store: MetricStore) -> None:
        self._backend = backend
        self._store = store
        self._last: dict[str, tuple[int, float]] = {}
        """The minute of the last samples of a queue, and when it last had a message."""

    def sample(self, now: float) -> None:
        """Sample every queue. An empty queue is sampled once per minute, until it has been empty for hours."""
        for name, queue in list(self._backend.queues.items()):
            visible, age = _depth_and_age(queue, now)
            minute, filled_at = self._last.get(name, (0, 0.0))
            if queue._messages:
                filled_at = now
            elif now - filled_at > _ACTIVE_SECONDS or minute == int(now) // MINUTE:
                continue
            self._last[name] = (int(now) // MINUTE, filled_at)
            self._store.add(_of_queue(name, visible, age, now))


def _of_queue(name: str, visible: int, age: float, now: float) -> Iterable[Sample]:
    for metric, value, unit in zip(_QUEUE_NAMES, (visible, age), ("Count", "Seconds"), strict=True):
        yield Sample(MetricKey.of("AWS/SQS", metric, {"QueueName": name}), value, now, unit)


def _depth_and_age(queue: Any, now: float) -> tuple[int, float]:
    messages = list(queue._messages)
    sent = [
        message.sent_timestamp / 1000
        for message in messages
        if message.approximate_receive_count < _POISON_RECEIVES and not message.delayed
    ]
    age = max(0.0, now - min(sent)) if sent else 0.0
    return sum(message.visible and not message.delayed for message in messages), float(int(age))
