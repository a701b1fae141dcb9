"""``python -m tests.bench.load``: see docs/performance/load.md, which it writes."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.bench import events
from tests.bench.aws_stub import AwsStub
from tests.bench.load import http_load, memory, report

SECONDS, INVOCATIONS = 120, 50_000
QUICK_SECONDS, QUICK_INVOCATIONS = 15, 2_000
AT_ONCE = 2
FIRST = 4
"""So often each is invoked before the long run begins, which is not to end after half an hour in what shows at once."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; 1 if anything failed, was lost or grew."""
    asked = _parse(arguments)
    console = Console()
    columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        load = _load(asked.seconds, progress) if asked.seconds else None
        measured = _measure(asked.only, asked.invocations, progress) if asked.invocations else []
    report.show(console, load, measured)
    if asked.write:
        options = " ".join(sys.argv[1:])
        console.print("wrote", report.write(load, measured, f"make load LOAD='{options}'" if options else "make load"))
    fine = all(each.is_flat for each in measured) and (load is None or not (load.failures or load.problems))
    return 0 if fine else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS} s and {QUICK_INVOCATIONS:,} invocations")
    parser.add_argument("--seconds", type=int, help=f"of load on the local cloud; 0 for none (default {SECONDS})")
    parser.add_argument("--invocations", type=int, help=f"of each function; 0 for none (default {INVOCATIONS:,})")
    parser.add_argument("--only", nargs="+", choices=events.ENTRY_POINTS, default=events.ENTRY_POINTS, help="functions")
    parser.add_argument("--write", action="store_true", help="write docs/performance/load.md, as a run without options does")
    asked = parser.parse_args(arguments)
    asked.write = asked.write or not (sys.argv[1:] if arguments is None else arguments)
    if asked.seconds is None:
        asked.seconds = QUICK_SECONDS if asked.quick else SECONDS
    if asked.invocations is None:
        asked.invocations = QUICK_INVOCATIONS if asked.quick else INVOCATIONS
    return asked


def _load(seconds: int, progress: Progress) -> http_load.Load:
    task = progress.add_task("load, s", total=seconds)
    return http_load.run(seconds, lambda passed: progress.update(task, completed=min(int(passed), seconds)))


def _measure(entry_points: Sequence[str], invocations: int, progress: Progress) -> list[memory.Memory]:
    counts = {name: invocations // events.SLOWER.get(name, 1) for name in entry_points}
    tasks = {name: progress.add_task(name, total=counts[name]) for name in entry_points}
    with AwsStub() as aws, ThreadPoolExecutor(AT_ONCE) as threads:
        for name in entry_points:
            memory.measure(name, FIRST, aws.url, lambda _: None)
        running = [
            threads.submit(
                memory.measure,
                name,
                counts[name],
                aws.url,
                lambda count, name=name: progress.update(tasks[name], completed=count),
            )
            for name in entry_points
        ]
        return [each.result() for each in running]


if __name__ == "__main__":
    sys.exit(main())
