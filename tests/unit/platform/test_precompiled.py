"""The table of compiled texts: the same classes and patterns as without it, and nothing compiled that it holds."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.platform import precompiled
from stack.packaging.bytecode import Compiler

MODULE = '''
import collections, dataclasses, re, typing

@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Point:
    """A point."""
    x: int
    names: list[str] = dataclasses.field(default_factory=list, compare=False)

@dataclasses.dataclass(kw_only=True)
class Line:
    start: Point
    end: Point = Point(9)

class Row(typing.NamedTuple):
    key: str
    count: int = 1

Pair = collections.namedtuple("Pair", "left right")
PATTERNS = (
    re.compile(r"(?P<key>[A-Z]+)-(\\d+)", re.IGNORECASE),
    re.compile(rb"a+?(?=b)"),
    re.compile("[ä-ž☃]{2,}", re.VERBOSE),
)
'''
FACTS = """
point = Point(1, ["a"])
print(point, point == Point(1), point < Point(2), hash(point), Point.__slots__, Point.__init__.__annotations__)
print(Line(start=point), Row("k"), Row("k", 2)._asdict(), Pair(1, right=2))
for pattern, text in zip(PATTERNS, ("see ops-12", b"xaab", "☃ä")):
    print(pattern, pattern.flags, pattern.groupindex, pattern.search(text), pattern.sub(text[:1], text))
try:
    point.x = 2
except dataclasses.FrozenInstanceError as error:
    print(error)
"""
COMPILES_NOTHING = """
from re import _compiler
from lib.platform import precompiled

def fail(*arguments):
    raise AssertionError(arguments)

_compiler.compile = precompiled.compile_code = fail
precompiled.use()
"""


def printed(archive: Path, script: str) -> str:
    command = [sys.executable, "-B", "-c", script]
    return subprocess.run(command, cwd=archive, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    (folder / "lib/platform").mkdir(parents=True)
    (folder / "lib/sample.py").write_text(MODULE)
    (folder / "lib/foreign.py").write_text("import a_library_for_another_machine")
    shutil.copy(precompiled.__file__, folder / "lib/platform")
    Compiler(sys.executable, "this Python").precompile(folder)
    return folder


def test_what_the_table_holds_is_not_compiled_and_works_alike(archive: Path) -> None:
    sample = "import dataclasses\nfrom lib.sample import *\n" + FACTS

    assert printed(archive, COMPILES_NOTHING + sample) == printed(archive, sample) != ""


def test_what_the_table_lacks_is_compiled(archive: Path) -> None:
    script = (
        "from lib.platform import precompiled; precompiled.use()\n"
        "import dataclasses, re, collections\n"
        "print(re.compile('(n)ew').search('a new one'), collections.namedtuple('New', 'field')(1),\n"
        "      dataclasses.make_dataclass('Other', ['field'])(2))"
    )

    assert printed(archive, script) == "<re.Match object; span=(2, 5), match='new'> New(field=1) Other(field=2)\n"


def test_without_a_table_nothing_is_replaced(tmp_path: Path) -> None:
    precompiled.use(tmp_path / "absent.bin")

    assert "exec" not in vars(dataclasses)


@pytest.mark.parametrize(
    "other",
    [
        "sys.implementation.cache_tag = 'cpython-399'",
        "importlib.util.MAGIC_NUMBER = b'\\x01\\x0c\\r\\n'",
        "_sre.MAGIC += 1",
    ],
)
def test_another_python_does_not_use_the_table(archive: Path, other: str) -> None:
    script = (
        f"import _sre, dataclasses, importlib.util, sys\n{other}\n"
        "from lib.platform import precompiled; precompiled.use()\n"
        "print('exec' in vars(dataclasses))"
    )

    assert printed(archive, script) == "False\n"
