"""Bytecode for the archive. Lambda's file system is read-only: without bytecode each cold start compiles what it imports, which
takes longer than everything else (docs/adr/0010). It must be compiled by a Python of Lambda's version.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    "aws_lambda_powertools",
    "awsgi",
    "blinker",
    "certifi",
    "charset_normalizer",
    "click.py",
    "duckdb",
    "flask",
    "handlers",
    "idna",
    "itsdangerous",
    "jinja2.py",
    "jmespath",
    "lib",
    "markupsafe",
    "requests",
    "tenacity",
    "typing_extensions.py",
    "urllib3",
    "werkzeug",
)
"""What a function imports before its first answer. The SDKs of Slack and GOV.UK Notify are not
compiled: nobody waits for the functions that use them."""

_RUNS_IN = "/var/task"  # where Lambda unpacks an archive, for the file names in tracebacks


@dataclass(frozen=True, slots=True)
class Compiler:
    """A Python that compiles. ``build`` distinguishes Pythons whose bytecode may differ."""

    executable: str
    build: str

    def compile(self, folder: Path) -> None:
        """Compile those of :data:`PACKAGES` that are in ``folder``.

        The bytecode is not checked against its source, since the dates in an archive are fixed. With one process and one hash
        seed the same sources give the same bytes: sets of constants are written in the order of their hashes.

        Raises:
            CalledProcessError: it can't be compiled.
        """
        present = [str(folder / name) for name in PACKAGES if (folder / name).exists()]
        subprocess.run(  # noqa: S603 (a Python that was found before)
            [
                *(self.executable, "-P", "-m", "compileall", "-q", "-j", "1"),
                *("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", _RUNS_IN, *present),
            ],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            check=True,
            capture_output=True,
        )


def find_compiler(version: str, python: str = "") -> Compiler | None:
    """A Python of ``version`` (``3.13``): this one, or one on PATH. With ``python``, only that one."""
    candidates = [python] if python else [sys.executable, shutil.which(f"python{version}")]
    for candidate in candidates:
        build = _build_of(candidate) if candidate else None
        if candidate and build and (python or build.startswith(f"{version}.")):
            return Compiler(candidate, build)
    return None


def _build_of(python: str) -> str | None:
    """The exact version of an interpreter; None if it does not run, like a shim without a Python behind it."""
    command = [python, "-I", "-c", "import platform; print(platform.python_version(), platform.python_implementation())"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
