"""Decides what a function's process runs: this checkout in this environment, or the built archive in isolation.

Isolated, it has what Lambda has: the archive's packages, and those of Lambda's Python runtime. An import of anything else
fails, as on Lambda.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lib.platform.contract import ALL_ENTRY_POINTS
from stack.packaging import archive

OF_THE_RUNTIME = frozenset(
    {"awslambdaric", "boto3", "botocore", "python-dateutil", "s3transfer", "simplejson", "six", "snapshot-restore-py"}
)
"""What the runtime has and the archives lack: its client, the AWS SDK, and what these need. (It has urllib3 and jmespath too;
the archive's versions come first.)"""

# Without the site module: no site-packages, no .pth file, no PYTHON variables. The archive precedes the runtime, and the image
# may have no time zones.
_IN_ISOLATION = """
import sys
archive, runtime, handler = sys.argv[1:]
sys.path[:0] = [archive]
sys.path.append(runtime)
import zoneinfo
zoneinfo.reset_tzpath(())
from awslambdaric.__main__ import main
main([sys.argv[0], handler])
"""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How a function's process is started.

    Attributes:
        command: the interpreter and its arguments, without the handler, which is the last.
        folder: its working directory and ``LAMBDA_TASK_ROOT``.
    """

    command: tuple[str, ...]
    folder: Path


CHECKOUT = Sandbox((sys.executable, "-m", "awslambdaric"), archive.ROOT)
CHECKOUTS: Mapping[str, Sandbox] = dict.fromkeys(ALL_ENTRY_POINTS, CHECKOUT)
"""This checkout, for every entry point."""


def packaged(into: Path = archive.BUILD / "packaged", *, python: str = sys.executable) -> Mapping[str, Sandbox]:
    """The archive of each entry point, built for an interpreter of this machine, and the packages of Lambda's runtime.

    Raises:
        PackageError: pip failed.
    """
    runtime = _runtime(into, python)
    boxes = {recipe: isolated(archive.build(into, recipe=recipe, python=python), runtime, python) for recipe in archive.RECIPES}
    return {entry_point: box for recipe, box in boxes.items() for entry_point in recipe.entry_points}


def isolated(folder: Path, runtime: Path, python: str) -> Sandbox:
    """A sandbox that runs an archive's ``folder`` under ``python``, with the packages of ``runtime`` and nothing else."""
    command = (python, "-I", "-S", "-B", "-u", "-c", _IN_ISOLATION, str(folder), str(runtime))
    return Sandbox(command, folder)


def _runtime(into: Path, python: str) -> Path:
    lines = (archive.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if archive.name_of(line) in OF_THE_RUNTIME]
    folder, stamp = into / "runtime", into / "runtime.inputs"
    inputs = "\n".join([python, *pins])
    with archive.alone(into):
        if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == inputs):
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            archive.install(pins, folder, python)
            stamp.write_text(inputs, encoding="utf-8")
    return folder
