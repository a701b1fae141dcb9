"""The figures as tables, for the terminal and for docs/performance/benchmarks.md, and whether each target is met."""

import os
import platform
import statistics
import subprocess
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from rich.table import Table as RichTable

from stack.packaging import archive
from tests.bench.speed.growth import Cost
from tests.bench.speed.metering import Meter
from tests.bench.speed.programs import FLOOR, OURS, PEERS, SAME_OUTPUT
from tests.bench.speed.runtime import Took

COLD_TARGETS = {
    "webhooks": 0.88,
    "notification": 0.70,
    "approvals": 0.95,
    "shuttle": 0.98,
    "jira_worker": 0.80,
    "reconciliation": 1.00,
}
WARM_TARGETS = {"webhook delivery": 1.10, "enrichment": 1.15, "notification": 1.10}
FLAT = 1.10
"""Units and calls must be the same at all sizes, with one exception: a page of larger rows rounds up."""
FLAT_TIME = 1.30
"""So much may two medians of the same work differ on a machine that does other things as well."""

_MORE = (
    "It decides, checks and logs, which the floor does not. Most of its time is the import of botocore and of what that needs, "
    "as in the floor. docs/adr/0010 has what was taken and what was not."
)
WARM_REASONS = {
    "webhook delivery": (
        "The peers leave out: every event format, deletions, moves, issues that are too large for a row, and two log lines "
        "without addresses and secrets."
    ),
    "enrichment": (
        "The peers leave out: the fingerprint and drift of the schema, a log line without addresses and secrets, one record "
        "per metric, and the thread that limits an enrichment to two seconds (docs/adr/0005)."
    ),
    "notification": (
        "The peers leave out: what an enrichment has, a text per type of event, and a metric and a log line per channel."
    ),
}


class Done(Protocol):
    """Reports finished steps to a progress bar."""

    def __call__(self, steps: int = 1) -> None:
        """So many more."""


@dataclass(slots=True)
class Results:
    """All that was measured: by job, then by program."""

    machine: Mapping[str, str]
    cold: dict[str, dict[str, list[Took]]] = field(default_factory=dict)
    warm: dict[str, dict[str, list[Took]]] = field(default_factory=dict)
    consumed: dict[str, dict[str, Meter]] = field(default_factory=dict)
    growth: dict[str, list[Cost]] = field(default_factory=dict)
    no_engine: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and what it says of its targets. Rows with a name of ``bold`` are Switchboard's."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    verdicts: list[str]
    bold: frozenset[str] = frozenset({OURS})

    def for_terminal(self) -> RichTable:
        """The table for a terminal."""
        table = RichTable(
            *self.columns, title=self.title, caption="\n".join(self.verdicts), title_justify="left", caption_justify="left"
        )
        for column in table.columns[1:]:
            column.justify = "right"
        for row in self.rows:
            table.add_row(*row, style="bold" if row[0] in self.bold else None)
        return table

    def for_page(self) -> str:
        """The table as Markdown."""
        lines = [f"## {self.title}", "", _line(self.columns), _line(["---", *["---:"] * (len(self.columns) - 1)])]
        lines += [_line([f"**{cell}**" if row[0] in self.bold else cell for cell in row]) for row in self.rows]
        return "\n".join(
            [*lines, "", *(textwrap.fill(f"- {verdict}", 118, subsequent_indent="  ") for verdict in self.verdicts), ""]
        )


def tables(results: Results) -> Iterator[Table]:
    """Every table, in the page's order."""
    for job, took in results.cold.items():
        yield _times(f"Cold start to first answer: {job}", took, COLD_TARGETS.get(job), "wall", _MORE)
    for name, took in results.warm.items():
        yield _times(f"Warm, one {name}", took, WARM_TARGETS.get(name), "CPU", WARM_REASONS[name])
    for job, consumed in results.consumed.items():
        yield _consumed(job, consumed)
    for name, costs in results.growth.items():
        yield _growth(name, costs)


def page(results: Results, *, quick: bool) -> str:
    """docs/performance/benchmarks.md."""
    text = [_HEAD.format(command="make bench QUICK=1" if quick else "make bench", **results.machine)]
    if results.no_engine is not None:
        text.append(f"Calls, units and growth were not measured on this machine: {results.no_engine}\n")
    text += [table.for_page() for table in tables(results)]
    return "\n".join([*text, _TAIL])


def ratio(took: Mapping[str, list[Took]], label: str, measure: str) -> float:
    """The median of a program by the floor's."""
    return _median(took[label], measure) / _median(took[FLOOR], measure)


def machine() -> dict[str, str]:
    """Where and of what the figures are."""
    model = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "commit": archive.git_sha()[:12] + ("" if _is_clean() else ", with changes"),
    }


def _times(title: str, took: Mapping[str, list[Took]], target: float | None, judged: str, reason: str) -> Table:
    columns = ("", "CPU ms", "× floor", "min to max", "wall ms", "× floor", "min to max")
    rows = []
    for label in sorted(took, key=lambda label: _median(took[label], "CPU")):
        cells = [label]
        for measure in ("CPU", "wall"):
            values = [_value(one, measure) for one in took[label]]
            cells += [
                _ms(statistics.median(values)),
                f"{ratio(took, label, measure):.2f}",
                f"{_ms(min(values))} to {_ms(max(values))}",
            ]
        rows.append(tuple(cells))
    verdicts = [verdict for measure in (judged, *({"wall", "CPU"} - {judged})) for verdict in _judge(took, target, measure)]
    if any("missed" in verdict for verdict in verdicts):
        verdicts.append(f"Why: {reason}")
    return Table(title, columns, rows, verdicts)


