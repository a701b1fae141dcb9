"""Measures, shows the tables and writes docs/performance/imports.md with its plot.

    python -m tests.bench.imports [--quick] [--into FOLDER]

``--quick`` is for a look: small files, and by default nothing written to docs/.
"""

import argparse
import os
import sys
from pathlib import Path

from tests.bench.imports import measure


def main() -> int:
    """Run it. The exit code says whether it ran, not whether the figures are good."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.imports")
    parser.add_argument("--quick", action="store_true", help="a look in a minute")
    parser.add_argument("--into", type=Path, help="where imports.md and its plot go (docs/performance; with --quick build)")
    arguments = parser.parse_args()
    into = arguments.into or measure.ROOT / ("build" if arguments.quick else "docs/performance")
    load = os.getloadavg()[0]
    results = measure.measure(measure.QUICK if arguments.quick else measure.FULL, lambda step: print(step, file=sys.stderr))
    show_and_write(results, into, load, quick=arguments.quick)
    return 0


def show_and_write(results: measure.Results, into: Path, load: float, *, quick: bool) -> None:
    """Imports modules that need much memory only after all measurements."""
    from rich.console import Console

    from tests.bench.imports import plot, report

    console = Console()
    for table in report.tables(results):
        console.print(table.for_terminal())
    into.mkdir(parents=True, exist_ok=True)
    plot.write(results, into / "imports.svg")
    (into / "imports.md").write_text(report.page(results, load, quick=quick), encoding="utf-8")
    console.print(f"Written: {into / 'imports.md'}")


if __name__ == "__main__":
    sys.exit(main())
