"""Starts the processes of the functions: each from nothing, or as forks of one that has imported what they share."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import IO, Protocol

from stack.local.errors import StartError
from stack.local.sandbox import CHECKOUT, Sandbox

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


class Process(Protocol):
    """A running process of a function, as ``subprocess.Popen`` has it."""

    pid: int

    @property
    def stdout(self) -> IO[str] | None:
        """Its output and errors; the end of it is the end of the process."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


Start = Callable[[Sandbox, str, Mapping[str, str]], Process]
"""Starts a process: what it runs, the handler, and all of its environment."""


def spawn(sandbox: Sandbox, handler: str, environment: Mapping[str, str]) -> Process:
    """Start a process from nothing, as Lambda does."""
    return subprocess.Popen(  # noqa: S603 (our own interpreter on our own handler)
        [*sandbox.command, handler],
        cwd=sandbox.folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C must reach the local cloud only
    )


class Zygote:
    """The process that forks others (``zygote.py``). It imports in the background, and serves requests in order."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter on our own module)
                [sys.executable, "-m", "stack.local.zygote", str(theirs.fileno())],
                cwd=CHECKOUT.folder,
                env={"PATH": os.defpath, "PYTHONPATH": str(CHECKOUT.folder), "PYTHONUNBUFFERED": "1", "LANG": "en_US.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._lock = threading.Lock()
        self._asked: deque[_Forked] = deque()
        self._running: dict[int, _Forked] = {}
        self._reader = threading.Thread(target=self._read, name="zygote", daemon=True)
        self._reader.start()

    def start(self, sandbox: Sandbox, handler: str, environment: Mapping[str, str]) -> Process:
        """Fork a process that runs a handler; see :data:`Start`.

        Raises:
            StartError: the parent has ended.
        """
        output, theirs = os.pipe()
        forked = _Forked(output, self._send)
        request = {"start": [handler, str(sandbox.folder), dict(environment)]}
        try:
            self._send(request, theirs, forked)
        finally:
            os.close(theirs)
        if not forked.wait_started():
            forked.stdout.close()
            raise StartError("The process that starts the functions has ended.")
        return forked

    def close(self) -> None:
        """End it, and every process that it has started."""
        self._socket.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_STOP_SECONDS)
        self._socket.close()

    def _send(self, request: Mapping[str, object], output: int | None = None, forked: "_Forked | None" = None) -> None:
        body = json.dumps(request).encode()
        with self._lock:
            if forked is not None:
                self._asked.append(forked)  # answers come in the order of the requests
            try:
                socket.send_fds(self._socket, [len(body).to_bytes(4, "big")], [] if output is None else [output])
                self._socket.sendall(body)
            except OSError:
                self._end()

    def _read(self) -> None:
        with self._socket.makefile("rb") as reports:
            for line in reports:
                report = json.loads(line)
                if "code" in report:
                    self._running.pop(report["pid"]).end(report["code"])
                else:
                    forked = self._running[report["pid"]] = self._asked.popleft()
                    forked.begin(report["pid"])
        self._end()

    def _end(self) -> None:
        """Mark all requested and running processes as ended: they end with the parent."""
        for forked in [*self._asked, *self._running.values()]:
            forked.end(-signal.SIGKILL)


class _Forked:
    """A process that the zygote has forked, with the methods of ``subprocess.Popen`` that are used here."""

    def __init__(self, output: int, send: Callable[[Mapping[str, object]], None]) -> None:
        self.pid = 0
        self.stdout: IO[str] = open(output, encoding="utf-8", errors="replace")  # noqa: SIM115 (its reader closes it)
        self._send = send
        self._code = 0
        self._started = threading.Event()
        self._ended = threading.Event()

    def begin(self, pid: int) -> None:
        """Record that it runs."""
        self.pid = pid
        self._started.set()

    def end(self, code: int) -> None:
        """Record that it has ended."""
        self._code = code
        self._ended.set()
        self._started.set()

    def wait_started(self) -> bool:
        """Wait until it runs; False if it does not."""
        return self._started.wait(_START_SECONDS) and self.pid != 0

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code. Raises TimeoutExpired."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self._code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send({"kill": self.pid, "signal": signal.SIGTERM})

    def kill(self) -> None:
        """End it."""
        self._send({"kill": self.pid, "signal": signal.SIGKILL})