def _judge(took: Mapping[str, list[Took]], target: float | None, measure: str) -> Iterator[str]:
    ours = ratio(took, OURS, measure)
    if target is not None:
        yield f"{measure}: at most {target:.2f}× the floor: {'met' if ours <= target else 'missed'}, {ours:.2f}×"
    for end, which in (("", "peer"), (SAME_OUTPUT, "peer with the same output")):
        labels = [peer + end for peer in PEERS if peer + end in took]
        if labels:
            best = min(labels, key=lambda label: ratio(took, label, measure))
            theirs = ratio(took, best, measure)
            name = best.removesuffix(SAME_OUTPUT)
            yield f"{measure}: below every {which}: {'met' if ours < theirs else 'missed'}, the best is {name} at {theirs:.2f}×"


def _consumed(job: str, consumed: Mapping[str, Meter]) -> Table:
    rows = [(label, f"{meter.calls:.1f}", f"{meter.units:.1f}") for label, meter in consumed.items()]
    ours, peers = consumed[OURS], [consumed[label] for label in PEERS]
    met = all(ours.calls <= peer.calls and ours.units <= peer.units for peer in peers)
    return Table(
        f"DynamoDB per event: {job}",
        ("", "calls", "capacity units"),
        rows,
        [f"calls and units at or below every peer: {'met' if met else 'missed'}"],
    )


def _growth(name: str, costs: list[Cost]) -> Table:
    rows, worst, slowest = [], 1.0, 1.0
    for operation in dict.fromkeys(cost.operation for cost in costs):
        of_it = [cost for cost in costs if cost.operation == operation]
        smallest, largest = of_it[0], of_it[-1]
        worst = max(worst, *(cost.units / smallest.units for cost in of_it), *(cost.calls / smallest.calls for cost in of_it))
        slowest = max(slowest, largest.cpu_ms / smallest.cpu_ms)
        rows += [
            (operation, f"{cost.size:,}", f"{cost.calls:g}", f"{cost.units:g}", _ms(cost.cpu_ms), _ms(cost.wall_ms))
            for cost in of_it
        ]
        times = f"{largest.cpu_ms / smallest.cpu_ms:.2f}×", f"{largest.wall_ms / smallest.wall_ms:.2f}×"
        rows.append(
            (
                operation,
                "largest / smallest",
                f"{largest.calls / smallest.calls:.2f}×",
                f"{largest.units / smallest.units:.2f}×",
                *times,
            )
        )
    columns = ("", "size", "calls", "capacity units", "CPU ms", "wall ms, engine included")
    verdicts = [
        f"calls and units flat: {'met' if worst <= FLAT else 'missed'}, the worst grows {worst:.2f}×",
        f"CPU flat: {'met' if slowest <= FLAT_TIME else 'missed'}, the worst grows {slowest:.2f}×",
    ]
    return Table(f"Growth: {name}", columns, rows, verdicts)


def _value(one: Took, measure: str) -> float:
    return one.cpu_ms if measure == "CPU" else one.wall_ms


def _median(took: list[Took], measure: str) -> float:
    return statistics.median(_value(one, measure) for one in took)


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def _line(cells: "list[str] | tuple[str, ...]") -> str:
    return "| " + " | ".join(cells) + " |"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _is_clean() -> bool:
    command = ["git", "status", "--porcelain", "--untracked-files=no"]
    done = subprocess.run(command, cwd=archive.ROOT, capture_output=True, text=True, check=False)
    return not done.stdout.strip()


_HEAD = """\
# Benchmarks

`{command}` wrote this page on {date}.

Commit {commit}.
Python {python}, {machine}, load {load} at the start.

![The ratios to the floor](benchmarks.svg)

Every figure is a median, and every ratio compares two medians of the same run. In each round, every program runs
once, in random order, so that other work of the machine affects all of them. *CPU* is the processor time of the
process. *Wall* is the time until the answer.

- **The floor** is a bare boto3 client that makes the same AWS calls as Switchboard and nothing else: no signature, no
  decision, no log line.
- **The peers** (tests/bench/peers) do the same job with common libraries, as their documentation shows: the signature
  over the raw body, version and HEAD under their conditions, a message to the queue; the lease, a claim, the
  notification. For the other functions, they only make the AWS calls of Switchboard. FastAPI and Flask have nothing
  for a queue or a schedule.
- **Same output**: a peer with the structured log lines and the metrics of Switchboard, through Powertools. The others
  write one log line.
- Every program runs under the Lambda runtime client, with its own packages and those of the runtime, and with bytecode.
  Switchboard also runs without bytecode. AWS is a stub that answers at once, without TLS.
- A cold start lasts from the start of the process until the answer is posted to the Runtime API.
- DynamoDB Local reports calls, units and growth (`ConsumedCapacity`, including indexes).
"""

_TAIL = """\
## Run it

```sh
make bench            # everything, and this page
make bench QUICK=1    # fewer rounds, smaller tables, written to build/
```

Calls, units and growth need Java and DynamoDB Local, which `make test-dynamodb-local` fetches.
"""
