"""Compiles the bytecode of the archive, with a Python of Lambda's version. Lambda's file system is read-only: without bytecode,
each cold start compiles what it imports, which takes longer than everything else (docs/adr/0010).
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stack.packaging import precompile

PACKAGES = (
    "aws_lambda_powertools",
    "awsgi",
    "blinker",
    "certifi",
    "charset_normalizer",
    "click.py",
    "duckdb",
    "fastjsonschema",
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
"""The packages that a function imports before its first answer. The SDKs of Slack and GOV.UK Notify are not compiled: nobody
waits for the functions that use them."""

OF_THE_RUNTIME = ("botocore", "dateutil", "jmespath", "six", "urllib3")
"""The packages of Lambda's runtime that lib/ imports."""

_FETCH_SECONDS = 180
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

    def precompile(self, folder: Path) -> None:
        """Write what Python compiles from text when it imports the modules of ``folder`` (lib/platform/precompiled.py).

        Raises:
            CalledProcessError: it can't be compiled.
        """
        with tempfile.TemporaryDirectory(prefix="runtime-") as runtime:
            for name in OF_THE_RUNTIME:
                source = _source_of(name)
                (Path(runtime) / source.name).symlink_to(source)
            subprocess.run(  # noqa: S603 (a Python that was found before)
                [self.executable, "-B", "-P", "-s", precompile.__file__, str(folder), runtime],
                env={**os.environ, "PYTHONHASHSEED": "0"},
                check=True,
                capture_output=True,
            )


def find_compiler(version: str, python: str = "", into: Path | None = None) -> Compiler | None:
    """A Python of ``version`` (``3.13``): this one, one on PATH, or one that uv has in the folder ``into`` or fetches into it.

    With ``python``, only that one. UV_OFFLINE and UV_PYTHON_DOWNLOADS=never keep uv from the network.
    """
    if python:
        build = _build_of(python)
        return Compiler(python, build) if build else None
    from_uv = (lambda: _from_uv(version, into)) if into else (lambda: None)
    finders: tuple[Callable[[], str | None], ...] = (lambda: sys.executable, lambda: shutil.which(f"python{version}"), from_uv)
    for find in finders:
        candidate = find()
        build = _build_of(candidate) if candidate else None
        if candidate and build and build.startswith(f"{version}."):
            return Compiler(candidate, build)
    return None


def _source_of(name: str) -> Path:
    """The folder or the file of an installed package."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    path = Path(spec.origin)
    return path.parent if spec.submodule_search_locations else path


@functools.cache  # one attempt per process, for all archives
def _from_uv(version: str, into: Path) -> str | None:
    """A Python that uv keeps in ``into``, fetched if it is not there yet; None if there is no uv, or no network."""
    beside = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or (str(beside) if beside.is_file() else None)
    if uv is None:
        return None
    environment = {**os.environ, "UV_PYTHON_INSTALL_DIR": str(into)}

    def run(*arguments: str) -> str | None:
        command = [uv, "python", *arguments, version]
        try:
            done = subprocess.run(  # noqa: S603 (uv was found before)
                command, env=environment, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    find = ("find", "--managed-python", "--no-project")
    found = run(*find)
    if not found and run("install", "--no-bin") is not None:
        found = run(*find)
    return found or None


def _build_of(python: str) -> str | None:
    """The exact version of an interpreter; None if it does not run, such as a shim without an installed Python."""
    command = [python, "-I", "-c", "import platform; print(platform.python_version(), platform.python_implementation())"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
