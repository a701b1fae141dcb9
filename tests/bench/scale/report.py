"""The results as docs/performance/scale.md with its SVG."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from tests.bench.scale.scenarios import Result
from tests.bench.scale.throttling import PARTITION_UNITS

_DOCS = Path(__file__).resolve().parents[3] / "docs" / "performance"
_COLUMNS = (
    *("scenario", "layout", "deliveries", "lost", "all stored after", "all correlated after", "refused"),
    *("later than a minute", "hottest partition"),
)


def row(result: Result) -> str:
    """A result as a row of the table."""
    outcome, scenario = result.outcome, result.scenario
    hottest = max(result.store, key=lambda throughput: throughput.peak_asked)
    refused = ", ".join(f"{by} {count:,}" for by, count in sorted(outcome.refused.items())) or "none"
    share = f"{outcome.late / outcome.stored:.0%}" if outcome.late else "none"
    cells = (
        scenario.title,
        scenario.layout,
        f"{outcome.arrived:,}",
        f"{outcome.lost:,}" if outcome.lost else "none",
        _time(outcome.stored_at),
        _time(outcome.correlated_at),
        refused,
        share,
        f"{hottest.name}, {hottest.peak_asked:,} of {PARTITION_UNITS:,}",
    )
    return f"| {' | '.join(cells)} |"


def write(results: Sequence[Result]) -> Path:
    """Write docs/performance/scale.md and its plot; the path of the page."""
    _draw([result for result in results if result.scenario.issues], _DOCS / "scale.svg")
    page = _DOCS / "scale.md"
    page.write_text("\n".join(_page(results)) + "\n", encoding="utf-8")
    return page


def _page(results: Sequence[Result]) -> Iterable[str]:
    yield "# Scale"
    yield ""
    yield "`make scale` wrote this page: a simulation, not a measurement of AWS. [Scale](../scale.md) says what it means."
    yield ""
    yield "Rows, keys and units are those of the real store. *Before* is the layout of the indexes before"
    yield "[ADR 34](../adr/0034-indexes-by-shard-and-hour.md). *Hottest partition* is the partition with the"
    yield "most requested write units in a second. *Refused* counts every answer that was not 2xx, and who refused it."
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield f"|---|---|{'---:|' * 4}---|---:|---|"
    yield from map(row, results)
    yield ""
    yield "## Peaks of the table and its indexes"
    yield ""
    yield "Write units in the busiest second, of all partitions together, and writes that were throttled there."
    yield ""
    names = [throughput.name for throughput in results[0].store]
    yield f"| scenario | layout | {' | '.join(names)} |"
    yield f"|---|---|{'---:|' * len(names)}"
    for result in results:
        cells = (f"{each.peak_table:,} ({each.throttled:,})" for each in result.store)
        yield f"| {result.scenario.title} | {result.scenario.layout} | {' | '.join(cells)} |"
    yield ""
    yield "![Stored deliveries of a bulk change over time, before and after](scale.svg)"
    yield ""
    yield "## Run it"
    yield ""
    yield "```sh"
    yield "make scale                               # some minutes; writes this page"
    yield "python -m tests.bench.scale --quick      # a twentieth of everything; does not change this page"
    yield "```"


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _draw(results: Sequence[Result], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "scale"  # the same file for the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), constrained_layout=True)
    for result in results:
        total, stored = 0, []
        for _, count, _ in result.outcome.series:
            total += count
            stored.append(total)
        minutes = [number / 6 for number in range(len(stored))]
        style = "--" if result.scenario.layout == "before" else "-"
        axes.plot(minutes, stored, style, label=f"{result.scenario.title}: {result.scenario.layout}", linewidth=1.2)
    axes.set_xlabel("minutes")
    axes.set_ylabel("deliveries stored")
    axes.set_xscale("symlog")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", fontsize="x-small")
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
