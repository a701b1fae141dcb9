"""Starts Amazon's DynamoDB Local: the engine on which the stores are proven, since moto's is not atomic.

``make test-dynamodb-local`` fetches it, as tests/dynamodb_local/pom.xml pins it. Nothing of it is in the repository.
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

JARS = Path(__file__).parents[3] / "build" / "dynamodb-local"
_MAIN = "software.amazon.dynamodb.services.local.main.ServerRunner"
_START_SECONDS = 60.0


def why_not() -> str | None:
    """What is missing to start it, with what to do; None if nothing is."""
    if shutil.which("java") is None:
        return "no java on PATH: install Java 17 or newer, or set DYNAMODB_ENDPOINT"
    if not (JARS / "installed").exists():
        return "DynamoDB Local was not fetched: run 'make test-dynamodb-local', or set DYNAMODB_ENDPOINT"
    return None


SHORT_RUN = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""The quick compiler and the plain collector take a third less CPU time than the defaults."""


@contextlib.contextmanager
def running(options: Sequence[str] = SHORT_RUN) -> Iterator[str]:
    """The URL of an engine with nothing in it, which keeps its tables in memory. ``options`` are those of Java.

    It listens on a free port; it has no option for an address, so that other machines reach it if no firewall is between.

    Raises:
        RuntimeError: it did not start; the text has what it printed.
    """
    port = _free_port()
    command = ["java", *options, f"-Djava.library.path={JARS}", "-cp", f"{JARS}/*", _MAIN]
    command += ["-inMemory", "-disableTelemetry", "-port", str(port)]
    with tempfile.TemporaryFile("w+") as output, subprocess.Popen(command, stdout=output, stderr=output, cwd=JARS) as process:
        try:
            if not _answers(process, port):
                output.seek(0)
                raise RuntimeError(f"DynamoDB Local did not start: {output.read()[-2000:]}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()  # it has nothing to save


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.05)
    return False
