"""Bash with the two commands of the runbooks, ``python -m handlers.cli`` and ``aws``.

A program in front of the ``PATH`` sends each call to this process, which runs the command line in process and the AWS CLI by
botocore: a process that imports either takes a second. Variables that a script exports are there for the next one.
"""

import contextlib
import dataclasses
import json
import os
import shlex
import socketserver
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from lib.operations import dead_letters
from tests.support.cloud import Cloud
from tests.support.operations import aws_cli
from tests.support.operations.command_line import run_command

COLUMNS = "120"
SECONDS = 180

_PROGRAM = f"""#!{sys.executable} -IS
import json, os, socket, stat, sys
piped = stat.S_ISFIFO(os.fstat(0).st_mode)
call = {{"command": os.path.basename(sys.argv[0]), "arguments": sys.argv[1:], "environment": dict(os.environ),
         "folder": os.getcwd(), "input": sys.stdin.buffer.read().decode() if piped else ""}}
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(os.path.join(os.path.dirname(sys.argv[0]), "socket"))
    connection.sendall(json.dumps(call).encode() + b"\\n")
    answer = json.loads(connection.makefile("rb").read())
sys.stdout.write(answer["out"])
sys.stderr.write(answer["errors"])
sys.exit(answer["code"])
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """A script that ended.

    Attributes:
        code: the exit code of its last command.
        out: standard output.
        errors: standard error.
    """

    code: int
    out: str
    errors: str

    def succeeded(self) -> str:
        """Its output, after a check that it ended with 0."""
        assert self.code == 0, f"exit code {self.code}: {self.out}\n{self.errors}"
        return self.out

    def failed(self) -> str:
        """Its output, after a check that it ended with 1: something needs a person."""
        assert self.code == 1, f"exit code {self.code}: {self.out}\n{self.errors}"
        return self.out


class Shell:
    """A shell in an empty folder with the file ``ready.json`` of a local cloud, as ``make dev`` writes it."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        ready = {"http_url": cloud.http_url, "aws_url": cloud.aws_url, "region": cloud.region, "outputs": cloud.outputs}
        (folder / "ready.json").write_text(json.dumps(ready) + "\n", encoding="utf-8")
        self._variables = {"HOME": str(folder), "COLUMNS": COLUMNS, "SWITCHBOARD_OUTPUTS": str(folder / "ready.json")}
        self._answers = ""

    def run(self, script: str, *, answers: str = "") -> Done:
        """Run a script. ``answers`` is what a person types at the questions of each command."""
        self._answers = answers
        with self._commands() as programs:
            environment = self._variables | {"PATH": f"{programs}:{os.defpath}"}
            after = programs / "environment"
            script = f"set -o pipefail\n{script}\n(code=$?; env -0 > {shlex.quote(str(after))}; exit $code)"
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            pairs = (pair.split("=", 1) for pair in after.read_text(encoding="utf-8").split("\0") if pair)
            self._variables = dict(pairs)
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def _commands(self) -> Iterator[Path]:
        shell = self

        class Call(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(json.dumps(shell._answer(json.loads(self.rfile.readline()))).encode())

        with tempfile.TemporaryDirectory() as name:  # the path of a socket has at most 107 characters
            folder = Path(name)
            for command in ("python", "aws"):
                (folder / command).write_text(_PROGRAM, encoding="utf-8")
                (folder / command).chmod(stat.S_IRWXU)
            with socketserver.UnixStreamServer(str(folder / "socket"), Call) as server:
                thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
                thread.start()
                try:
                    yield folder
                finally:
                    server.shutdown()
                    thread.join()

    def _answer(self, call: Mapping[str, Any]) -> dict[str, Any]:
        arguments = call["arguments"]
        environment, folder = call["environment"], Path(call["folder"])
        if call["command"] == "aws":
            assert environment.get("AWS_ENDPOINT_URL", self.cloud.aws_url) == self.cloud.aws_url
            with mock.patch.dict(os.environ, environment, clear=True), contextlib.chdir(folder):
                code, out, errors = aws_cli.run(self.cloud.client, arguments, call["input"])
        elif arguments[:2] == ["-m", "handlers.cli"]:
            with mock.patch.object(dead_letters, "_WAIT_SECONDS", 0):  # of SQS's many servers, one may know a message later
                typed = call["input"] or self._answers
                result = run_command(arguments[2:], environment=environment, folder=folder, typed=typed)
            code, out, errors = result.exit_code, result.stdout, result.stderr
        else:
            code, out, errors = 127, "", f"not a command of the runbooks: {shlex.join([call['command'], *arguments])}\n"
        return {"code": code, "out": out, "errors": errors}
