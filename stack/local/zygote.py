"""``python -m stack.local.zygote <fd>``: forks the processes of the functions, from one process that has imported the packages
that most of them share.

A fork starts 0.2 s faster and shares the memory of those packages. It gets its own environment, session, output and signal
handlers, and then runs Lambda's runtime client as a new process would. No module of Switchboard is imported before the fork,
nor any module that reads a function's environment when it is imported.

Requests on the socket are JSON objects, each after its length in four bytes: ``{"start": [handler, folder, environment]}`` with
the descriptor of the output, or ``{"kill": pid, "signal": number}``. Reports are lines: ``{"pid": …}`` for each start, and
``{"pid": …, "code": …}`` when a process has ended. The end of the socket ends every process.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any

from botocore import loaders, session

_SHARED = ("flask", "flask.json", "http.client", "requests", "urllib.request")
_MODELS = ("dynamodb", "secretsmanager", "sns", "sqs")
"""The services that most functions call."""

Start = tuple[str, str, dict[str, str]]


def main() -> None:
    """Fork until the socket ends. In a fork, run the function."""
    gc.disable()
    for name in _SHARED:
        importlib.import_module(name)
    keep_models(_MODELS)
    gc.freeze()
    start = _Zygote(socket.socket(fileno=int(sys.argv[1]))).serve()
    if start is not None:
        gc.enable()
        _run(*start)


def keep_models(services: Iterable[str]) -> None:
    """Read the models of AWS services, and keep them for the forks of this process; botocore would read them in each."""
    read, files = loaders.JSONFileLoader.load_file, {}

    def load_file(loader: loaders.JSONFileLoader, path: str) -> Any:
        if path not in files:
            files[path] = read(loader, path)
        return files[path]

    setattr(loaders.JSONFileLoader, "load_file", load_file)  # noqa: B010 (a method, for the type checker)
    own = session.Session({"profile": (None, None, None, None)})  # a stale AWS_PROFILE must not stop a local cloud
    for service in services:
        own.create_client(service, region_name="us-west-2", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106


def _run(handler: str, folder: str, environment: dict[str, str]) -> None:
    sys.path[:] = [folder, *(path for path in sys.path if path != os.getcwd())]
    for name in [name for name in sys.modules if name.partition(".")[0] == "stack"]:
        del sys.modules[name]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as shown:
        shown.write(handler.split(".")[-2])  # what ps and top show on Linux
    from awslambdaric.__main__ import main as run_client  # noqa: PLC0415 (it reads the environment)

    sys.argv = ["awslambdaric", handler]
    run_client(sys.argv)


class _Zygote:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def serve(self) -> Start | None:
        """Serve until the socket ends. Returns None then; in a fork, returns what it must run."""
        while True:
            readable, _, _ = select.select([self._control.fileno(), self._woken], [], [])
            if self._woken in readable:
                os.read(self._woken, 4096)
            self._reap()
            if self._control.fileno() in readable:
                data, descriptors, _, _ = socket.recv_fds(self._control, 4, 1, socket.MSG_WAITALL)
                if not data:
                    break
                request = json.loads(self._read(int.from_bytes(data, "big")))
                if "start" in request:
                    if self._fork(descriptors[0]):
                        handler, folder, environment = request["start"]
                        return handler, folder, environment
                elif request["kill"] in self._children:
                    os.kill(request["kill"], request["signal"])
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return None

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._control.recv(size - len(data))
        return data

    def _fork(self, output: int) -> bool:
        """Fork, with the output on the standard streams; whether this is the child."""
        pid = os.fork()
        if pid:
            os.close(output)
            self._children.add(pid)
            self._report({"pid": pid})
            return False
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()  # Ctrl-C must reach the local cloud only
        os.dup2(output, 1)
        os.dup2(output, 2)
        for descriptor in (output, self._woken, self._wake):
            os.close(descriptor)
        self._control.close()
        return True

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._children.discard(pid)
            self._report({"pid": pid, "code": os.waitstatus_to_exitcode(status)})

    def _report(self, report: dict[str, int]) -> None:
        with contextlib.suppress(OSError):  # the local cloud has ended
            self._control.sendall(json.dumps(report).encode() + b"\n")


if __name__ == "__main__":
    main()
