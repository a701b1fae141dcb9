"""Finds the source files that an archive needs: all modules that its entry points import, directly or indirectly."""

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

_TOPS = ("handlers", "lib")


def needed_by(entry_points: Iterable[str], root: Path) -> list[Path]:
    """The files of handlers/ and lib/ below ``root`` that these modules of handlers/ need, sorted.

    A module that is imported for its types only is not among them. JSON files beside a module belong to it.
    """
    found: set[Path] = set()
    left = {root / "handlers" / f"{entry_point}.py" for entry_point in entry_points}
    while left:
        file = left.pop()
        found.add(file)
        left |= set(_imported_by(file, root)) - found
    return sorted(found | {data for folder in {file.parent for file in found} for data in folder.glob("*.json")})


def _imported_by(file: Path, root: Path) -> Iterator[Path]:
    """The files that are run when ``file`` is: the packages it is in, and what it imports with their packages."""
    yield from _files_of(file.relative_to(root).with_suffix("").parts[:-1], root)
    for parts in _names_in(file.read_bytes()):
        yield from _files_of(parts, root)


@functools.lru_cache(maxsize=1024)  # by content: each archive is looked up at every start, and they share most modules
def _names_in(source: bytes) -> frozenset[tuple[str, ...]]:
    """The names of our modules that a module imports, split at the dots."""
    names: set[str] = set()
    for node in _executed(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(parts for parts in (tuple(name.split(".")) for name in names) if parts[0] in _TOPS)


def _files_of(parts: tuple[str, ...], root: Path) -> Iterator[Path]:
    """The module of a name, if there is one, and its packages: the last part may be a name in a module."""
    for length in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:length])
        yield from (each for each in (path / "__init__.py", path.with_suffix(".py")) if each.is_file())


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """``node`` and the statements below it, without what only type checkers read."""
    left = [node]
    while left:
        node = left.pop()
        yield node
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            left += node.orelse
        elif not isinstance(node, ast.expr):  # an expression imports nothing
            left += ast.iter_child_nodes(node)
