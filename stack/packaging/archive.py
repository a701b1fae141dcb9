"""Builds the archives that the functions run from. The function ``imports`` has its own: its engine is five times as large as
everything else together.

An archive holds pinned wheels for Lambda's arm64 Python 3.13, the modules of handlers/ and lib/ that its functions import,
their bytecode, and the AWS models that botocore reads. It is built when its inputs changed; the same inputs and the same Python
give the same bytes.

``pulumi up`` calls :func:`archives`; ``make package`` also writes a zip next to each folder.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import botocore
import pulumi

from lib.platform.contract import ALL_ENTRY_POINTS
from stack.packaging import aws_models, bytecode, precompile, sources, stand_ins

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"

PYTHON_VERSION = "3.13"
# Newest first; Amazon Linux 2023 has glibc 2.34, so all of them run.
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64", "manylinux_2_17_aarch64")

NOT_SHIPPED = frozenset({"docopt"})
"""Pinned but left out: notifications-python-client needs docopt only for a script, and docopt has no wheel."""

UNUSED = (
    "aws_lambda_powertools/event_handler",
    *(
        f"aws_lambda_powertools/utilities/{name}"
        for name in (
            *("auth_alpha", "batch", "circuit_breaker", "data_classes", "data_masking", "feature_flags", "idempotency"),
            *("kafka", "metadata", "parameters", "parser", "serialization.py", "streaming", "validation"),
        )
    ),
    *("_duckdb-stubs", "adbc_driver_duckdb", "duckdb/experimental"),
    "slack",
    *(f"slack_sdk/{name}" for name in ("audit_logs", "oauth", "rtm_v2", "scim", "socket_mode")),
    *stand_ins.REPLACED,
)
"""Parts of packages that nothing imports, or only what a stand-in replaces: a third of what pip installs for most functions."""

VERSION_READERS = frozenset({"duckdb", "flask", "itsdangerous", "markupsafe", "werkzeug"})
"""Packages that read their own version from their metadata; the metadata of others is left out."""

_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold

NO_BYTECODE = (
    f"No Python {PYTHON_VERSION} was found, and uv could not fetch one: the archives have no bytecode, so that each cold start "
    "takes 2.2 times that of a bare boto3 client instead of 0.9 times (docs/adr/0010)."
)
Log = Callable[[str], None]


class PackageError(pulumi.RunError):
    """The archive could not be built. The text is one sentence; the CLI prints it without a stack trace."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an archive is made of.

    Attributes:
        name: its folder in build/; ``switchboard-<name>.zip`` is its zip.
        entry_points: the functions that run from it.
        requirements: the file in handlers/ that pins its packages.
        max_unpacked_bytes: our own budget, far below Lambda's limit: unpacking is part of every cold start (docs/adr/0004).
    """

    name: str
    entry_points: tuple[str, ...]
    requirements: str
    max_unpacked_bytes: int


IMPORTS = Recipe(
    name="lambda-imports",
    entry_points=("imports",),
    requirements="requirements-imports.txt",
    max_unpacked_bytes=75_000_000,
)
COMMON = Recipe(
    name="lambda",
    entry_points=tuple(name for name in ALL_ENTRY_POINTS if name not in IMPORTS.entry_points),
    requirements="requirements.txt",
    max_unpacked_bytes=15_000_000,
)
RECIPES = (COMMON, IMPORTS)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A zip that was written. Sizes in bytes."""

    path: Path
    size: int
    unpacked_size: int
    files: int
    sha256: str


def archives() -> dict[str, pulumi.Archive]:
    """The archive of each entry point for Pulumi, rebuilt if its inputs changed. Warns if archives have no bytecode.

    Raises:
        PackageError: pip failed.
    """
    if find_compiler() is None:
        pulumi.log.warn(NO_BYTECODE)
    codes = {recipe: pulumi.FileArchive(str(build(recipe=recipe, log=pulumi.log.info))) for recipe in RECIPES}
    return {entry_point: code for recipe, code in codes.items() for entry_point in recipe.entry_points}


