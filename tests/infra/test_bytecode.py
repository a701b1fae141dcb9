"""The bytecode of the archive: which Python may build it, its content, and that it is reproducible."""

import importlib.util
import marshal
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

from stack.packaging import bytecode

UNCHECKED_HASH = 0b01  # PEP 552: flags of a pyc


def sources(folder: Path) -> Path:
    for name, text in {
        "lib/platform/clock.py": "NAMES = frozenset({'a', 'b', 'c', 'd'})\ndef has(name): return name in {'x', 'y', 'z'}\n",
        "jira/client.py": "CLIENT = 1\n",
    }.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    return folder


def compiled(folder: Path) -> Path:
    [path] = (folder / "lib").rglob("*.pyc")
    return path


@pytest.fixture
def this_python() -> bytecode.Compiler:
    compiler = bytecode.find_compiler("any", sys.executable)
    assert compiler is not None
    return compiler


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(this_python: bytecode.Compiler, tmp_path: Path) -> None:
    one, other = sources(tmp_path / "one"), sources(tmp_path / "elsewhere" / "other")
    this_python.compile(one)
    this_python.compile(other)

    assert compiled(one).read_bytes() == compiled(other).read_bytes()


def test_bytecode_loads_without_its_source_and_names_lambdas_path(this_python: bytecode.Compiler, tmp_path: Path) -> None:
    this_python.compile(sources(tmp_path / "archive"))

    data = compiled(tmp_path / "archive").read_bytes()
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(data[4:8], "little") == UNCHECKED_HASH
    code = marshal.loads(data[16:])
    assert isinstance(code, CodeType)
    assert code.co_filename == "/var/task/lib/platform/clock.py"


def test_what_no_first_answer_needs_is_not_compiled(this_python: bytecode.Compiler, tmp_path: Path) -> None:
    this_python.compile(sources(tmp_path / "archive"))

    assert not list((tmp_path / "archive" / "jira").rglob("*.pyc"))


def test_this_python_compiles_if_it_has_lambdas_version() -> None:
    version = ".".join(platform.python_version_tuple()[:2])

    found = bytecode.find_compiler(version)

    assert found is not None
    assert found.executable == sys.executable
    assert platform.python_version() in found.build


def a_python(folder: Path, text: str, name: str = "python9.9") -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_another_python_of_that_version_on_path_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_python(tmp_path, "echo 9.9.1 CPython")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert bytecode.find_compiler("9.9") == bytecode.Compiler(str(tmp_path / "python9.9"), "9.9.1 CPython")


@pytest.mark.parametrize("text", ["echo 'command not found' >&2; exit 127", "echo 9.8.3 CPython"])
def test_a_shim_without_python_or_of_another_version_does_not_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    a_python(tmp_path, text)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert bytecode.find_compiler("9.9") is None


def test_the_command_for_the_makefile_prints_the_python_that_runs(tmp_path: Path) -> None:
    for folder, text in {"shim": "exit 127", "real": "echo 3.13.1 CPython"}.items():
        (tmp_path / folder).mkdir()
        a_python(tmp_path / folder, text, "python3.13")
    command = [sys.executable, "-m", "stack.packaging", "--python"]

    def printed(folder: str) -> str:
        environment = {**os.environ, "PATH": str(tmp_path / folder), "UV_PYTHON_DOWNLOADS": "never"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert printed("real") == f"{tmp_path}/real/python3.13\n"
    assert "shim" not in printed("shim")


def a_uv(folder: Path, install: str) -> Path:
    """A uv on PATH that keeps a log of what it is asked for, and whose ``python install`` runs ``install``."""
    program = folder / "uv"
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$2" >> {folder}/log\n'
        'python="$UV_PYTHON_INSTALL_DIR/python9.9"\n'
        f'case "$2" in install) {install} ;; find) test -x "$python" && echo "$python" ;; esac\n'
    )
    program.chmod(0o755)
    return folder / "log"


FETCHES = """mkdir -p "$UV_PYTHON_INSTALL_DIR"; printf '#!/bin/sh\\necho 9.9.4 CPython\\n' > "$python"; chmod 755 "$python" """


def test_uv_fetches_a_python_once_into_the_build_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, into = a_uv(tmp_path, FETCHES), tmp_path / "python"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    expected = bytecode.Compiler(str(into / "python9.9"), "9.9.4 CPython")
    assert bytecode.find_compiler("9.9", into=into) == expected
    bytecode._from_uv.cache_clear()
    assert bytecode.find_compiler("9.9", into=into) == expected
    assert log.read_text().split() == ["find", "install", "find", "find"]


def test_a_uv_without_network_is_run_once_per_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, into = a_uv(tmp_path, "exit 2"), tmp_path / "python"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert [bytecode.find_compiler("9.9", into=into) for _ in range(2)] == [None, None]
    assert log.read_text().split() == ["find", "install"]
