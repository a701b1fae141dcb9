"""The archives built for an interpreter of this machine: Lambda's own version of Python where there is one."""

import functools
import os
import subprocess
import sys
from collections.abc import Mapping

from stack.local import sandbox
from stack.local.sandbox import Sandbox
from stack.packaging import archive


@functools.cache
def lambdas_python() -> str:
    """An interpreter of the version that Lambda runs, by its path; this one if there is none."""
    command = [f"python{archive.PYTHON_VERSION}", "-c", "import sys; print(sys.executable)"]
    environment = {**os.environ, "PYENV_VERSION": archive.PYTHON_VERSION}  # pyenv has one for each version, and wants it named
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return sys.executable
    return done.stdout.strip()


@functools.cache
def the_archives() -> Mapping[str, Sandbox]:
    """The archive of each entry point, as the local cloud's ``--packaged`` builds it; reused while its inputs are the same."""
    return sandbox.packaged(python=lambdas_python())
