"""Measures, shows the tables and writes docs/performance/benchmarks.md with its plot.

    python -m tests.bench.speed [--quick] [--rounds N] [--only SECTION]… [--into FOLDER]

``--quick`` is for a look: fewer rounds, smaller tables, and by default nothing written to docs/. ``--only`` measures those
sections and writes no page.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench.aws_stub import AwsStub
from tests.bench.speed import archives, cold, growth, metering, plot, report, warm
from tests.bench.speed.programs import FLOOR, NOTIFICATION, OTHERS, OURS_BARE, WEBHOOKS, Job, Program, Workshop
from tests.support.dynamodb import engine as dynamodb_local


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    cold_rounds: int
    warm_rounds: int
    batch: int
    version_sizes: tuple[int, ...]
    issue_sizes: tuple[int, ...]
    growth_rounds: int


FULL = Plan(15, 15, 40, (10, 1_000, 100_000), (1_000, 10_000, 100_000), 31)
JOBS = (WEBHOOKS, NOTIFICATION, *OTHERS)
WARM: dict[str, tuple[Job, Callable[[Workshop, Job], list[Program]]]] = {
    "webhook delivery": (WEBHOOKS, Workshop.programs),
    "enrichment": (NOTIFICATION, lambda shop, _: shop.enrichers()),
    "notification": (NOTIFICATION, Workshop.programs),
}
ENGINE = "engine"
"""The section of what DynamoDB Local reports."""
SECTIONS = (*(f"cold:{job.name}" for job in JOBS), *(f"warm:{name.split()[-1]}" for name in WARM), ENGINE)
QUICK = Plan(5, 5, 20, (10, 1_000), (1_000, 4_000), 7)


def main() -> int:
    """Run it. The exit code says whether it ran, not whether the figures are good."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.speed")
    parser.add_argument("--quick", action="store_true", help="a look in two minutes")
    parser.add_argument("--rounds", type=int, help="of cold starts and of warm batches, instead of 15 (with --quick 5)")
    parser.add_argument("--into", type=Path, help="where benchmarks.md and its plot go (docs/performance; with --quick build)")
    parser.add_argument(
        "--only", action="append", metavar="SECTION", choices=SECTIONS, help=f"measure this alone: {', '.join(SECTIONS)}"
    )
    arguments = parser.parse_args()
    into = arguments.into or archives.ROOT / ("build" if arguments.quick else "docs/performance")
    console = Console()
    plan = QUICK if arguments.quick else FULL
    if arguments.rounds:
        plan = replace(plan, cold_rounds=arguments.rounds, warm_rounds=arguments.rounds)
    results = measure(plan, console, arguments.only or SECTIONS)
    for table in report.tables(results):
        console.print(table.for_terminal())
    if arguments.only:
        return 0
    into.mkdir(parents=True, exist_ok=True)
    plot.write(results, into / "benchmarks.svg")
    (into / "benchmarks.md").write_text(report.page(results, quick=arguments.quick), encoding="utf-8")
    console.print(f"Written: {into / 'benchmarks.md'}")
    return 0


def measure(plan: Plan, console: Console, sections: Collection[str] = SECTIONS) -> report.Results:
    """Measure ``sections`` as much as ``plan`` says."""
    results = report.Results(machine=report.machine())
    columns = (TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder,
        AwsStub() as stub,
        Progress(*columns, console=console) as progress,
    ):
        task = progress.add_task("building", total=7)

        def report_step(what: str) -> None:
            progress.update(task, description=f"building {what}", advance=1)

        shop = Workshop(Path(folder) / "programs", stub.url, report_step)
        for job in JOBS:
            if f"cold:{job.name}" not in sections:
                continue
            some = shop.programs(job)
            with _bar(progress, f"cold start: {job.name}", len(some) * (plan.cold_rounds + 1)) as done:
                results.cold[job.name] = cold.measure(some, job, stub.url, plan.cold_rounds, done)
        for name, (job, programs_of) in WARM.items():
            if f"warm:{name.split()[-1]}" not in sections:
                continue
            compared = [program for program in programs_of(shop, job) if program.label != OURS_BARE]
            compared = shop.with_the_same_output(compared)
            with _bar(progress, f"warm: {name}", len(compared) * plan.warm_rounds) as done:
                results.warm[name] = warm.measure(compared, job, stub.url, plan.warm_rounds, plan.batch, done)
        results.no_engine = dynamodb_local.why_not() if ENGINE in sections else None
        if ENGINE in sections and results.no_engine is None:
            programs = {job: shop.programs(job) for job in (WEBHOOKS, NOTIFICATION)}
            with dynamodb_local.running() as engine:
                _on_an_engine(plan, engine, programs, results, progress)
    return results


def _on_an_engine(
    plan: Plan, engine: str, programs: dict[Job, list[Program]], results: report.Results, progress: Progress
) -> None:
    metering.make_tables(metering.client_of(engine))
    first = 0
    for job, some in programs.items():
        # The floor makes Switchboard's calls, always the same ones: on an engine their conditions would fail.
        compared = [program for program in some if program.label not in {OURS_BARE, FLOOR}]
        with _bar(progress, f"calls and units: {job.name}", len(compared)) as done:
            for program in compared:
                first += 100  # events that no other program has had
                results.consumed.setdefault(job.name, {})[program.label] = metering.of_an_event(program, job, engine, first)
                done()
    for name, measured, sizes in (
        ("versions of one issue", growth.of_versions, plan.version_sizes),
        ("issues of a project", growth.of_issues, plan.issue_sizes),
    ):
        with _bar(progress, f"growth: {name}", sum(sizes)) as done:
            results.growth[name] = measured(engine, sizes, plan.growth_rounds, done)


@contextmanager
def _bar(progress: Progress, description: str, total: int) -> "Iterator[report.Done]":
    task = progress.add_task(description, total=total)

    def done(steps: int = 1) -> None:
        progress.advance(task, steps)

    yield done


if __name__ == "__main__":
    sys.exit(main())
