"""``python -m handlers.cli`` run in this process: a process that imports it takes most of a second."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

from click.testing import CliRunner, Result

from handlers.cli.__main__ import cli
from tests.support.project.documentation import ROOT


def person() -> dict[str, str]:
    """The environment variables of a person without any settings for AWS or Pulumi."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}


def run_command(arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path = ROOT, typed: str = "") -> Result:
    """Run a command with exactly these environment variables, in a folder. ``typed`` is its standard input.

    An exception that the command line does not make a sentence of is raised.
    """
    with mock.patch.dict(os.environ, environment, clear=True), contextlib.chdir(folder):
        done = CliRunner().invoke(cli, list(arguments), input=typed, prog_name="cli")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done
