"""Applies edits of the functions' sources (``up --reload``): the next call of a function that uses an edited file runs the new
code. Calls in progress end on the old code. A file that does not parse changes nothing until it is fixed.

There is no thread: calls check for edits, at most once per second, which takes a few milliseconds.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stack.local.functions import FunctionHost
from stack.packaging import sources

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("handlers", "lib", "stack")
_SUFFIXES = (".py", ".json")
_PAUSE_SECONDS = 1.0


class Reloader:
    """Watches the sources of some functions.

    Args:
        hosts: the functions.
        root: the checkout.
        pause_seconds: between two checks.
    """

    def __init__(self, hosts: Iterable[FunctionHost], root: Path = ROOT, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._hosts = list(hosts)
        self._root = root
        self._pause_seconds = pause_seconds
        self._lock = threading.Lock()
        self._seen = _snapshot(root)
        self._looked_at = time.monotonic()
        self._edited: set[Path] = set()
        """Edits that are not applied yet, because a file does not parse."""

    def apply_edits(self) -> None:
        """Replace the processes of the functions whose sources have changed, and print what happened on standard error."""
        with self._lock:
            if time.monotonic() - self._looked_at < self._pause_seconds:
                return
            self._looked_at = time.monotonic()
            now = _snapshot(self._root)
            changed = {file for file in now.keys() | self._seen.keys() if now.get(file) != self._seen.get(file)}
            if not changed:
                return
            self._seen = now
            self._edited |= changed
            for file in sorted(changed):
                if file.relative_to(self._root).parts[0] == "stack":
                    _say(f"{self._name(file)} changed: restart the local cloud to apply it")
            errors = [error for file in sorted(self._edited & now.keys()) if (error := self._error_in(file))]
            for error in errors:
                _say(f"{error}: the functions keep running the previous code")
            if not errors:
                self._renew()

    def _renew(self) -> None:
        edited, self._edited = {file for file in self._edited if file.relative_to(self._root).parts[0] != "stack"}, set()
        if not edited:
            return
        users = [
            host for host in self._hosts if host.pids and edited & {*sources.needed_by([host.spec.entry_point], self._root)}
        ]
        for host in users:
            host.renew()
        names = ", ".join(host.spec.entry_point for host in users)
        also = (
            "; the local cloud uses it too: restart it to apply the edit there" if any(map(self._is_used_here, edited)) else ""
        )
        done = f"reloaded {names}" if users else "no running function uses it"
        _say(f"{', '.join(sorted(map(self._name, edited)))} changed: {done}{also}")

    def _error_in(self, file: Path) -> str:
        """What is wrong with a module, in words; empty if it parses."""
        if file.suffix != ".py":
            return ""
        try:
            compile(file.read_bytes(), file, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:  # ValueError: a null byte
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            return f"{self._name(file)}{line}: {getattr(error, 'msg', error)}"
        return ""

    def _is_used_here(self, file: Path) -> bool:
        module = sys.modules.get(".".join(file.relative_to(self._root).with_suffix("").parts))
        return module is not None and module.__file__ == str(file)

    def _name(self, file: Path) -> str:
        return str(file.relative_to(self._root))


def _snapshot(root: Path) -> Mapping[Path, int]:
    """When each source was last changed."""
    return {Path(entry.path): entry.stat().st_mtime_ns for folder in _FOLDERS for entry in _files_in(root / folder)}


def _files_in(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files_in(Path(entry.path))
            elif entry.name.endswith(_SUFFIXES):
                yield entry


def _say(text: str) -> None:
    print(f"local cloud: {text}", file=sys.stderr, flush=True)
