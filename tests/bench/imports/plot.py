"""The plot of docs/performance/imports.md: CPU seconds of each program, and of an import by the size of the file."""

from pathlib import Path
from typing import Any

from tests.bench.imports.measure import RAW, Results
from tests.bench.imports.report import AT_MOST_RAW, LABELS, OURS, median


def write(results: Results, path: Path) -> None:
    """Write the plot as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "switchboard"  # the same figures give the same file
    from matplotlib import pyplot

    figure, (compared, growth) = pyplot.subplots(2, 1, figsize=(9, 6.6), constrained_layout=True)
    _compare(compared, results)
    _grow(growth, results)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _compare(axis: Any, results: Results) -> None:
    cpu = {LABELS[name]: median(took) for name, took in results.compared.items()}
    labels = sorted(cpu, key=lambda label: cpu[label], reverse=True)
    colours = ["#1f6feb" if label in OURS else "#8c959f" if label == LABELS[RAW] else "#c9d1d9" for label in labels]
    bars = axis.barh(labels, [cpu[label] for label in labels], color=colours)
    axis.bar_label(bars, [f"{cpu[label]:.2f}" for label in labels], padding=3)
    axis.axvline(AT_MOST_RAW * cpu[LABELS[RAW]], color="#cf222e", linestyle="--", linewidth=1)
    axis.set_xscale("log")
    axis.set_title(f"CPU seconds for {results.file_mb:.0f} MB; the line is the goal of a check", loc="left", fontsize=10)
    axis.margins(x=0.1)
    axis.spines[["top", "right"]].set_visible(False)


def _grow(axis: Any, results: Results) -> None:
    sizes = [0.0, *(size for size, *_ in results.growth)]
    for label, colour, values in (
        ("first import", "#1f6feb", [first.cpu for *_, first in results.growth]),
        ("check", "#8c959f", [check.cpu for _, _, check, _ in results.growth]),
    ):
        axis.plot(sizes, [0.0, *values], marker="o", color=colour, label=label)
    axis.set_title("CPU seconds by the size of the file in MB", loc="left", fontsize=10)
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
