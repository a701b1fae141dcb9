"""The results in the terminal, and as docs/performance/soak.md."""

import os
import platform
import statistics
import textwrap
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lib.platform import clock
from tests.bench.soak import plot
from tests.bench.soak.history import CLICK, COMMENT, DRAFT, FORGED, POSTED, PUSH, PUT, SHUTTLE, WEBHOOK, Sent
from tests.bench.soak.machine_checks import ALLOWED_MB, WARM_UP_SHARE
from tests.bench.soak.run import Results
from tests.bench.soak.sampling import STALL_SECONDS

_DOCS = Path(__file__).resolve().parents[3] / "docs" / "performance"
_KINDS = (WEBHOOK, COMMENT, PUSH, POSTED, PUT, DRAFT, CLICK, SHUTTLE, FORGED)
_MOST_PROBLEMS = 10


def show(console: Console, results: Results) -> None:
    """Print the verdicts, and the first problems of each failed check."""
    table = Table("check", "looked at", "verdict")
    for each in results.checks:
        verdict = "passed" if each.passed else f"[red]failed: {len(each.problems)} problems[/red]"
        table.add_row(each.name, f"{each.looked_at:,}", verdict)
    console.print(table)
    for each in results.checks:
        for problem in each.problems[:_MOST_PROBLEMS]:
            console.print(f"{each.name}: {problem}", style="red", markup=False, highlight=False)
    for growth in sorted(results.growths, key=lambda growth: growth.process):
        console.print(
            f"{growth.process:>16} {growth.first_mb:.1f} → {growth.last_mb:.1f} MB in {growth.seconds:.0f} s,"
            f" slope {growth.mb_per_hour:+.2f} MB/h",
            highlight=False,
        )
    for alarm in sorted(results.alarms, key=lambda alarm: alarm.start):
        end = "stays" if alarm.end is None else f"{alarm.end:.0f} s"
        console.print(f"{alarm.start:7.0f} s – {end:>7}  {alarm.alarm}", highlight=False)


def write(results: Results, command: str) -> Path:
    """Write docs/performance/soak.md and its plot; the path of the page."""
    plot.draw(results, _DOCS / "soak.svg")
    page = _DOCS / "soak.md"
    page.write_text("\n".join(_page(results, command)) + "\n", encoding="utf-8")
    return page


def _page(results: Results, command: str) -> Iterable[str]:
    minutes = results.plan.seconds / 60
    failed = [each for each in results.checks if not each.passed]
    everything = results.history.of()
    yield "# Soak"
    yield ""
    yield f"`{command}` wrote this page on"
    yield f"{clock.phoenix(clock.utc_now())} ({clock.TIMEZONE})."
    yield ""
    yield f"Machine: {_machine(results)}."
    yield ""
    yield from _paragraph(
        f"A local cloud, with permissions enforced and schedules on, takes mixed load for {minutes:.0f} minutes: webhooks "
        "of Jira (some twice, some late), pushes, lease events, drafts and clicks, imports and exports, and "
        "reconciliations. Meanwhile services throttle or fail, and processes are killed. Senders retry as the real ones "
        "do. Afterwards an operator sends dead letters back, and a model of what was accepted is compared with what is "
        "stored."
    )
    verdict = f"{len(failed)} of {len(results.checks)} checks failed" if failed else f"all {len(results.checks)} checks passed"
    settled = "it did not settle" if results.settled is None else f"it settled in {results.settled:.0f} s"
    attempts = sum(len(sent.attempts) for sent in everything)
    yield f"**{verdict}; {len(everything):,} requests in {attempts:,} attempts; {settled} after the load.**"
    yield ""
    yield f"![Load, queues, memory and alarms over {minutes:.0f} minutes, with the faults as bands](soak.svg)"
    yield ""
    yield "## Checks"
    yield ""
    yield "| check | looked at | verdict |"
    yield "|---|---:|---|"
    for each in results.checks:
        yield f"| {each.name} | {each.looked_at:,} | {'passed' if each.passed else f'**failed**: {len(each.problems)}'} |"
    yield ""
    for each in failed:
        yield f"{each.name}:"
        yield ""
        for problem in each.problems[:_MOST_PROBLEMS]:
            yield f"- {' '.join(problem.split())[:110]}"
        yield ""
    yield from _requests(results)
    yield from _faults(results)
    yield from _memory(results)
    yield "## Run it"
    yield ""
    yield "```sh"
    yield "make soak                 # an hour of load, and some minutes to settle; writes this page"
    yield "make soak MINUTES=5       # a short one; does not change this page"
    yield "python -m tests.bench.soak --minutes 30 --rate 5 --seed 2    # another load and other faults"
    yield "```"
    yield ""
    yield "The exit code is 1 if a check failed. A check that finds nothing to look at has failed."


