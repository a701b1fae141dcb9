"""Loads regular expressions, dataclasses and named tuples that were compiled when the archive was built.

Python compiles them from text each time that it imports their module. Bytecode does not change that, because it holds the text.
So the build compiles them once more (stack/packaging/precompile.py), and here ``re``, ``dataclasses`` and ``collections`` get
the result by its text (docs/adr/0010). What is not in the table is compiled as usual.
"""

import _sre  # type: ignore[import-not-found]
import collections
import dataclasses
import marshal
import sys
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from re import _compiler  # type: ignore[attr-defined]
from types import CodeType
from typing import Any

_VERSIONS = f"{sys.implementation.cache_tag}-{int.from_bytes(MAGIC_NUMBER[:2], 'little')}-{_sre.MAGIC}"
TABLE = Path(__file__).with_name(f"precompiled.{_VERSIONS}.bin")
"""It exists in an archive only. Its name has the versions of Python, bytecode and patterns, so that no other Python uses it:
previews of Python 3.13 are ``cpython-313`` too, but have other bytecode."""


def use(table: Path = TABLE) -> None:
    """From now on, take what ``table`` holds instead of compiling it."""
    try:
        compiled = marshal.loads(table.read_bytes())  # noqa: S302 - part of the archive, like bytecode
    except FileNotFoundError:
        return
    compile_pattern = _compiler.compile

    def code(text: str, mode: str) -> CodeType:
        found = compiled.get(text)
        return marshal.loads(found) if found else compile_code(text, mode)  # noqa: S302

    def pattern(text: Any, flags: int = 0) -> Any:
        found = compiled.get((text, flags))
        return _sre.compile(*marshal.loads(found)) if found else compile_pattern(text, flags)  # noqa: S302

    replace_compilers(code, pattern)


def compile_code(text: str, mode: str) -> CodeType:
    """Compile as the builtin function of the name ``mode``, ``exec`` or ``eval``, does."""
    return compile(text, "<string>", mode, dont_inherit=True)


def replace_compilers(code: Callable[[str, str], CodeType], pattern: Callable[..., Any]) -> None:
    """Let dataclasses and named tuples get their code from ``code(text, mode)``, and ``re`` its patterns from ``pattern``."""
    # A module's variable comes before a builtin function of that name.
    vars(dataclasses)["exec"] = lambda text, *namespaces: exec(code(text, "exec"), *namespaces)  # noqa: S102
    vars(collections)["eval"] = lambda text, *namespaces: eval(code(text, "eval"), *namespaces)  # noqa: S307
    vars(_compiler)["compile"] = pattern
