"""Runs the programs of :mod:`.programs`, each in a process of its own, and measures the CPU and memory of that process.

This module, and whatever runs while it measures, imports little: a new process begins with the peak memory of the one that
starts it.
"""

import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.imports import files

ROOT = Path(__file__).resolve().parents[3]
ROW_LOOP_COMMIT = "6f64d84"
"""The last commit with the loop over rows in Python."""

CHECK, ROW_LOOP, PYDANTIC, RAW = "ours_check", "row_loop", "pydantic_rows", "raw_duckdb"
FIRST, SECOND = "first import", "second import"
FAST = (CHECK, ROW_LOOP, PYDANTIC, "polars", RAW, "csv_reader")
SLOW = ("frictionless",)
"""What is run once, because it takes as long as all others together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, rows of the file that is compared, rows of the files that grow, rows of the catalogue."""

    rounds: int
    rows: int
    growing: tuple[int, ...]
    catalogue_rows: int


FULL = Plan(rounds=5, rows=files.ROWS, growing=(files.ROWS, 1_700_000, 7_000_000), catalogue_rows=5_000_000)
QUICK = Plan(rounds=2, rows=40_000, growing=(20_000, 80_000), catalogue_rows=100_000)


@dataclass(frozen=True, slots=True)
class Took:
    """What a program took. ``whole_cpu`` is from the start of the process; ``found`` is what it printed."""

    cpu: float
    whole_cpu: float
    peak_mb: float
    found: dict[str, Any]


@dataclass(slots=True)
class Results:
    """All that was measured.

    Attributes:
        file_mb: the size of the file that is compared.
        compared: the runs of each program.
        growth: by size of the file in MB and rows: the check, the first import.
        merged: a catalogue of many rows with a file of as many; ``merged_mb`` is the size of that file.
        left_out: why a program was not run.
    """

    rows: int
    file_mb: float = 0
    compared: dict[str, list[Took]] = field(default_factory=dict)
    growth: list[tuple[float, int, Took, Took]] = field(default_factory=list)
    merged: Took | None = None
    merged_mb: float = 0
    left_out: dict[str, str] = field(default_factory=dict)


def measure(plan: Plan, say: Callable[[str], None]) -> Results:
    """Measure everything that ``plan`` says; ``say`` gets a line for each step."""
    results = Results(plan.rows)
    with tempfile.TemporaryDirectory(prefix="switchboard-imports-") as temporary:
        folder = Path(temporary)
        _compare(plan, folder, results, say)
        for rows in plan.growing:
            results.growth.append(_grown(folder, rows, say))
        results.merged_mb, results.merged = _merged(folder, plan.catalogue_rows, say)
    return results


def _compare(plan: Plan, folder: Path, results: Results, say: Callable[[str], None]) -> None:
    say("writing the files")
    path = files.write(folder / "products.csv", plan.rows)
    changed = files.write(folder / "changed.csv", plan.rows, has_changes=True)
    results.file_mb = path.stat().st_size / 1e6
    version = folder / "version.parquet"
    run(FIRST, "ours_import", path, "", version)
    runs: dict[str, tuple[Any, ...]] = {name: (name, path) for name in (*FAST, *SLOW)}
    runs |= {FIRST: ("ours_import", path), SECOND: ("ours_import", changed, version)}
    old = folder / "row-loop"
    if (problem := _extract_row_loop(old)) is not None:
        results.left_out[ROW_LOOP] = problem
        del runs[ROW_LOOP]
    for number in range(plan.rounds):
        order = [name for name in runs if not (number and name in SLOW)]
        random.Random(number).shuffle(order)
        for name in order:
            say(f"round {number + 1} of {plan.rounds}: {name}")
            took = run(name, *runs[name], lib=old if name == ROW_LOOP else ROOT)
            _require_equal(name, took.found, plan.rows)
            results.compared.setdefault(name, []).append(took)
    for each in (path, changed, version):
        each.unlink()


def _grown(folder: Path, rows: int, say: Callable[[str], None]) -> tuple[float, int, Took, Took]:
    say(f"{rows:,} rows")
    path = files.write(folder / "grown.csv", rows)
    size = path.stat().st_size / 1e6
    took = [run(name, name, path) for name in (CHECK, "ours_import")]
    for each in took:
        _require_equal("import", each.found, rows)
    path.unlink()
    return size, rows, took[0], took[1]


def _merged(folder: Path, rows: int, say: Callable[[str], None]) -> tuple[float, Took]:
    say(f"a catalogue of {rows:,} rows")
    path, version = files.write(folder / "large.csv", rows), folder / "large.parquet"
    run(FIRST, "ours_import", path, "", version)
    files.write(path, rows, has_changes=True)
    took = run(SECOND, "ours_import", path, version)
    _require_equal(SECOND, took.found, rows)
    return path.stat().st_size / 1e6, took


def run(label: str, name: str, *arguments: object, lib: Path = ROOT) -> Took:
    """Run a program, with the ``lib`` of that folder, in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(lib), str(ROOT))),
        "PYTHONSAFEPATH": "1",  # else the folder it is started in comes first
        "POLARS_MAX_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.bench.imports.programs", name, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{label} failed with {process.returncode}")
    found = json.loads(printed)
    return Took(found.pop("cpu"), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, found)


def _extract_row_loop(folder: Path) -> str | None:
    """Write the ``lib`` of :data:`ROW_LOOP_COMMIT` into ``folder``; or why that can't be done."""
    command = ["git", "archive", ROW_LOOP_COMMIT, "lib"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        return f"commit {ROW_LOOP_COMMIT} is not in this clone"
    folder.mkdir()
    archive = folder / "lib.tar"
    archive.write_bytes(done.stdout)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return None


def _require_equal(name: str, found: dict[str, Any], rows: int) -> None:
    """A program that counts rows must count what the file has, or the comparison is none."""
    expected = {"rows": rows, "invalid": files.invalid_rows(rows), "keys": rows, "replaced": None, "added": None}
    if name == SECOND:
        expected |= {"replaced": files.changed_rows(rows), "added": 0}
    wrong = {key: found[key] for key, value in expected.items() if value is not None and found.get(key, value) != value}
    if wrong:
        raise RuntimeError(f"{name} found {wrong} instead of {expected}")


def steps_of(took: Took) -> Iterator[tuple[str, float]]:
    """The CPU seconds of each step of an import."""
    yield from took.found["steps"].items()
