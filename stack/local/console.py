"""Serves the web console for a running local cloud, in a process of its own: it uses the cloud as an operator does."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stack.local.errors import StartError

_ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS = 5.0


class ConsoleProcess:
    """The console's process. It ends when its standard input closes, even if this process is killed.

    Args:
        port: the port to serve, 0 for any free one.
    """

    def __init__(self, port: int) -> None:
        options = ["--port", str(port), "--allow-writes", "--json", "--until-eof"]
        self._process = subprocess.Popen(  # noqa: S603 - no shell, and nothing of the user's
            [sys.executable, "-m", "handlers.cli", "--outputs", "-", "console", *options],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the cloud, which then stops the console
        )

    def start(self, ready: dict[str, Any]) -> str:
        """Start the console for the cloud of this ready line. Returns the URL that opens a session.

        Raises:
            StartError: the port is taken, or the console failed to start.
        """
        if not (self._process.stdin and self._process.stdout):
            raise StartError("the console has no pipes")
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(ready), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise StartError("the console did not start (--console-port)")
        url: str = json.loads(line)["console_url"]
        return url

    def close(self) -> None:
        """Stop it, and release its port."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
