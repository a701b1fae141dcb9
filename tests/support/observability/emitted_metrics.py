"""The metrics that the code writes, read from the code itself: who writes each, with which dimensions."""

import ast
import dataclasses
from pathlib import Path

from lib.jira.reconciliation.checkpoint import Counts

ROOT = Path(__file__).resolve().parents[3]

# Whose metrics the modules write that are no entry point and write any. A handler writes its own.
WRITERS = {
    "lib/leases/enrichment.py": "notification",
    "lib/notifications/delivery.py": "notification",
    "handlers/approval_work.py": "jira_worker",
    "lib/shuttle/api.py": "shuttle",
    "lib/shuttle/imports/batch.py": "shuttle",
    "lib/shuttle/jobs/sweep.py": "shuttle",
}
# What the names of metrics that are put together in the code end in.
ENDINGS = {"Reconciliation": [field.name.capitalize() for field in dataclasses.fields(Counts)]}

Written = tuple[str, frozenset[str]]
"""A way to write a metric: the function that does, and its dimensions beside ``service``."""


def emitted_metrics() -> dict[str, set[Written]]:
    """Who writes each metric with which dimensions, by the metric's name, read from the code itself."""
    found: dict[str, set[Written]] = {}
    for file in [*(ROOT / "lib").rglob("*.py"), *(ROOT / "handlers").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"count", "milliseconds"}
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "metrics"
            ):
                dimensions = frozenset(each.arg or "" for each in node.keywords)
                for name in _names_of(node.args[0]):
                    found.setdefault(name, set()).add((_writer(file), dimensions))
    return found


def _names_of(argument: ast.expr) -> list[str]:
    """The names that a metric's first argument can come to: a text, or a text with one of the known endings."""
    if isinstance(argument, ast.JoinedStr):
        [beginning, _] = argument.values
        assert isinstance(beginning, ast.Constant)
        return [f"{beginning.value}{ending}" for ending in ENDINGS[str(beginning.value)]]
    assert isinstance(argument, ast.Constant)
    return [str(argument.value)]


def _writer(file: Path) -> str:
    name = file.relative_to(ROOT).as_posix()
    return WRITERS.get(name) or (file.stem if name.startswith("handlers/") else WRITERS[name])
