"""The metrics of the contract, and the calls in the code that write them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from lib.platform import contract
from lib.platform.contract import Metric

ROOT = Path(__file__).resolve().parents[3]

METRICS = {
    metric.name: metric
    for metric in (
        *(value for value in vars(contract).values() if isinstance(value, Metric)),
        *contract.RECONCILIATION_COUNTS.values(),
    )
}
"""Every metric of the contract by its name."""


def writing_calls() -> Iterator[tuple[Path, Metric, frozenset[str]]]:
    """Each call in lib/ and handlers/ that writes a metric: its file, the metric, and the dimensions it gives."""
    for file in [*(ROOT / "lib").rglob("*.py"), *(ROOT / "handlers").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="metrics"), attr="count" | "milliseconds"), args=[argument, *_]
                ):
                    dimensions = frozenset(each.arg or "" for each in node.keywords)
                    for metric in _metrics_of(argument):
                        yield file, metric, dimensions


def _metrics_of(argument: ast.expr) -> list[Metric]:
    """The metrics that ``contract.NAME`` or ``contract.NAMES[key]`` can be."""
    match argument:
        case ast.Attribute(value=ast.Name(id="contract"), attr=name):
            return [getattr(contract, name)]
        case ast.Subscript(value=ast.Attribute(value=ast.Name(id="contract"), attr=name)):
            return list(getattr(contract, name).values())
    raise AssertionError(f"not a metric of the contract: {ast.unparse(argument)}")