def version() -> str:
    """Switchboard's version, from pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def git_sha() -> str:
    """The revision of the sources, for run records; ``unknown`` outside of a git checkout."""
    try:
        command = ["git", "rev-parse", "HEAD"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def build(
    into: Path = BUILD, *, recipe: Recipe = COMMON, root: Path = ROOT, log: Log = lambda _: None, python: str = ""
) -> Path:
    """Build an archive's folder in ``into`` from the sources in ``root``, unless it exists and was built from the same inputs.

    It is built in a temporary folder and then moved. Its stamp is deleted first and written last, so that the remains of an
    interrupted build never count as finished.

    Args:
        into: the folder to build in.
        recipe: what the archive is made of.
        root: the folder of the sources.
        log: is called when a build begins.
        python: an interpreter of this machine that will run the archive; by default it is for Lambda.

    Raises:
        PackageError: pip failed.
    """
    folder, stamp = into / recipe.name, into / f"{recipe.name}.inputs"
    compiler = find_compiler(python)
    with alone(into):
        inputs = " ".join((_inputs(recipe, root), python, compiler.build if compiler else "no bytecode"))
        if folder.is_dir() and stamp.is_file() and stamp.read_text(encoding="utf-8") == inputs:
            return folder
        log(f"Building the archive {recipe.name}")
        with tempfile.TemporaryDirectory(prefix="lambda-", dir=into) as scratch:
            fresh = Path(scratch) / "lambda"
            fresh.mkdir()
            _install(root / "handlers" / recipe.requirements, fresh, python)
            _prune(fresh)
            stand_ins.write(fresh)
            for source in sources.needed_by(recipe.entry_points, root):
                target = fresh / source.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            aws_models.write(fresh)
            if compiler is not None:
                compiler.compile(fresh)
                compiler.precompile(fresh)
            _set_permissions(fresh)
            stamp.unlink(missing_ok=True)
            if folder.exists():
                folder.rename(Path(scratch) / "old")
            fresh.rename(folder)
            stamp.write_text(inputs, encoding="utf-8")
    return folder


def find_compiler(python: str = "") -> bytecode.Compiler | None:
    """The Python that compiles for Lambda, or for the interpreter ``python`` of this machine; None if there is none."""
    return bytecode.find_compiler(PYTHON_VERSION, python, BUILD / "python")


def write_zip(folder: Path, path: Path) -> Summary:
    """Zip ``folder`` to ``path``: sorted names, one fixed date, one fixed permission."""
    unpacked_size = 0
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    partial = path.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _FIXED_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = 0o100644 << 16
            content = file.read_bytes()
            unpacked_size += len(content)
            target.writestr(entry, content)
    partial.replace(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Summary(path=path, size=path.stat().st_size, unpacked_size=unpacked_size, files=len(files), sha256=digest)


@contextlib.contextmanager
def alone(into: Path) -> Iterator[None]:
    """Hold the lock of ``into``, so that concurrent builds wait for each other."""
    into.mkdir(parents=True, exist_ok=True)
    with (into / "lambda.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _inputs(recipe: Recipe, root: Path) -> str:
    """A hash of everything that determines the content of the archive, including this code."""
    digest = hashlib.sha256(botocore.__version__.encode())
    code = [
        Path(__file__),
        Path(aws_models.__file__),
        Path(bytecode.__file__),
        Path(precompile.__file__),
        Path(sources.__file__),
        Path(stand_ins.__file__),
    ]
    for file in [*code, root / "handlers" / recipe.requirements, *sources.needed_by(recipe.entry_points, root)]:
        name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
        content = file.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _install(requirements: Path, target: Path, python: str) -> None:
    install(
        [line for line in requirements.read_text(encoding="utf-8").splitlines() if name_of(line) not in NOT_SHIPPED],
        target,
        python,
    )


def name_of(pin: str) -> str:
    """The package that a line of a requirements file pins."""
    return re.split(r"[=\s;]", pin, maxsplit=1)[0]


def install(pinned: Iterable[str], target: Path, python: str = "") -> None:
    """Unpack the wheels of ``pinned`` into the folder ``target``: those for Lambda, or for the interpreter ``python``.

    Raises:
        PackageError: pip failed.
    """
    pins = target.with_suffix(".txt")
    pins.write_text("\n".join(pinned), encoding="utf-8")
    of_lambda = [
        *("--implementation", "cp", "--python-version", PYTHON_VERSION),
        *(option for platform in PLATFORMS for option in ("--platform", platform)),
    ]
    command = [
        *(sys.executable, "-m", "pip", *(("--python", python) if python else ())),
        *("install", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--requirement", str(pins), "--target", str(target), "--no-compile", "--only-binary", ":all:"),
        "--no-deps",  # everything is pinned, including dependencies
        *(() if python else of_lambda),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own interpreter)
    if result.returncode != 0:
        raise PackageError(_explain(result.stderr))


def _explain(stderr: str) -> str:
    """pip's error in one sentence."""
    failed = "The Lambda archive could not be built:"
    if re.search(r"NewConnectionError|ConnectTimeoutError|NameResolutionError|ProxyError|ReadTimeoutError", stderr):
        return f"{failed} pip can't reach the package registry."
    missing = re.search(r"No matching distribution found for (\S+)", stderr)
    if missing:
        # Without retries, pip reports an unreachable registry in the same way.
        return (
            f"{failed} pip finds no wheel of {missing[1]} for Python {PYTHON_VERSION} on arm64, "
            "or can't reach the package registry."
        )
    errors = [line.removeprefix("ERROR: ").rstrip(".") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return f"{failed} pip says {(errors or stderr.strip().splitlines() or ['nothing'])[-1]!r}."


def _prune(folder: Path) -> None:
    """Delete what a function never needs: scripts, tests, caches, and metadata that nothing reads."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and path.name in {"__pycache__", "tests"}:
            shutil.rmtree(path)
    for name in UNUSED:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for metadata in folder.glob("*.dist-info"):
        keep = metadata.name.partition("-")[0].lower() in VERSION_READERS
        for path in metadata.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif not (keep and path.name == "METADATA"):
                path.unlink()
        if not keep:
            metadata.rmdir()


def _set_permissions(folder: Path) -> None:
    """Make everything readable for Lambda's user, with any umask of this machine."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def main() -> int:
    """Build the zips and print a summary of each. Returns the exit code."""
    from rich.console import Console  # noqa: PLC0415 (pulumi up needs none of it)
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    if find_compiler() is None:
        Console(stderr=True).print(NO_BYTECODE, style="yellow", highlight=False)
    for recipe in RECIPES:
        try:
            folder = build(recipe=recipe, log=console.print)
        except PackageError as error:
            Console(stderr=True).print(str(error), style="red", highlight=False)
            return 1
        made = write_zip(folder, BUILD / f"switchboard-{recipe.name}.zip")
        budget = f"budget: {recipe.max_unpacked_bytes / 1e6:.0f} MB, Lambda's limit: 250 MB"
        table = Table(title=f"Archive of {', '.join(recipe.entry_points)}", show_header=False)
        table.add_row("file", os.path.relpath(made.path))
        table.add_row("zipped", f"{made.size / 1e6:.2f} MB (Lambda's limit: 50 MB)")
        table.add_row("unzipped", f"{made.unpacked_size / 1e6:.2f} MB ({budget})")
        table.add_row("files", str(made.files))
        table.add_row("SHA-256", made.sha256)
        console.print(table)
    return 0
