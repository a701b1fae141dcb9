"""``python -m tests.bench.scale``: see docs/scale.md and docs/performance/scale.md, which it writes."""

import argparse
import functools
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.bench.scale import report
from tests.bench.scale.scenarios import Changes, run, scenarios


def main() -> int:
    """Run every scenario; 1 if a delivery of Jira was lost, or a push that the HTTP API did not refuse."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of everything; writes no page")
    scale = 0.05 if parser.parse_args().quick else 1
    changes = Changes(int(100_000 * scale))
    results = []
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as processes:  # they share the changes
        for result in processes.map(functools.partial(run, changes=changes), scenarios(scale)):
            results.append(result)
            print(report.row(result), flush=True)
    if scale == 1:
        print("wrote", report.write(results))
    return 0 if all(result.outcome.arrived == result.outcome.stored + result.outcome.lost for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
