"""``make coverage``: prints the coverage of lines and branches by package, from the data that pytest-cov stored."""

import collections
import json
import subprocess
import sys
import tempfile
from pathlib import Path

COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def package_of(file: str) -> str:
    """The package that a file counts for: the first two folders, or the first for a file directly in it."""
    return "/".join(Path(file).parts[:-1][:2])


def main() -> None:
    """Print one line per package and one for all."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run([sys.executable, "-m", "coverage", "json", "--quiet", "-o", report.name], check=True)
        files = json.loads(Path(report.name).read_text(encoding="utf-8"))["files"]
    totals: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for name, file in files.items():
        for package in (package_of(name), "all"):
            totals[package].update({count: file["summary"][count] for count in COUNTS})
    print(f"{'package':24}{'lines':>8}{'branches':>10}")
    for package, total in sorted(totals.items(), key=lambda each: (each[0] == "all", each[0])):
        lines, branches = (_percent(*(total[count] for count in pair)) for pair in (COUNTS[:2], COUNTS[2:]))
        print(f"{package:24}{lines:>8}{branches:>10}")


def _percent(covered: int, count: int) -> str:
    return f"{100 * covered / count:.1f} %" if count else "-"


if __name__ == "__main__":
    main()
