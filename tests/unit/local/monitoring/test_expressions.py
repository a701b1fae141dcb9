"""Metric math of the alarms."""

import pytest

from stack.local.monitoring.expressions import ExpressionError, evaluate
from stack.monitoring.metrics import runs_since, total_of

STARTS = [0, 300, 600]


def test_a_total_ignores_missing_values() -> None:
    metrics = {"m0": [1.0, None, None], "m1": [None, 2.0, None]}

    assert evaluate(total_of(["m0", "m1"]), metrics, STARTS) == [1, 2, 0]


def test_a_period_before_the_stack_was_ready_counts_as_a_run() -> None:
    assert evaluate(runs_since("m0", 300), {"m0": [None, None, 2.0]}, STARTS) == [1, 0, 2]


def test_a_missing_value_stays_missing_unless_it_is_filled() -> None:
    assert evaluate("m0", {"m0": [None, 1.0, None]}, STARTS) == [None, 1, None]
    assert evaluate("IF(m0 > 1, 5, 6)", {"m0": [None, 1.0, 2.0]}, STARTS) == [None, 6, 5]
    assert evaluate("SUM([m0, m1])", {"m0": [None, 1.0, 2.0], "m1": [None, None, 1.0]}, STARTS) == [None, 1, 3]


@pytest.mark.parametrize(
    "expression",
    [
        "m9",
        "1",
        "m0 +",
        "AVG([m0])",
        "SUM(m0)",
        "SUM([])",
        "FILL(m0)",
        "FILL(m0, REPEAT)",
        "m0 + 1",
        "SEARCH('{Switchboard} Sent', 'Sum', 300)",
        "__import__('os')",
        "m0.real",
        "'text'",
        "(" * 500,
    ],
)
def test_what_can_not_be_evaluated_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, {"m0": [1.0, 2.0, 3.0]}, STARTS)
