"""What the local cloud costs the machine it runs on: until it is ready, for the first call of each function, and idle.

    python -m tests.bench.local_cloud [--runs 3] [--idle 20] [option of `up` …]

Prints one line of JSON per run and then the table of their medians, in Markdown. CPU and memory are of the cloud's process and
of all below it. Memory is PSS: pages that forked processes share count once. Linux only, since it reads /proc.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.cloud import Cloud, children_of, launched_cloud

_TICKS = os.sysconf("SC_CLK_TCK")
_SETTLE_SECONDS = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.local_cloud", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of which the table has the medians")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds over which the idle CPU is measured")
    asked, options = parser.parse_known_args(arguments)
    runs = []
    for _ in range(asked.runs):
        runs.append(_measure(asked.idle, options))
        print(json.dumps(runs[-1]), flush=True)
    print(f"\n| figure | median of {asked.runs} |\n|---|---:|")
    for name in runs[0]:
        print(f"| {name} | {statistics.median(run[name] for run in runs):.2f} |")
    print(f"\n{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    return 0


def _measure(idle_seconds: float, options: Sequence[str]) -> dict[str, float]:
    started = time.monotonic()
    with launched_cloud(*options) as cloud:
        ready = time.monotonic() - started
        top = cloud.process.pid
        start_cpu = _cpu_seconds(top)
        time.sleep(_SETTLE_SECONDS)
        figures = {"ready, s": ready, "CPU until ready, s": start_cpu, "memory before any call, MB": _pss_mb(top)}
        figures["CPU idle before any call, % of a core"] = _idle_percent(top, idle_seconds)
        before, calls = _cpu_seconds(top), [_first_call(cloud, name) for name in cloud.outputs["functions"]]
        figures |= {"slowest first call, s": max(calls), "CPU of all first calls, s": _cpu_seconds(top) - before}
        time.sleep(_SETTLE_SECONDS)
        figures["memory with every function running, MB"] = _pss_mb(top)
        figures["CPU idle with every function running, % of a core"] = _idle_percent(top, idle_seconds)
    return {name: round(value, 3) for name, value in figures.items()}


def _first_call(cloud: Cloud, entry_point: str) -> float:
    """The seconds until a function has answered an event without records, even with an error."""
    started = time.monotonic()
    cloud.invoke(entry_point, {"Records": []})
    return time.monotonic() - started


def _idle_percent(top: int, seconds: float) -> float:
    before, started = _cpu_seconds(top), time.monotonic()
    time.sleep(seconds)
    return 100 * (_cpu_seconds(top) - before) / (time.monotonic() - started)


def _family(pid: int) -> set[int]:
    return {pid, *children_of(pid)}


def _cpu_seconds(top: int) -> float:
    """User and system time of the processes and of their children that have ended."""
    total = 0
    for pid in _family(top):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(field) for field in fields[11:15])
    return total / _TICKS


def _pss_mb(top: int) -> float:
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in _family(top))
    return sum(int(line.split()[1]) for text in rollups for line in text.splitlines() if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
