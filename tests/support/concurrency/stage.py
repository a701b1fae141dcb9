"""Actors that take turns, one effect at a time, so that a test decides every interleaving and every crash.

Each actor runs in a thread of its own, and only one thread ever runs. Before each call to the world outside an actor stops
and waits to be told what becomes of that call.
"""

import threading
from collections.abc import Callable
from typing import Any


class Crash(BaseException):
    """The process is gone. No code catches this."""


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
        """Let the pending effect have this fate, and run on to the next one."""
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
    """Where actors act. An effect of no actor just happens."""

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
