"""The operator: runs the command line, as a person would after an incident."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.soak.history import History
from tests.support.cloud import ROOT, Cloud

TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was run, its exit code, and what it printed."""

    at: float
    words: str
    code: int
    output: str


class Operator:
    """Runs commands on a cloud, in a folder that gets its files."""

    def __init__(self, cloud: Cloud, folder: Path, history: History) -> None:
        self._folder = folder
        self._history = history
        ready = {"http_url": cloud.http_url, "aws_url": cloud.aws_url, "region": cloud.region, "outputs": cloud.outputs}
        self._outputs = folder / "ready.json"
        self._outputs.write_text(json.dumps(ready), encoding="utf-8")
        self.commands: list[Command] = []

    def run(self, *words: str, answers: str = "") -> Command:
        """Run a command of ``python -m handlers.cli``."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
        began = self._history.now()
        done = subprocess.run(
            [sys.executable, "-m", "handlers.cli", "--outputs", str(self._outputs), *words],
            cwd=self._folder,
            env=environment | {"PYTHONPATH": str(ROOT), "COLUMNS": "160", "AWS_PROFILE": "none-such"},
            input=answers,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        command = Command(began, " ".join(words), done.returncode, done.stdout + done.stderr)
        self.commands.append(command)
        return command
