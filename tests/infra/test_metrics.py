"""Each metric is written by the code and the functions that its contract names."""

import pytest

from lib.platform import contract
from lib.platform.contract import ENTRY_POINTS
from stack.monitoring.metrics import own_metric
from tests.support.observability.emitted_metrics import METRICS, writing_calls


def test_the_code_writes_every_metric_of_the_contract_with_its_dimensions() -> None:
    calls = list(writing_calls())

    assert {metric.name for _, metric, _ in calls} == METRICS.keys()
    for file, metric, dimensions in calls:
        assert dimensions == set(metric.dimensions), f"{file}: {metric.name}"
        if file.parent.name == "handlers" and file.stem in ENTRY_POINTS:
            assert file.stem in metric.writers, f"{file}: {metric.name}"


def test_a_metric_with_other_dimensions_or_an_unclear_writer_is_refused() -> None:
    with pytest.raises(ValueError, match="has the dimensions"):
        own_metric(contract.NOTIFICATION_SENT)
    with pytest.raises(ValueError, match="not by one function"):
        own_metric(contract.CORRELATION_NOT_QUEUED)
    with pytest.raises(ValueError, match="not by health"):
        own_metric(contract.CORRELATION_NOT_QUEUED, writer="health")
