"""Runs work concurrently, in two ways.

* :func:`at_once` starts real threads together. The machine chooses the order, so it shows what a real engine does
  (tests/dynamodb_local).
* A :class:`Stage` runs its actors one at a time, each up to its next effect. The test chooses the order and the result of each
  effect, crashes too, and can run a failing order again. :func:`interleave` does so for AWS calls.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each work returned or raised. All start when the last is ready."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return work()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


class Crash(BaseException):
    """The process ends. No code catches this."""


class Actor:
    """One invocation of a function."""

    def __init__(self, stage: "Stage", name: str, run: Callable[[], Any], started_at: float) -> None:
        self.name = name
        self.started_at = started_at
        self.pending: str | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self._fate = "go"
        self._may_run = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, args=(stage, run), daemon=True)
        self._thread.start()
        self._resume()

    def step(self, fate: str) -> None:
        """Give the pending effect this fate, and run to the next effect."""
        assert not self.done
        self._fate = fate
        self._resume()

    def await_turn(self, effect: str) -> str:
        self.pending = effect
        self._stopped.release()
        self._may_run.acquire()
        self.pending = None
        return self._fate

    def _resume(self) -> None:
        self._may_run.release()
        assert self._stopped.acquire(timeout=30), f"{self.name} hangs"

    def _live(self, stage: "Stage", run: Callable[[], Any]) -> None:
        self._may_run.acquire()
        stage.current = self
        stage.local.actor = self
        try:
            self.result = run()
        except BaseException as error:
            self.error = error
        self.done = True
        self._stopped.release()


class Stage:
    """Where actors take turns. An effect outside of an actor happens at once."""

    def __init__(self) -> None:
        self.local = threading.local()
        self.current: Actor | None = None

    def effect(self, name: str, do: Callable[[], Any], errors: Callable[[str], Exception]) -> Any:
        """``do``, with the fate that the test gives it.

        Args:
            name: what it is, such as ``jira.create``.
            do: makes it happen.
            errors: the error that the caller sees of a fate that is not ``go`` or a crash.
        """
        actor: Actor | None = getattr(self.local, "actor", None)
        fate = actor.await_turn(name) if actor is not None else "go"
        if fate == "crash_before":
            raise Crash
        if fate.endswith("_before"):
            raise errors(fate)
        result = do()
        if fate == "crash_after":
            raise Crash
        if fate.endswith("_after"):
            raise errors(fate)
        return result


class _StagedClient:
    """A client whose calls are effects on a stage."""

    def __init__(self, stage: Stage, client: Any) -> None:
        self._stage = stage
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return lambda **request: self._stage.effect(name, partial(getattr(self._client, name), **request), RuntimeError)


def interleave(client: Any, works: Sequence[Callable[[Any], Any]], schedule: Iterable[int]) -> list[Any]:
    """What each work returned or raised. A work takes its client, and stops before each call.

    ``schedule`` numbers the works; each number lets that work make its next call. The number of a work that has ended counts
    for another one. When the schedule ends, the works end one after another.
    """
    stage = Stage()
    staged = _StagedClient(stage, client)
    actors = [Actor(stage, f"work {number}", partial(work, staged), 0.0) for number, work in enumerate(works)]
    order = iter(schedule)
    while alive := [actor for actor in actors if not actor.done]:
        alive[next(order, 0) % len(alive)].step("go")
    return [actor.result if actor.error is None else actor.error for actor in actors]
