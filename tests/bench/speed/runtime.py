"""A program as Lambda runs it: in a process of its own, under Lambda's runtime client, fed by a Runtime API.

This Runtime API is as small as it can be, so that what is measured is the program: one thread, blocking sockets, no
framework. Times are of the wall and of the processor; the latter is the process's own, whatever else the machine does.
"""

import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.speed import archives

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Took:
    """What something took.

    Attributes:
        wall_ms: by the clock on the wall.
        cpu_ms: of the process's processor time, user and system.
        answer: what the program answered.
    """

    wall_ms: float
    cpu_ms: float
    answer: bytes


class ProgramError(Exception):
    """The program failed to start, or answered an event with an error."""


class Process:
    """A running program.

    Args:
        handler: ``module.function``.
        path: the folders that it finds modules in.
        environment: its variables, beyond those of the runtime.
    """

    def __init__(self, handler: str, path: list[Path], environment: Mapping[str, str]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_TIMEOUT_SECONDS)
        self._connection: socket.socket | None = None
        self._pending = b""
        variables = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._listener.getsockname()[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_REGION": "us-west-2",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "test",
            "LAMBDA_TASK_ROOT": str(path[0]),
            "_HANDLER": handler,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's file system can't be written to
            "PYTHONUNBUFFERED": "1",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
        }
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            archives.command(handler),
            cwd=path[0],
            env={**variables, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def invoke(self, event: bytes) -> Took:
        """Hand over one event and wait for the answer.

        Raises:
            ProgramError: the program failed.
        """
        before, started = self._cpu_ns(), time.perf_counter()
        self._expect("GET", "/invocation/next")
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {uuid.uuid4()}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int((time.time() + 30) * 1000)}\r\n"
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-west-2:123456789012:function:bench\r\n"
            f"Content-Length: {len(event)}\r\n\r\n"
        )
        self._send(head.encode() + event)
        answer = self._expect("POST", "/response")
        ended, cpu = time.perf_counter(), self._cpu_ns()
        self._send(b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"OK"}')
        return Took((ended - started) * 1000, (cpu - before) / 1e6, answer)

    def first_answer(self, event: bytes) -> Took:
        """Hand over the first event; the time is from the start of the process."""
        took = self.invoke(event)
        return Took((time.perf_counter() - self.started) * 1000, self._cpu_ns() / 1e6, took.answer)

    def end(self) -> None:
        """Kill the process."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._listener.close()

    def _cpu_ns(self) -> int:
        """Processor time of all threads, ended ones too: clock_getcpuclockid(3)."""
        return time.clock_gettime_ns((~self._process.pid << 3) | 2)

    def _expect(self, method: str, path: str) -> bytes:
        """Read one request and return its body."""
        while True:
            if self._connection is None:
                self._connection, _ = self._listener.accept()
                self._connection.settimeout(_TIMEOUT_SECONDS)
                self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pending = b""
            while b"\r\n\r\n" not in self._pending:
                if not self._receive():
                    break
            if self._connection is not None:
                break
        head, _, rest = self._pending.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if headers.get("expect", "").lower() == "100-continue":
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(headers.get("content-length", 0))
        while len(rest) < length:
            self._pending = b""
            if not self._receive():
                raise ProgramError("the program closed the connection in the middle of a request")
            rest += self._pending
        body, self._pending = rest[:length], rest[length:]
        if not lines[0].startswith(f"{method} ") or path not in lines[0]:
            raise ProgramError(f"{lines[0]}: {body[:2000].decode(errors='replace')}")
        return body

    def _receive(self) -> bool:
        assert self._connection is not None
        data = self._connection.recv(1 << 16)
        if not data:
            self._connection.close()
            self._connection = None
            return False
        self._pending += data
        return True

    def _send(self, data: bytes) -> None:
        assert self._connection is not None
        self._connection.sendall(data)
