"""The results as a table and a plot in the terminal, and as docs/performance/load.md with its SVG."""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from rich.console import Console
from rich.table import Table

from lib.platform import clock
from tests.bench.load.http_load import Load
from tests.bench.load.memory import ALLOWED_MB, WARM_UP, Memory
from tests.bench.load.plan import ISSUES, SENDERS, Plan

_DOCS = Path(__file__).resolve().parents[3] / "docs" / "performance"
_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40


def show(console: Console, load: Load | None, memory: Sequence[Memory]) -> None:
    """Print what there is."""
    if load is not None:
        table = Table("request", "count", "failed", "p50 ms", "p99 ms", title=f"{load.per_second:.0f} requests per second")
        for each in load.requests:
            table.add_row(each.name, f"{each.count:,}", str(each.failures), f"{each.p50_ms:.0f}", f"{each.p99_ms:.0f}")
        console.print(table)
        for name, samples in load.memory.items():
            values = [mb for _, mb in samples]
            console.print(f"{name:>14} {_spark(values)} {values[0]:.1f} → {values[-1]:.1f} MB under load")
        for problem in load.problems:
            console.print(f"[red]{problem}[/red]")
    if memory:
        table = Table("function", "invocations", "warm MB", "last MB", "growth MB", "flat", "ms each", title="memory")
        for each in memory:
            table.add_row(
                each.entry_point,
                f"{each.invocations:,}",
                f"{each.settled_mb:.1f}",
                f"{each.last_mb:.1f}",
                f"{each.growth_mb:+.2f}",
                "yes" if each.is_flat else "[red]no[/red]",
                f"{each.seconds * 1000 / each.invocations:.1f}",
            )
        console.print(table)
        for each in memory:
            console.print(f"{each.entry_point:>14} {_spark([mb for _, mb in each.samples])}")


def write_deployed(load: Load, plan: Plan) -> Path:
    """Write the page of a load on a deployed HTTP API into build/, since it is not about this machine; its path."""
    page = _DOCS.parents[1] / "build" / "load.md"
    page.parent.mkdir(exist_ok=True)
    about = (
        f"At most {plan.senders} senders sent {', '.join(plan.kinds)} to {plan.url} for {load.seconds:.0f} s, and tried for "
        f"{plan.rate:g} requests per second."
    )
    lines = ["# Load", "", f"Written on {clock.phoenix(clock.utc_now())} ({clock.TIMEZONE}).", "", about, "", *_figures(load)]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def write(load: Load | None, memory: Sequence[Memory], command: str) -> Path:
    """Write docs/performance/load.md and docs/performance/load.svg; the path of the first."""
    _draw(memory)
    page = _DOCS / "load.md"
    page.write_text("\n".join(_page(load, memory, command)) + "\n", encoding="utf-8")
    return page


def _page(load: Load | None, memory: Sequence[Memory], command: str) -> Iterable[str]:
    yield "# Load"
    yield ""
    yield f"`{command}`"
    yield f"wrote this page on {clock.phoenix(clock.utc_now())} ({clock.TIMEZONE})."
    yield ""
    yield f"Machine: {_machine()}."
    yield ""
    if load is not None:
        yield "## The local cloud under load"
        yield ""
        yield (
            f"{SENDERS} senders send signed Jira deliveries of {ISSUES} issues, pushes, and lease events with `POST /events`\n"
            f"and PutEvents for {load.seconds:.0f} s. Each waits for its answer. Everything runs on one machine: the senders,\n"
            "the HTTP API, at most four processes per function, and moto, which serves DynamoDB calls one at a time. So\n"
            "the figures are a lower limit for the code, and do not describe AWS."
        )
        yield ""
        yield from _figures(load)
        yield "| function | MB before | MB after |"
        yield "|---|---:|---:|"
        for name, samples in load.memory.items():
            yield f"| {name} | {samples[0][1]:.1f} | {samples[-1][1]:.1f} |"
        yield ""
    if memory:
        yield "## Memory over many invocations"
        yield ""
        yield (
            "The process of each function runs alone under `awslambdaric`. AWS is a stub that answers at once and stores\n"
            f"nothing. Every event is different. *Warm* is the median of five samples from invocation {WARM_UP:,} on (in a\n"
            "shorter run, after a third), and *last* the median of the last five. A function is flat if it grew by at most\n"
            f"{ALLOWED_MB:g} MB between them."
        )
        yield ""
        yield "| function | invocations | warm | last | growth | flat |"
        yield "|---|---:|---:|---:|---:|---|"
        for each in memory:
            flat = "yes" if each.is_flat else "**no**"
            yield (
                f"| {each.entry_point} | {each.invocations:,} | {each.settled_mb:.1f} MB | {each.last_mb:.1f} MB |"
                f" {each.growth_mb:+.2f} MB | {flat} |"
            )
        yield ""
        yield "![Resident memory of each function's process over its invocations](load.svg)"
        yield ""
    yield "## Run it"
    yield ""
    yield "```sh"
    yield "make load                    # two minutes of load, then 50,000 invocations of each function: half an hour"
    yield "make load LOAD=--quick       # 15 seconds and 2,000 invocations; does not change this page"
    yield "make load LOAD='--only webhooks --seconds 0'   # the memory of one function; does not change this page"
    yield "```"
    yield ""
    yield "It fails if a request failed, if acknowledged data is missing afterwards, or if a function is not flat."


def _figures(load: Load) -> Iterable[str]:
    yield f"**{load.per_second:.0f} requests per second; {load.failures} failed; {_arrived(load)}.**"
    yield ""
    yield "| request | count | failed | p50 | p99 |"
    yield "|---|---:|---:|---:|---:|"
    for each in load.requests:
        yield f"| {each.name} | {each.count:,} | {each.failures} | {each.p50_ms:.0f} ms | {each.p99_ms:.0f} ms |"
    yield ""


def _arrived(load: Load) -> str:
    if not load.memory:
        return "what was stored is not checked"
    return "; ".join(load.problems) if load.problems else "every lease event sent, every commit linked, no dead letter"


def _machine() -> str:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return (
        f"{os.cpu_count()} cores (load average {os.getloadavg()[2]:.1f}), {pages * size / 2**30:.0f} GB, {platform.system()}"
        f" {platform.machine()}, Python {platform.python_version()}"
    )


def _draw(memory: Sequence[Memory]) -> None:
    if not memory:
        return
    matplotlib.rcParams["svg.hashsalt"] = "load"  # the same file for the same figures
    figure, axes = pyplot.subplots(figsize=(8, 4))
    for each in memory:
        axes.plot([count for count, _ in each.samples], [mb for _, mb in each.samples], label=each.entry_point, linewidth=1.2)
    axes.set_xlabel("invocations")
    axes.set_ylabel("resident MB")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", fontsize="small", ncols=2)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(_DOCS / "load.svg", metadata={"Date": None})


def _spark(values: Sequence[float]) -> str:
    """The values as bars, from 0 to the greatest."""
    if not values:
        return ""
    step = max(1, len(values) // _WIDTH)
    most = max(*values, 1.0)
    return "".join(_BARS[min(7, int(value / most * 7.99))] for value in values[::step])
