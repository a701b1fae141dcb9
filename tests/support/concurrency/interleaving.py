"""Runs several pieces of work at once, in an order that the test chooses: one AWS call at a time.

Each work runs in a thread of its own and stops before every call it makes; the schedule says whose call is next. So two
requests meet in every way that an atomic store allows, and a failing order can be run again. What this does not show is
whether the store itself is atomic: that needs a real engine (tests/dynamodb_local).
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any


class TurnTakingClient:
    """Passes calls on to ``client``, each only when it is this work's turn."""

    def __init__(self, client: Any, turn: "_Turn") -> None:
        self._client = client
        self._turn = turn

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self._turn.wait()
            return getattr(self._client, name)(**request)

        return call


class _Turn:
    """One work's place in the schedule. ``idle`` is set while the work waits for its turn or has ended."""

    def __init__(self) -> None:
        self.idle = threading.Event()
        self.go = threading.Event()

    def wait(self) -> None:
        self.idle.set()
        self.go.wait()
        self.go.clear()


def interleave(client: Any, works: Sequence[Callable[[Any], Any]], schedule: Iterable[int]) -> list[Any]:
    """What each work returned or raised. A work takes its client; ``schedule`` names whose next call is let through.

    A name of a work that has ended is taken as the next one's; when the schedule ends, the rest run in turn.
    """
    results: list[Any] = [None] * len(works)
    turns = [_Turn() for _ in works]
    alive = set(range(len(works)))

    def run(number: int) -> None:
        turn = turns[number]
        turn.wait()
        try:
            results[number] = works[number](TurnTakingClient(client, turn))
        except Exception as error:
            results[number] = error
        alive.discard(number)
        turn.idle.set()

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(works))]
    for thread in threads:
        thread.start()
    order = iter(schedule)
    while True:
        for number in sorted(alive):
            turns[number].idle.wait()
        if not alive:
            break
        wanted = next(order, None)
        standing = sorted(alive)
        chosen = standing[0] if wanted is None else standing[wanted % len(standing)]
        turns[chosen].idle.clear()
        turns[chosen].go.set()
    for thread in threads:
        thread.join()
    return results
