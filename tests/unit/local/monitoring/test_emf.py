"""Metrics in log lines: what CloudWatch Logs extracts."""

import json
from typing import Any

import pytest

from lib.platform import metrics
from lib.platform.contract import NOTIFICATION_SENT
from stack.local.monitoring.emf import EmfError, samples_of
from stack.local.monitoring.store import MetricKey, Sample


def line(**changes: Any) -> str:
    """A line with the metric Sent of the channel sns."""
    directive = {
        "Namespace": "Switchboard",
        "Dimensions": [["service", "channel"]],
        "Metrics": [{"Name": "Sent", "Unit": "Count"}],
    }
    record = {
        "_aws": {"Timestamp": 1_770_000_000_250, "CloudWatchMetrics": [directive]},
        "service": "notification",
        "channel": "sns",
        "Sent": 3,
    }
    return json.dumps({**record, **changes})


SENT = MetricKey.of("Switchboard", "Sent", {"service": "notification", "channel": "sns"})


def test_a_value_has_the_dimensions_unit_and_time_of_its_line() -> None:
    assert samples_of(line()) == [Sample(SENT, 3.0, 1_770_000_000.25, "Count")]


def test_a_list_is_several_values() -> None:
    assert [sample.value for sample in samples_of(line(Sent=[1, 2.5]))] == [1.0, 2.5]


def test_each_set_of_dimensions_is_a_metric_of_its_own() -> None:
    record = json.loads(line())
    record["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = [["service"], []]

    assert [dict(sample.metric.dimensions) for sample in samples_of(json.dumps(record))] == [{"service": "notification"}, {}]


def test_what_a_function_prints_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.count(NOTIFICATION_SENT, 2, channel="email")

    [sample] = samples_of(capsys.readouterr().out)
    assert (sample.metric.namespace, sample.metric.name, sample.value) == ("Switchboard", "NotificationSent", 2.0)
    assert dict(sample.metric.dimensions)["channel"] == "email"


@pytest.mark.parametrize("text", ["", "START", '{"message": "ok"}', '{"CloudWatchMetrics"', '["CloudWatchMetrics"]'])
def test_other_lines_have_no_metrics(text: str) -> None:
    assert samples_of(text) == []


@pytest.mark.parametrize(
    "changes",
    [{"Sent": "3"}, {"Sent": True}, {"Sent": [1] * 101}, {"channel": 5}, {"channel": ""}, {"_aws": {"CloudWatchMetrics": []}}],
)
def test_a_line_that_cloudwatch_refuses_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(EmfError):
        samples_of(line(**changes))
