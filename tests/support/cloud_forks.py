"""Starts local clouds as forks of one process that has imported what they need, which is most of the work of a start.

Each pytest process has a parent of its own for them, from the first cloud on. tests/integration/test_local_cloud_command.py
starts clouds as their users do.
"""

import faulthandler
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import IO, Protocol

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.cloud_imports"])


class Process(Protocol):
    """The process of a local cloud, as ``subprocess.Popen`` has it."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def stdout(self) -> IO[str] | None:
        """What it prints: the ready line."""

    @property
    def stderr(self) -> IO[str] | None:
        """Its summary and errors."""

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it has ended."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal, unless it has ended."""

    def kill(self) -> None:
        """End it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code. Raises TimeoutExpired."""


class ForkedCloud:
    """A local cloud as a fork.

    Args:
        arguments: of ``python -m stack.local``.
        environment: all of its environment.
        folder: where it runs.
    """

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], folder: str) -> None:
        out, their_out = _CONTEXT.Pipe(duplex=False)
        error, their_error = _CONTEXT.Pipe(duplex=False)
        with their_out, their_error:
            given = (arguments, dict(environment), folder, their_out, their_error)
            self._process = _CONTEXT.Process(target=_run, args=given, daemon=True)
            self._process.start()
        self.pid = self._process.pid or 0
        self.stdout, self.stderr = _text(out), _text(error)

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it has ended."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.returncode


def _text(reader: Connection) -> IO[str]:
    with reader:
        return open(os.dup(reader.fileno()), encoding="utf-8", errors="replace")


def _run(arguments: tuple[str, ...], environment: dict[str, str], folder: str, out: Connection, error: Connection) -> None:
    for descriptor, connection in ((1, out), (2, error)):
        os.dup2(connection.fileno(), descriptor)
        connection.close()
    faulthandler.enable()  # see Cloud.stop
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)

    from moto.moto_api._internal import mock_random

    from stack.local.__main__ import main

    mock_random.seed()  # forks would make the same ids
    main(arguments, prog_name="python -m stack.local")
