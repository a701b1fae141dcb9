"""Runs pieces of work in threads that begin together; what order they meet in is the machine's choice."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each work returned or, of the errors, raised. All wait until the last is ready."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return work()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))
