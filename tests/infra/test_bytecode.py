"""The bytecode of the archive: which Python may build it, its content, and that it is reproducible."""

import importlib.util
import marshal
import platform
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


def test_this_python_compiles_if_it_is_of_lambdas_version() -> None:
    version = ".".join(platform.python_version_tuple()[:2])

    found = bytecode.find_compiler(version)

    assert found is not None
    assert found.executable == sys.executable
    assert platform.python_version() in found.build


def a_python(folder: Path, text: str) -> None:
    program = folder / "python9.9"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_another_of_that_version_on_path_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_python(tmp_path, "echo 9.9.1 CPython")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert bytecode.find_compiler("9.9") == bytecode.Compiler(str(tmp_path / "python9.9"), "9.9.1 CPython")


@pytest.mark.parametrize("text", ["echo 'command not found' >&2; exit 127", "echo 9.8.3 CPython"])
def test_a_shim_without_anything_behind_it_or_of_another_version_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    a_python(tmp_path, text)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert bytecode.find_compiler("9.9") is None