def _requests(results: Results) -> Iterable[str]:
    yield "## Load"
    yield ""
    yield from _paragraph(
        f"{results.rate:g} arrivals per second, seed {results.plan.seed}; imports and clicks are additional. "
        f"{results.skipped:,} arrivals were skipped because the machine did not keep up. Each request is sent again until "
        f"it is accepted, and a webhook of Jira at most five times. {results.repeated:,} notifications were sent twice, "
        "after an answer that may have been lost."
    )
    yield "| request | sent | accepted | attempts | p50 | p99 |"
    yield "|---|---:|---:|---:|---:|---:|"
    for kind in _KINDS:
        sent = results.history.of(kind)
        if sent:
            yield _row(kind, sent)
    yield ""


def _row(kind: str, sent: list[Sent]) -> str:
    times = sorted(attempt.seconds * 1000 for each in sent for attempt in each.attempts) or [0.0]
    p50, p99 = statistics.median(times), times[int(0.99 * (len(times) - 1))]
    accepted = sum(each.accepted for each in sent)
    return f"| {kind} | {len(sent):,} | {accepted:,} | {len(times):,} | {p50:.0f} ms | {p99:.0f} ms |"


def _faults(results: Results) -> Iterable[str]:
    yield "## Faults and alarms"
    yield ""
    yield from _paragraph(
        "Each fault lists the alarms that it explains. Those in bold had to be raised. The AWS API of the local "
        f"cloud was called every second, and took over {STALL_SECONDS:g} s {len(results.stalls):,} times: such a stall of "
        "the machine also explains an alarm. Only the machine explains these: "
        f"{', '.join(_by_machine(results)) or 'none'}."
    )
    yield "| minute | fault | lasted | alarms |"
    yield "|---:|---|---:|---|"
    for fault in results.plan.faults:
        names = {each.alarm for each in results.alarms if fault.explains(each.alarm, each.start)}
        on = {each.alarm for each in results.alarms if each.start <= fault.end + fault.grace}
        names |= fault.raises & on
        shown = ", ".join(f"**`{name}`**" if name in fault.raises else f"`{name}`" for name in sorted(names))
        yield f"| {fault.start / 60:.1f} | {fault.name} | {fault.end - fault.start:.0f} s | {shown} |"
    yield ""


def _by_machine(results: Results) -> list[str]:
    unexplained = (
        each.alarm
        for each in results.alarms
        if not any(fault.explains(each.alarm, each.start) for fault in results.plan.faults)
    )
    return [f"`{name}`" for name in sorted(set(unexplained))]


def _memory(results: Results) -> Iterable[str]:
    yield "## Memory"
    yield ""
    yield from _paragraph(
        f"The slope (Theil and Sen) of each process's resident memory, after the first {WARM_UP_SHARE:.0%} of its life. A"
        f" process is flat if the slope means at most {ALLOWED_MB:g} MB over the measured time. A killed process is replaced by"
        " another. The local cloud itself keeps all data in memory, so it grows, and has no limit."
    )
    yield "| function | measured | from | to | slope per hour | growth | flat |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for each in sorted(results.growths, key=lambda growth: (growth.process, growth.seconds)):
        flat = "yes" if each.is_flat else "**no**"
        yield (
            f"| {each.process} | {each.seconds / 60:.0f} min | {each.first_mb:.1f} MB | {each.last_mb:.1f} MB |"
            f" {each.mb_per_hour:+.2f} MB | {each.growth_mb:+.2f} MB | {flat} |"
        )
    yield ""


def _paragraph(text: str) -> Iterable[str]:
    yield from textwrap.wrap(text, 118, break_long_words=False, break_on_hyphens=False)
    yield ""


def _machine(results: Results) -> str:
    loads = [sample.load_average for sample in results.samples] or [0.0]
    return (
        f"{os.cpu_count()} cores (load average {min(loads):.1f} to {max(loads):.1f}), {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}"
    )
