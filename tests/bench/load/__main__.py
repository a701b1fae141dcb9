"""``python -m tests.bench.load``: see docs/performance/load.md, which it writes."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import botocore.session
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.bench import events
from tests.bench.aws_stub import AwsStub
from tests.bench.load import http_load, memory, plan, report

SECONDS, INVOCATIONS = 120, 50_000
QUICK_SECONDS, QUICK_INVOCATIONS = 15, 2_000
AT_ONCE = 2
_DEPLOYED = f"""--url sends signed requests to a deployed stack. It creates versions of {plan.ISSUES} issues of --project and
commits that name them, and with --kinds events one notification per request to every channel. Secrets are read from
{", ".join(plan.SECRETS.values())}. The how-to docs/how-to/load-a-deployment.md says how to remove what was created."""
FIRST = 4
"""So often each is invoked before the long run begins, which is not to end after half an hour in what shows at once."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; 1 if anything failed, was lost or grew."""
    asked = _parse(arguments)
    console = Console()
    columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    if asked.url:
        with Progress(*columns, console=console) as progress:
            deployed = http_load.run_deployed(asked.plan, asked.seconds, _follow(asked.seconds, progress))
        report.show(console, deployed, [])
        console.print("wrote", report.write_deployed(deployed, asked.plan))
        return 1 if deployed.failures else 0
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
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__, epilog=_DEPLOYED)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS} s and {QUICK_INVOCATIONS:,} invocations")
    parser.add_argument("--seconds", type=int, help=f"of load on the local cloud; 0 for none (default {SECONDS})")
    parser.add_argument("--invocations", type=int, help=f"of each function; 0 for none (default {INVOCATIONS:,})")
    parser.add_argument("--only", nargs="+", choices=events.ENTRY_POINTS, default=events.ENTRY_POINTS, help="functions")
    parser.add_argument("--write", action="store_true", help="write docs/performance/load.md, as a run without options does")
    parser.add_argument("--url", help="load this deployed HTTP API instead, and only that")
    parser.add_argument("--rate", type=float, default=5.0, help="requests per second to --url (default 5)")
    parser.add_argument("--kinds", nargs="+", choices=plan.KINDS, help="of requests to --url (default: jira and commits)")
    parser.add_argument("--project", default="LOAD", help="of the issues that --url gets (default LOAD)")
    parser.add_argument("--yes", action="store_true", help="send to an address that is not this machine")
    asked = parser.parse_args(arguments)
    asked.write = asked.write or not (sys.argv[1:] if arguments is None else arguments)
    if asked.seconds is None:
        asked.seconds = QUICK_SECONDS if asked.quick else SECONDS
    if asked.url:
        try:
            asked.plan = plan.for_url(
                asked.url,
                asked.kinds,
                asked.rate,
                os.environ,
                is_confirmed=asked.yes,
                has_credentials=botocore.session.get_session().get_credentials() is not None,
                project=asked.project,
            )
        except plan.PlanError as error:
            parser.error(str(error))
    if asked.invocations is None:
        asked.invocations = QUICK_INVOCATIONS if asked.quick else INVOCATIONS
    return asked


def _load(seconds: int, progress: Progress) -> http_load.Load:
    return http_load.run(seconds, _follow(seconds, progress))


def _follow(seconds: int, progress: Progress) -> Callable[[float], None]:
    task = progress.add_task("load, s", total=seconds)
    return lambda passed: progress.update(task, completed=min(int(passed), seconds))


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
