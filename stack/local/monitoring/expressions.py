"""The metric math that the program uses: ``SUM([…])``, ``FILL``, ``IF``, ``EPOCH``, ``TIME_SERIES`` and comparisons.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Series = list[float | None]
"""One value per period, oldest first; None for a missing value."""

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARGUMENTS = {"SUM": 1, "FILL": 2, "IF": 3, "EPOCH": 1, "TIME_SERIES": 1}


class ExpressionError(ValueError):
    """The expression is wrong, or uses what the local cloud can't evaluate. The text is for the caller."""


def evaluate(expression: str, metrics: Mapping[str, Series], starts: Sequence[int]) -> Series:
    """The value of an expression for each period.

    Args:
        expression: metric math.
        metrics: the values of the metrics in it, by id, one per period.
        starts: when each period starts, in epoch seconds.

    Raises:
        ExpressionError: see there.
    """
    result = _Evaluation(metrics, starts).value(_parsed(expression))
    if not isinstance(result, list):
        raise ExpressionError(f"{expression[:100]} is not a time series")
    return result


@functools.lru_cache(maxsize=256)
def _parsed(expression: str) -> ast.expr:
    """The operators and calls that are supported are those of Python too."""
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"the local cloud can't evaluate {expression[:100]}") from error


class _Evaluation:
    def __init__(self, metrics: Mapping[str, Series], starts: Sequence[int]) -> None:
        self._metrics = metrics
        self._starts = starts

    def value(self, node: ast.expr) -> Series | float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in self._metrics:
                return self._metrics[name]
            case ast.Compare(left=left, ops=[comparison], comparators=[right]) if type(comparison) in _COMPARISONS:
                compare = _COMPARISONS[type(comparison)]
                return self._map(lambda first, second: float(compare(first, second)), self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if len(arguments) == _ARGUMENTS.get(name):
                return self._call(name, arguments)
        raise ExpressionError(f"the local cloud can't evaluate {ast.unparse(node)[:100]}")

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> Series | float:
        if name == "SUM":
            return self._sum(arguments[0])
        values = [self.value(argument) for argument in arguments]
        if name == "FILL":
            return [second if first is None else first for first, second in self._rows(values)]
        if name == "IF":
            return [None if test is None else first if test else second for test, first, second in self._rows(values)]
        if name == "EPOCH":
            return [float(start) for start in self._starts]
        return [first for (first,) in self._rows(values)]  # TIME_SERIES

    def _sum(self, argument: ast.expr) -> Series:
        """The sum of time series: a missing value is ignored, and the sum is missing if all are."""
        if not isinstance(argument, ast.List) or not argument.elts:
            raise ExpressionError(f"the local cloud can't evaluate SUM({ast.unparse(argument)[:100]})")
        rows = self._rows([self.value(element) for element in argument.elts])
        sums: Series = []
        for row in rows:
            present = [value for value in row if value is not None]
            sums.append(sum(present) if present else None)
        return sums

    def _map(self, function: Callable[[float, float], float], *values: Series | float) -> Series:
        return [None if None in row else function(*row) for row in self._rows(values)]

    def _rows(self, values: Sequence[Series | float]) -> list[tuple[Any, ...]]:
        """The values of each period; a number is the same in all."""
        series = [value if isinstance(value, list) else [value] * len(self._starts) for value in values]
        return list(zip(*series, strict=True))
