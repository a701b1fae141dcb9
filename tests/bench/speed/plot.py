"""The plot of docs/performance/benchmarks.md: each program's ratio to the floor, Switchboard in a colour of its own."""

from collections.abc import Mapping
from pathlib import Path

from tests.bench.speed.programs import FLOOR, OURS
from tests.bench.speed.report import COLD_TARGETS, WARM_TARGETS, Results, ratio
from tests.bench.speed.runtime import Took


def write(results: Results, path: Path) -> None:
    """Write the plot as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "switchboard"  # the same figures give the same file
    from matplotlib import pyplot

    panels = [(f"cold start: {name}", took, COLD_TARGETS.get(name), "wall") for name, took in results.cold.items()]
    panels += [(f"warm: {name}", took, WARM_TARGETS.get(name), "CPU") for name, took in results.warm.items()]
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(9, 2.4 * len(panels)), constrained_layout=True)
    for axis, (title, took, target, measure) in zip(axes, panels, strict=True):
        _panel(axis, f"{title}, {measure} time by the floor's", took, target, measure)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _panel(axis: object, title: str, took: Mapping[str, list[Took]], target: float | None, measure: str) -> None:
    labels = sorted(took, key=lambda label: ratio(took, label, measure), reverse=True)
    values = [ratio(took, label, measure) for label in labels]
    colours = ["#1f6feb" if label == OURS else "#8c959f" if label == FLOOR else "#c9d1d9" for label in labels]
    bars = axis.barh(labels, values, color=colours)
    axis.bar_label(bars, [f"{value:.2f}" for value in values], padding=3)
    if target is not None:
        axis.axvline(target, color="#cf222e", linestyle="--", linewidth=1)
    axis.set_title(title, loc="left", fontsize=10)
    axis.margins(x=0.1)
    axis.spines[["top", "right"]].set_visible(False)
