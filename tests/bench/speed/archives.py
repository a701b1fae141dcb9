"""Archives as Lambda would unpack them: a folder for the runtime's own packages, and one for each program that is measured.

Every folder is copied from the environment that runs the benchmark, with the bytecode of its Python or without any. A
program finds its own folder, the runtime's and the standard library, and nothing else.
"""

import compileall
import importlib.metadata
import py_compile
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

RUNTIME = ("awslambdaric", "boto3")
"""What Lambda's own Python image brings."""


def build(into: Path, packages: Iterable[str], sources: Iterable[Path] = (), *, bytecode: bool = True) -> Path:
    """Copy ``packages``, those alone, and ``sources`` into a new folder ``into``."""
    into.mkdir(parents=True)
    for name in packages:
        _copy_package(name, into)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, into / source.name, ignore=_NO_BYTECODE)
        else:
            shutil.copyfile(source, into / source.name)
    if bytecode:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(into, quiet=2, workers=1, invalidation_mode=mode)
    return into


def closure(names: Iterable[str]) -> list[str]:
    """``names`` and all that they need on this platform, without extras."""
    found: dict[str, None] = {}
    pending = list(names)
    while pending:
        name = _normal(pending.pop(0))
        if name in found:
            continue
        found[name] = None
        requirements = importlib.metadata.distribution(name).requires or []
        pending += [needed for line in requirements if (needed := _needed(line))]
    return list(found)


_NO_BYTECODE = shutil.ignore_patterns("__pycache__", "*.pyc")


def _needed(requirement: str) -> str | None:
    name, _, marker = requirement.partition(";")
    if marker and not _applies(marker):
        return None
    match = re.match(r"[A-Za-z0-9._-]+", name.strip())
    return match[0] if match else None


def _applies(marker: str) -> bool:
    from packaging.markers import Marker

    return Marker(marker.strip()).evaluate({"extra": ""})


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _copy_package(name: str, into: Path) -> None:
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or []:
        source = Path(str(distribution.locate_file(file)))
        if ".." in file.parts or file.suffix == ".pyc" or "__pycache__" in file.parts or not source.is_file():
            continue
        target = into / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def command(handler: str) -> list[str]:
    """The command that starts a program under Lambda's runtime client, with nothing of this environment in its path."""
    return [sys.executable, "-S", "-m", "awslambdaric", handler]
