"""The depth of a queue, and the age of its oldest message, as SQS reports them."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto.sqs.models import sqs_backends

from lib.platform import aws, clock
from stack.local.monitoring.aws_metrics import QueueMetrics
from stack.local.monitoring.store import MetricKey, MetricStore
from tests.support.aws.moto_inside import moto_inside

DEPTH, AGE = (
    MetricKey.of("AWS/SQS", name, {"QueueName": "work"})
    for name in ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage")
)


class Queue:
    """A queue, whose metrics are sampled at times counted from now."""

    def __init__(self) -> None:
        self.sqs: Any = aws.make_client("sqs")
        self.url = self.sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
        self._start = clock.utc_now().timestamp()
        self.store = MetricStore(lambda: self._start)
        self._metrics = QueueMetrics(sqs_backends["123456789012"]["us-west-2"], self.store)

    def sample(self, after: float) -> tuple[float | None, float | None]:
        """The greatest depth and age in the minute that is ``after`` seconds from now."""
        now = self._start + after
        self._metrics.sample(now)
        minute = int(now) // 60 * 60
        return self.store.period(DEPTH, minute, 60).statistic("Maximum"), self.store.period(AGE, minute, 60).statistic(
            "Maximum"
        )


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    with moto_inside(monkeypatch):
        yield Queue()


def test_a_queue_that_never_had_a_message_has_no_metrics(queue: Queue) -> None:
    assert queue.sample(0) == (None, None)
    assert queue.store.metrics() == []


def test_depth_and_age_follow_the_messages(queue: Queue) -> None:
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="one")
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="two")

    depth, age = queue.sample(1000)

    assert depth == 2
    assert age == pytest.approx(1000, abs=2)


def test_a_message_that_is_being_processed_has_an_age_and_is_not_visible(queue: Queue) -> None:
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="one")
    queue.sqs.receive_message(QueueUrl=queue.url, VisibilityTimeout=600)

    depth, age = queue.sample(100)

    assert depth == 0
    assert age == pytest.approx(100, abs=2)


def test_the_age_of_a_message_that_was_received_three_times_does_not_count(queue: Queue) -> None:
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="poison")
    for _ in range(3):
        queue.sqs.receive_message(QueueUrl=queue.url, VisibilityTimeout=0)

    assert queue.sample(100)[1] == 0


def test_an_emptied_queue_reports_zero_for_six_hours(queue: Queue) -> None:
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="one")
    queue.sample(0)
    queue.sqs.purge_queue(QueueUrl=queue.url)

    assert queue.sample(120) == (0, 0)
    assert queue.sample(5 * 3600) == (0, 0)
    assert queue.sample(7 * 3600) == (None, None)
