"""The evaluation of moto's alarms: states, messages to topics, and what can't be evaluated."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.cloudwatch.models import cloudwatch_backends
from moto.sqs.models import sqs_backends

from lib.platform import aws
from stack.local import moto_patches
from stack.local.errors import StartError
from stack.local.monitoring.aws_metrics import QueueMetrics
from stack.local.monitoring.evaluator import AlarmEvaluator
from stack.local.monitoring.store import MetricKey, MetricStore, Sample, store_of
from tests.support.aws.moto_inside import moto_inside

ACCOUNT, REGION = "123456789012", "us-west-2"
START = 1_770_000_000.0
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"


class Watch:
    """An evaluator whose clock does not move and whose thread does not run."""

    def __init__(self) -> None:
        self.time = START
        self.cloudwatch: Any = aws.make_client("cloudwatch")
        self.sqs: Any = aws.make_client("sqs")
        self.published: list[tuple[str, str, dict[str, Any]]] = []
        self.refused: list[str] = []
        self.store = MetricStore(lambda: self.time)
        self.evaluator: AlarmEvaluator | None = None

    def put_alarm(self, name: str = "f-errors", **changes: Any) -> None:
        metric = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": "f"}]}
        self.cloudwatch.put_metric_alarm(
            **{
                **metric,
                "AlarmName": name,
                "AlarmDescription": "The function f failed.",
                "Statistic": "Sum",
                "Period": 300,
                "EvaluationPeriods": 1,
                "Threshold": 0,
                "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": "notBreaching",
                "AlarmActions": [TOPIC],
                "OKActions": [TOPIC],
                **changes,
            }
        )

    def start(self) -> AlarmEvaluator:
        def publish(topic: str, subject: str, message: str) -> None:
            self.published.append((topic, subject, json.loads(message)))

        queues = QueueMetrics(sqs_backends[ACCOUNT][REGION], self.store)
        self.evaluator = AlarmEvaluator(
            cloudwatch_backends[ACCOUNT][REGION],
            self.store,
            queues,
            publish=publish,
            may=lambda _, __, topic, ___: topic not in self.refused,
            now=lambda: self.time,
        )
        self.evaluator.stop_thread()
        self.evaluator.check()
        return self.evaluator

    def fail(self, function: str = "f") -> None:
        self.store.add([Sample(MetricKey.of("AWS/Lambda", "Errors", {"FunctionName": function}), 1, self.time)])

    def state(self, name: str = "f-errors") -> tuple[str, str]:
        [alarm] = self.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return alarm["StateValue"], alarm["StateReason"]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    moto_patches.fill_gaps()
    with moto_inside(monkeypatch):
        watch = Watch()
        yield watch
        if watch.evaluator:
            watch.evaluator.close()


def test_a_new_alarm_has_no_data_until_it_is_evaluated(watch: Watch) -> None:
    watch.put_alarm()
    assert watch.state() == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")

    watch.start()

    assert watch.state()[0] == "OK"


def test_a_failure_raises_the_alarm_and_both_changes_are_published(watch: Watch) -> None:
    watch.put_alarm()
    evaluator = watch.start()
    watch.fail()
    evaluator.check()
    evaluator.check()
    assert watch.state()[0] == "ALARM"
    assert watch.cloudwatch.describe_alarms(StateValue="ALARM", AlarmTypes=["MetricAlarm"])["MetricAlarms"]

    watch.time += 15 * 60
    evaluator.check()

    assert watch.state()[0] == "OK"
    assert [(topic, message["OldStateValue"], message["NewStateValue"]) for topic, _, message in watch.published] == [
        (TOPIC, "INSUFFICIENT_DATA", "OK"),
        (TOPIC, "OK", "ALARM"),
        (TOPIC, "ALARM", "OK"),
    ]
    _, subject, message = watch.published[1]
    assert subject == 'ALARM: "f-errors" in US West (Oregon)'
    assert message["AlarmDescription"] == "The function f failed."
    assert message["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [1.0 ")
    assert message["Trigger"]["Dimensions"] == [{"value": "f", "name": "FunctionName"}]
    assert (message["Trigger"]["Statistic"], message["Trigger"]["Period"]) == ("SUM", 300)


def test_the_states_after_some_time_are_foreseen_and_not_set(watch: Watch) -> None:
    watch.put_alarm()
    evaluator = watch.start()
    watch.fail()

    assert evaluator.states_after(0) == {"f-errors": "ALARM"}
    assert evaluator.states_after(15 * 60) == {"f-errors": "OK"}
    assert watch.state()[0] == "ALARM"


def test_a_message_in_a_queue_raises_the_alarm_on_its_depth_until_it_is_gone(watch: Watch) -> None:
    dimensions = [{"Name": "QueueName", "Value": "dead"}]
    depth = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Dimensions": dimensions}
    watch.put_alarm("depth", **depth, Statistic="Maximum")
    url = watch.sqs.create_queue(QueueName="dead")["QueueUrl"]
    evaluator = watch.start()
    assert watch.state("depth")[0] == "OK"

    watch.sqs.send_message(QueueUrl=url, MessageBody="failed")
    evaluator.check()
    assert watch.state("depth")[0] == "ALARM"

    watch.sqs.purge_queue(QueueUrl=url)
    for _ in range(5):
        assert watch.state("depth")[0] == "ALARM"
        watch.time += 60
        evaluator.check()
    assert watch.state("depth")[0] == "OK"


def test_a_state_that_a_person_sets_is_published_and_corrected(watch: Watch) -> None:
    watch.put_alarm()
    evaluator = watch.start()
    watch.published.clear()

    watch.cloudwatch.set_alarm_state(AlarmName="f-errors", StateValue="ALARM", StateReason="a test")
    assert watch.state() == ("ALARM", "a test")
    evaluator.check()

    assert watch.state()[0] == "OK"
    watch.cloudwatch.set_alarm_state(AlarmName="f-errors", StateValue="OK", StateReason="no change")
    assert [message["NewStateValue"] for _, _, message in watch.published] == ["ALARM", "OK"]


@pytest.mark.parametrize("how", ["disabled", "refused by the topic"])
def test_nothing_is_published_if_actions_are(how: str, watch: Watch) -> None:
    watch.put_alarm(ActionsEnabled=how != "disabled")
    if how != "disabled":
        watch.refused.append(TOPIC)

    watch.start()

    assert watch.state()[0] == "OK"
    assert watch.published == []


def test_an_alarm_that_can_not_be_evaluated_stops_the_start(watch: Watch) -> None:
    watch.put_alarm(MetricName="ConcurrentExecutions")

    with pytest.raises(StartError, match=r"f-errors can't be evaluated: .*ConcurrentExecutions"):
        watch.start()


def test_a_later_alarm_that_can_not_be_evaluated_says_so(watch: Watch) -> None:
    evaluator = watch.start()
    watch.put_alarm()
    evaluator.check()
    watch.put_alarm(Period=10)
    watch.cloudwatch.set_alarm_state(AlarmName="f-errors", StateValue="OK", StateReason="wrong")
    evaluator.check()

    assert watch.state() == (
        "INSUFFICIENT_DATA",
        "Not evaluated: the local cloud keeps no values for a period of 10 s",
    )


def test_metrics_of_a_client_are_evaluated(watch: Watch) -> None:
    """PutMetricData keeps the values where the alarms read them."""
    watch.cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "M", "Value": 1}])

    assert MetricKey.of("N", "M", {}) in store_of(cloudwatch_backends[ACCOUNT][REGION]).metrics()
