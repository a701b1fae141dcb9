"""``python -m tests.bench.soak``: see docs/performance/soak.md, which it writes."""

import sys
import time

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.bench.soak import report, run
from tests.bench.soak.plan import make_plan

MINUTES, RATE, SEED = 60.0, 3.0, 1
LEAST_MINUTES = 5.0
"""In less, faults would be too short to raise their alarms."""


@click.command()
@click.option("--minutes", type=click.FloatRange(min=LEAST_MINUTES), default=MINUTES, show_default=True, help="Of load.")
@click.option("--rate", type=click.FloatRange(0.5, 50), default=RATE, show_default=True, help="Arrivals per second.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the load and of the faults.")
@click.option("--write/--no-write", default=None, help="Write docs/performance/soak.md; the default for an hour or more.")
def main(minutes: float, rate: float, seed: int, write: bool | None) -> None:
    """Load a local cloud under faults, and check that nothing was lost. Exit code 1 if a check failed."""
    console = Console()
    plan = make_plan(seed, minutes)
    columns = (TextColumn("soak"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starts", total=plan.seconds)
        printed = 0.0

        def on_progress(passed: float, line: str) -> None:
            nonlocal printed
            progress.update(task, completed=passed, description=line)
            if not console.is_terminal and time.monotonic() - printed > 60:
                printed = time.monotonic()
                console.print(f"{passed:7.0f} s  {line}", highlight=False)

        results = run.run(plan, rate, on_progress, lambda line: console.print(line, highlight=False))
    report.show(console, results)
    if write or (write is None and minutes >= MINUTES):
        options = " ".join(sys.argv[1:])
        console.print("wrote", report.write(results, f"python -m tests.bench.soak {options}".strip()))
    sys.exit(0 if results.passed else 1)


if __name__ == "__main__":
    main()
