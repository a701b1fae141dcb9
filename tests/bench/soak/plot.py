"""The plot of docs/performance/soak.md: load, queues, memory and alarms over time, with the faults as bands."""

import itertools
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot

from tests.bench.soak.run import Results
from tests.bench.soak.sampling import CLOUD


def draw(results: Results, path: Path) -> None:
    """Draw the plot to a file."""
    matplotlib.rcParams["svg.hashsalt"] = "soak"  # the same file for the same figures
    names = sorted({each.alarm for each in results.alarms})
    heights = [1.2, 1.2, 1.8, max(0.6, 0.14 * len(names))]
    figure, (load, queues, memory, alarms) = pyplot.subplots(
        4, sharex=True, figsize=(9, 2 + sum(heights) * 1.7), height_ratios=heights
    )
    samples = results.samples
    minutes = [sample.at / 60 for sample in samples]
    rates = [(later.sent - sample.sent) / (later.at - sample.at) for sample, later in itertools.pairwise(samples)]
    load.plot(minutes[1:], rates, linewidth=0.8)
    load.set_ylabel("requests/s")
    for queue in sorted({name for sample in samples for name in sample.depths}):
        depths = [sample.depths.get(queue, 0) for sample in samples]
        if any(depths):
            queues.plot(minutes, depths, label=queue, linewidth=0.8)
    queues.set_ylabel("messages")
    queues.legend(fontsize="xx-small", loc="upper left", ncols=3)
    _draw_memory(memory, results)
    for number, name in enumerate(names):
        for each in results.alarms:
            if each.alarm == name:
                end = samples[-1].at if each.end is None else each.end
                alarms.barh(number, (end - each.start) / 60, left=each.start / 60, height=0.7, color="tab:red")
    alarms.set_yticks(range(len(names)), names, fontsize="xx-small")
    alarms.set_xlabel("minutes")
    for axes in (load, queues, memory, alarms):
        axes.grid(alpha=0.3)
        for fault in results.plan.faults:
            if fault.name != "wrong signatures":
                axes.axvspan(fault.start / 60, fault.end / 60, color="tab:orange", alpha=0.18, linewidth=0)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _draw_memory(axes: Any, results: Results) -> None:
    colours: dict[str, Any] = {}
    series: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for sample in results.samples:
        for process, mb in sample.memory.items():
            series.setdefault(process, []).append((sample.at / 60, mb))
    for (name, _), points in series.items():
        if name == CLOUD:
            continue
        label = name if name not in colours else None
        [line] = axes.plot(*zip(*points, strict=True), label=label, linewidth=0.9, color=colours.get(name))
        colours[name] = line.get_color()
    axes.set_ylabel("resident MB")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="xx-small", loc="lower right", ncols=4)
