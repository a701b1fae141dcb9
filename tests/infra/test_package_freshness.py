"""When the archive is built and when it is reused, what an interrupted build leaves, and what a failed one says.

pip is replaced, but where its failure is the point, and so is what else is made and not copied (their own tests:
test_bytecode.py and test_aws_models.py).
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stack.packaging import archive, aws_models, bytecode
from stack.packaging.archive import PackageError, Recipe


class Pip:
    """A fake of pip: notes the calls, installs one file, and can fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: BaseException | None = None

    def __call__(self, requirements: Path, target: Path, python: str) -> None:
        self.calls += 1
        (target / "installed.py").write_text(requirements.read_text())
        if self.error is not None:
            raise self.error


class Compiler:
    """A fake of a Python that compiles: leaves a file of each kind."""

    build = "3.13.1 CPython"

    def compile(self, folder: Path) -> None:
        (folder / "bytecode.pyc").write_text(self.build)

    def precompile(self, folder: Path) -> None:
        (folder / "table.bin").write_text(self.build)


COMPILER = Compiler()


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    monkeypatch.setattr(archive, "_install", pip)
    monkeypatch.setattr(aws_models, "write", lambda folder: None)
    monkeypatch.setattr(bytecode, "find_compiler", lambda *_: COMPILER)
    return pip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in {
        "handlers/requirements.txt": "flask==3.1.3",
        "handlers/health.py": "import lib.platform.clock, lib.watch\nfrom lib.jira import runs",
        "handlers/imports.py": "IMPORTS = 1",
        "handlers/cli/__main__.py": "CLI = 1",
        "handlers/cli/prune.py": "PRUNE = 1",
        "lib/platform/clock.py": "CLOCK = 1",
        "lib/jira/runs.py": "RUNS = 1",
        "lib/jira/run.schema.json": "{}",
        "lib/jira/notes.txt": "for people",
        "lib/__pycache__/clock.pyc": "compiled",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


SOURCES = {"handlers/health.py", "lib/watch.py", "lib/jira/runs.py", "lib/jira/run.schema.json"}
RECIPE = Recipe(name="lambda", entry_points=("health",), requirements="requirements.txt", max_unpacked_bytes=1)


def built(root: Path) -> dict[str, str]:
    folder = archive.build(root / "build", root=root, recipe=RECIPE)
    assert folder == root / "build" / "lambda"
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_wheels_and_sources_and_no_earlier_build(root: Path, pip: Pip) -> None:
    built(root)
    (root / "lib/platform/clock.py").rename(root / "lib/watch.py")

    assert built(root).keys() == {"installed.py", "bytecode.pyc", "table.bin", *SOURCES}


def test_unchanged_inputs_are_not_built_again(root: Path, pip: Pip) -> None:
    assert built(root) == built(root)

    assert pip.calls == 1


@pytest.mark.parametrize(
    "changed",
    ["handlers/requirements.txt", "handlers/health.py", "lib/platform/clock.py", "lib/watch.py", "lib/jira/run.schema.json"],
)
def test_a_changed_input_is_rebuilt(root: Path, pip: Pip, changed: str) -> None:
    built(root)
    (root / changed).write_text("changed = 2")

    assert "changed = 2" in built(root).values()
    assert pip.calls == 2


def test_files_outside_the_archive_are_not_inputs(root: Path, pip: Pip) -> None:
    built(root)
    (root / "handlers/cli/__main__.py").write_text("CLI = 2")
    (root / "handlers/cli/prune.py").write_text("PRUNE = 2")
    (root / "handlers/imports.py").write_text("IMPORTS = 2")
    (root / "lib/new.py").write_text("NEW = 1")
    (root / "lib/jira/notes.txt").write_text("for people, again")
    (root / "lib/__pycache__/clock.pyc").write_text("compiled again")

    built(root)

    assert pip.calls == 1


def test_the_archive_for_another_interpreter_is_rebuilt(root: Path, pip: Pip) -> None:
    for python in ("", "python3.12", "python3.13", "python3.13"):
        archive.build(root / "build", root=root, recipe=RECIPE, python=python)

    assert pip.calls == 3


def test_bytecode_of_another_python_is_recompiled(root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    built(root)
    monkeypatch.setattr(COMPILER, "build", "3.13.2 CPython", raising=False)

    assert built(root)["bytecode.pyc"] == "3.13.2 CPython"
    assert pip.calls == 2


def test_without_lambdas_python_an_archive_has_no_bytecode(root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "find_compiler", lambda *_: None)
    heard: list[str] = []

    folder = archive.build(root / "build", root=root, recipe=RECIPE, log=heard.append)

    assert not list(folder.rglob("*.pyc"))
    assert heard == ["Building the archive lambda"]


def test_the_program_warns_of_missing_bytecode_at_every_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "build", lambda **_: tmp_path)
    monkeypatch.setattr(bytecode, "find_compiler", lambda *_: None)
    warned: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", warned.append)

    archive.archives()
    monkeypatch.setattr(bytecode, "find_compiler", lambda *_: COMPILER)
    archive.archives()

    assert warned == [archive.NO_BYTECODE]


def test_two_builds_at_once_are_one_build(root: Path, pip: Pip) -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        one, other = pool.map(lambda _: archive.build(root / "build", root=root, recipe=RECIPE), range(2))

    assert one == other
    assert pip.calls == 1


def test_a_build_is_announced_and_a_reuse_is_not(root: Path, pip: Pip) -> None:
    heard: list[str] = []

    archive.build(root / "build", root=root, recipe=RECIPE, log=heard.append)
    archive.build(root / "build", root=root, recipe=RECIPE, log=heard.append)

    assert heard == ["Building the archive lambda"]


@pytest.mark.parametrize("step", ["_install", "_set_permissions"])
def test_an_interrupted_build_keeps_the_old_archive_and_the_next_is_whole(
    root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = built(root)
    (root / "lib/platform/clock.py").write_text("CLOCK = 2")
    with monkeypatch.context() as interrupted:
        interrupted.setattr(archive, step, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            built(root)
    standing = root / "build" / "lambda"
    assert {path.relative_to(standing).as_posix() for path in standing.rglob("*") if path.is_file()} == before.keys()

    assert built(root)["lib/platform/clock.py"] == "CLOCK = 2"
    assert sorted(path.name for path in (root / "build").iterdir()) == ["lambda", "lambda.inputs", "lambda.lock"]


def test_an_archive_without_its_stamp_is_not_reused(root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    built(root)
    (root / "lib/platform/clock.py").write_text("CLOCK = 2")
    with monkeypatch.context() as dying:
        dying.setattr(Path, "write_text", die)
        dying.setattr(archive, "_install", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            archive.build(root / "build", root=root, recipe=RECIPE)

    (root / "lib/platform/clock.py").write_text("CLOCK = 1")
    assert built(root)["lib/platform/clock.py"] == "CLOCK = 1"


def test_an_unreachable_registry_is_reported_in_one_sentence(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    (root / "handlers/requirements.txt").write_text("a-package-that-is-cached-nowhere==1.0")

    with pytest.raises(PackageError) as failed:
        archive.build(root / "build", root=root, recipe=RECIPE)

    assert str(failed.value) == "The Lambda archive could not be built: pip can't reach the package registry."
    assert not (root / "build" / "lambda").exists()


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement docopt==0.6.2 (from versions: none)\n"
            "ERROR: No matching distribution found for docopt==0.6.2\n",
            "pip finds no wheel of docopt==0.6.2 for Python 3.13 on arm64",
        ),
        ("ERROR: Invalid requirement: 'flask=3'\n", "pip says \"Invalid requirement: 'flask=3'\"."),
        ("/usr/bin/python: No module named pip\n", "pip says '/usr/bin/python: No module named pip'."),
        ("", "pip says 'nothing'."),
    ],
)
def test_a_failure_of_pip_is_reported_in_one_sentence(stderr: str, said: str) -> None:
    sentence = archive._explain(stderr)

    assert sentence.startswith("The Lambda archive could not be built: ")
    assert said in sentence
    assert "\n" not in sentence
