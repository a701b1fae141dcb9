"""docs/observability.md names every metric and every log line that the code writes, and nothing else."""

import ast
import re

from tests.support.observability.emitted_metrics import METRICS
from tests.support.project.documentation import ROOT, tables_of

PAGE = ROOT / "docs" / "observability.md"
LOGGERS = {"_logger", "logger"}
LEVELS = {"info": "INFO", "warning": "WARNING", "error": "ERROR", "defect": "ERROR"}

# Messages that the code logs from a variable: where, and their possible values.
NAMED_ELSEWHERE = {
    "lib/notifications/delivery.py": {
        "claim_completion_failed",
        "claim_release_failed",
        "claim_unavailable",
        "notification_failed",
    },
    "lib/jira/worker.py": {"task_failed", "recompute_failed", "run_record_failed"},
    "lib/leases/enrichment.py": {"enrichment_failed"},
}


def table(heading: str) -> list[list[list[str]]]:
    """The tables whose first column has this heading, without their headings."""
    return [rows[1:] for rows in tables_of(PAGE) if rows[0][0] == heading]


def documented_metrics() -> dict[str, frozenset[str]]:
    [rows] = table("metric")
    return {
        name: frozenset(re.findall(r"`(\w+)`(?: of the session)?(?::|$|;)", re.sub(r": [^;]*", ":", row[2])))
        for row in rows
        for name in re.findall(r"`(\w+)`", row[0])
    }


def test_the_page_names_exactly_the_codes_metrics_with_their_dimensions() -> None:
    assert documented_metrics() == {name: frozenset(metric.dimensions) for name, metric in METRICS.items()}


def logged() -> set[str]:
    """The messages of all log lines that are literals at the call."""
    found: set[str] = set()
    for path in [*(ROOT / "lib").rglob("*.py"), *(ROOT / "handlers").rglob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        if name == "lib/platform/log.py":
            continue  # the logger itself
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=level),
                    args=[ast.Constant(value=str(message)), *_],
                ) if owner in LOGGERS and level in LEVELS:
                    found.add(message)
        found |= NAMED_ELSEWHERE.get(name, set())
    return found


def test_the_page_names_every_log_line_of_the_code_and_no_other() -> None:
    documented = {name for rows in table("`message`") for row in rows for name in re.findall(r"`(\w+)`", row[0])}

    assert documented == logged()
