"""Runs mutmut in the current folder: ``generate WORKERS``, or ``run WORKERS`` with the names of mutants on standard input.

A script of its own, because mutmut works in the current folder and forks its workers from the process that imported the tests.
"""

import multiprocessing
import sys
from collections.abc import Iterable
from typing import Any

from mutmut import __main__ as mutmut
from mutmut.runners import harness


def generate(workers: int) -> None:
    """Write every mutant next to its original, and run none."""
    mutmut.set_mutant_under_test("mutant_generation")
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    mutmut.store_lines_covered_by_tests()
    mutmut.create_mutants(workers)


def whole_tests_fast_first(runner: Any, tests: Iterable[str]) -> list[str]:
    """The command line for some tests: each with all its parameters, since not every parameter's id can be selected."""
    durations = mutmut.state().duration_by_test
    chosen = dict.fromkeys(test.partition("[")[0] for test in sorted(tests, key=lambda test: (durations[test], test)))
    return ["-x", "-q", *(chosen or runner._pytest_add_cli_args_test_selection)]


if __name__ == "__main__":
    multiprocessing.set_start_method("fork", force=True)
    task, number = sys.argv[1], int(sys.argv[2])
    if task == "generate":
        generate(number)
    else:
        harness.PytestRunner._pytest_args_regular_run = whole_tests_fast_first
        mutmut._run(sys.stdin.read().split(), number)
