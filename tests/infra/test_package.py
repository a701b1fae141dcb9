"""The Lambda archives, built for real: what is in them, what is not, and the same bytes twice.

Needs the package registry, unless the archives of this code have been built before.
"""

import ast
import functools
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import cast

import pytest

from lib.platform.contract import ALL_ENTRY_POINTS
from stack.packaging import archive, bytecode
from stack.packaging.archive import Recipe, Summary
from tests.support.project.examples import THOROUGH

# Lambda's Python runtime brings boto3 and what that needs, and the hooks of SnapStart.
OF_THE_RUNTIME = {"boto3", "botocore", "snapshot_restore_py"}
ELF_AARCH64 = 183


@pytest.fixture(scope="module")
def folders() -> dict[Recipe, Path]:
    """The archives that a deployment of this code uses. They are built only if its code is not that of the last build."""
    return {recipe: archive.build(recipe=recipe) for recipe in archive.RECIPES}


@pytest.fixture(scope="module", params=archive.RECIPES, ids=lambda recipe: recipe.name)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return cast("Recipe", request.param)


@pytest.fixture(scope="module")
def folder(folders: dict[Recipe, Path], recipe: Recipe) -> Path:
    return folders[recipe]


@pytest.fixture(scope="module")
def summaries(folders: dict[Recipe, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Summary]:
    """The zip of each archive by its folder."""
    into = tmp_path_factory.mktemp("zip")
    return {folder: archive.write_zip(folder, into / f"{recipe.name}.zip") for recipe, folder in folders.items()}


@pytest.fixture(scope="module")
def summary(folder: Path, summaries: dict[Path, Summary]) -> Summary:
    return summaries[folder]


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def copy_packages(folder: Path, target: Path) -> None:
    """Copy what a build did not make itself, with the date of today."""
    for package in folder.iterdir():
        if package.is_file():
            shutil.copyfile(package, target / package.name)
        elif package.name not in {"lib", "handlers"}:
            shutil.copytree(
                package, target / package.name, ignore=shutil.ignore_patterns("*.pyc"), copy_function=shutil.copyfile
            )


@pytest.mark.parametrize("recipe", archive.RECIPES[:1], ids=lambda recipe: recipe.name, indirect=True)
def test_two_builds_make_the_same_zip_byte_for_byte(
    recipe: Recipe, folder: Path, summary: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default, the second build takes what pip unpacks from the first: the files of wheels of pinned versions. Everything
    after it is done again, elsewhere and later."""
    if not THOROUGH:
        monkeypatch.setattr(archive, "install", lambda pinned, target, python: copy_packages(folder, target))

    again = archive.build(tmp_path / "again", recipe=recipe)

    other = archive.write_zip(again, tmp_path / "other.zip")

    assert summary.sha256 == other.sha256
    assert summary.path.read_bytes() == other.path.read_bytes()


def test_the_zip_is_sorted_with_one_date_and_one_permission(folder: Path, summary: Summary) -> None:
    with zipfile.ZipFile(summary.path) as zipped:
        entries = zipped.infolist()
        assert zipped.testzip() is None
    assert [entry.filename for entry in entries] == sorted(names(folder))
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert (summary.files, summary.size) == (len(entries), summary.path.stat().st_size)
    assert summary.unpacked_size == sum(entry.file_size for entry in entries)


def test_the_archive_is_within_lambdas_limits(summary: Summary) -> None:
    assert summary.size < 50_000_000
    assert summary.unpacked_size < 250_000_000


def test_each_function_has_one_archive() -> None:
    assert sorted(name for recipe in archive.RECIPES for name in recipe.entry_points) == sorted(ALL_ENTRY_POINTS)


def test_an_archive_is_within_its_budget_without_boto3(recipe: Recipe, folder: Path, summary: Summary) -> None:
    print(f"{recipe.name}: {summary.unpacked_size / 1e6:.2f} MB unzipped, {summary.size / 1e6:.2f} MB zipped")
    assert archive.COMMON.max_unpacked_bytes == 15_000_000
    assert summary.unpacked_size < recipe.max_unpacked_bytes < 100_000_000
    assert not OF_THE_RUNTIME & {path.name for path in folder.iterdir()}


def modules(folder: Path) -> set[str]:
    return {name for name in names(folder) if name.startswith(("handlers/", "lib/")) and not name.endswith(".pyc")}


def test_the_common_archive_has_all_code_but_that_of_imports_and_of_people(folders: dict[Recipe, Path]) -> None:
    common = modules(folders[archive.COMMON])

    assert {f"handlers/{name}.py" for name in archive.COMMON.entry_points} < common
    assert {"lib/jira/run.schema.json", "lib/shuttle/api/blueprint.py", "lib/notifications/__init__.py"} < common
    assert not {"handlers/imports.py", "lib/shuttle/engine.py", "handlers/requirements.txt"} & common
    assert not [name for name in common if name.startswith(("handlers/cli/", "lib/operations/"))]


def test_the_archive_of_imports_has_the_engine_and_no_other_domain(folders: dict[Recipe, Path]) -> None:
    folder = folders[archive.IMPORTS]
    own = modules(folder)

    assert {"handlers/imports.py", "lib/platform/clock.py", "lib/shuttle/imports/worker.py"} < own
    domains = {name.split("/")[1] for name in own if name.startswith("lib/") and name.count("/") > 1}
    assert domains == {"platform", "shuttle"}
    assert not [name for name in own if name.startswith("lib/shuttle/api/")]
    assert (folder / "duckdb").is_dir()
    assert not {"flask", "jira", "slack_sdk"} & {path.name for path in folder.iterdir()}


def test_no_tests_caches_scripts_or_tools_are_in_the_archive(folder: Path) -> None:
    parts = {part for name in names(folder) for part in Path(name).parts}

    assert not parts & {"tests", "bin", "stack", ".pytest_cache"}
    assert not {part for part in parts if part.endswith(".pth")}
    top = {Path(name).parts[0] for name in names(folder)}
    assert not top & {"pulumi", "pulumi_aws", "moto", "pytest", "mypy", "rich", "hypothesis", "boto3", "botocore", "pip"}


def test_bytecode_is_for_lambdas_python_and_of_what_a_first_answer_imports(folder: Path) -> None:
    """None at all where no Python of Lambda's version is to be had (docs/adr/0010)."""
    there = [path.relative_to(folder) for path in folder.rglob("*.pyc")]

    assert bool(there) is (archive.find_compiler() is not None)
    assert bool(list(folder.glob("lib/platform/precompiled.cpython-313-*.bin"))) is bool(there)
    assert all(path.name.endswith(".cpython-313.pyc") for path in there)
    tops = {name.removesuffix(".py") for name in bytecode.PACKAGES}
    assert all(path.parts[0] in tops or path.name.partition(".")[0] in tops for path in there)


def test_every_excluded_module_exists() -> None:
    """Here, packages have the versions that functions have: test_project_files.py compares their pins."""
    packages = Path(sysconfig.get_path("purelib"))

    assert [name for name in archive.UNUSED if not (packages / name).exists()] == []


def test_compiled_modules_are_for_lambdas_python_and_processor(folder: Path) -> None:
    compiled = list(folder.rglob("*.so"))

    assert compiled
    for module in compiled:
        assert "cpython-313-aarch64" in module.name or "abi3" in module.name
        assert int.from_bytes(module.read_bytes()[18:20], "little") == ELF_AARCH64


def test_lambdas_own_user_may_read_everything(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


@functools.cache
def imports_of(file: Path) -> set[str]:
    """The top-level modules that a file imports, at any depth of its code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_every_import_is_in_the_archive_or_in_lambdas_runtime(folder: Path) -> None:
    shipped = {path.name.removesuffix(".py") for path in folder.iterdir()}
    own = [*(folder / "lib").rglob("*.py"), *(folder / "handlers").rglob("*.py")]

    needed = set().union(*(imports_of(file) for file in own))

    assert needed - shipped - OF_THE_RUNTIME - sys.stdlib_module_names == set()


def test_no_function_imports_a_module_that_is_not_shipped(folder: Path) -> None:
    unwanted = [name.encode() for name in archive.NOT_SHIPPED]
    for file in folder.rglob("*.py"):
        content = file.read_bytes()
        if any(name in content for name in unwanted):  # those that do not contain the name need not be parsed
            assert not imports_of(file) & archive.NOT_SHIPPED, file


def test_only_metadata_that_a_package_looks_up_is_in_the_archive(folder: Path) -> None:
    looked_up = {
        match
        for file in folder.rglob("*.py")
        for match in re.findall(r"metadata\.version\([\"'](\w+)[\"']\)", file.read_text(encoding="utf-8"))
    }

    kept = {path.relative_to(folder).as_posix() for path in folder.glob("*.dist-info/*")}
    assert looked_up <= archive.VERSION_READERS
    assert {name.partition("-")[0] for name in kept} == {name for name in archive.VERSION_READERS if (folder / name).is_dir()}
    assert {Path(name).name for name in kept} == {"METADATA"}


# Run by an interpreter that has nothing but its standard library and the archive. The archive's compiled modules are for
# another processor; each of the packages that have some does without them. Port 9 answers nobody.
FROM_THE_ARCHIVE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from types import SimpleNamespace
import fastjsonschema, flask, notifications_python_client, requests, slack_sdk, tenacity
from pathlib import Path
from typing import cast
from lib.platform import errors
from lib.jira.client import JiraClient

fits = fastjsonschema.compile(json.loads(Path(sys.argv[1], "lib/jira/run.schema.json").read_text()))
record = dict(run_id="r", git_sha="s", generated_at="2026-01-01T00:00:00.000-07:00", timezone="America/Phoenix", issues=[])
fits(record)
try:
    fits({**record, "timezone": "UTC"})
    refused = False
except fastjsonschema.JsonSchemaValueException:
    refused = True
token = SimpleNamespace(use=lambda call: call("hush"))
client = JiraClient("http://127.0.0.1:9", "switchboard@example.com", token, seconds_left=lambda: 0.1)
try:
    client.check_credentials()
except errors.SwitchboardError as error:
    said = type(error).__name__
print(json.dumps({"requests": requests.__version__, "refused": refused, "said": said, "path": sys.path[1:]}))
"""


def test_the_jira_client_and_run_records_work_from_the_archive_alone(folders: dict[Recipe, Path], tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", FROM_THE_ARCHIVE, str(folders[archive.COMMON])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    pins = (archive.ROOT / "handlers" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert f"requests=={printed['requests']}" in pins
    assert printed["refused"] is True
    assert printed["said"] == "UnavailableError"
    assert not [entry for entry in printed["path"] if "site-packages" in entry], "it was more than the archive"


def test_the_revision_is_the_checkouts_or_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    checkout.mkdir()
    elsewhere.mkdir()
    as_somebody = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run([*as_somebody, "init", "--quiet"], cwd=checkout, check=True)
    subprocess.run([*as_somebody, "commit", "--quiet", "--allow-empty", "--message", "first"], cwd=checkout, check=True)

    monkeypatch.setattr(archive, "ROOT", checkout)
    assert archive.git_sha() == (checkout / ".git/refs/heads" / branch_of(checkout)).read_text().strip()
    monkeypatch.setattr(archive, "ROOT", elsewhere)
    assert archive.git_sha() == "unknown"
    monkeypatch.setenv("PATH", str(elsewhere))  # no git at all
    assert archive.git_sha() == "unknown"


def branch_of(checkout: Path) -> str:
    return (checkout / ".git/HEAD").read_text().strip().removeprefix("ref: refs/heads/")


def test_make_package_shows_what_it_made(
    folders: dict[Recipe, Path],
    summaries: dict[Path, Summary],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made: list[tuple[Path, Path]] = []

    def write_zip(folder: Path, path: Path) -> Summary:
        made.append((folder, path))
        return summaries[folder]

    monkeypatch.setattr(archive, "build", lambda recipe, **_: folders[recipe])
    monkeypatch.setattr(archive, "write_zip", write_zip)
    monkeypatch.setattr(archive, "BUILD", tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    assert archive.main() == 0

    assert made == [(folder, tmp_path / f"switchboard-{recipe.name}.zip") for recipe, folder in folders.items()]
    shown = capsys.readouterr().out
    for summary in summaries.values():
        assert summary.sha256 in shown
        assert f"{summary.size / 1e6:.2f} MB" in shown
        assert str(summary.files) in shown
