"""The engine that checks, merges and exports files: DuckDB, shut off from everything but one folder.

It has no network, no extensions, one thread, a memory limit and a folder that it may read, write and spill to, and SQL can't
change any of this. A query runs in a thread of its own, so that the caller's thread can stop it: for a cancelled job, or
because time runs out.

File content never becomes SQL: it is read by ``read_csv`` and its like. Names of columns come from a schema and are quoted
by :func:`identifier`; other texts are passed as parameters or quoted by :func:`literal`.
"""

import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import duckdb

from lib.shuttle.imports.files import Failure, UnreadableFileError, refusing_full_disk

#: What DuckDB may use, in MB. The process itself needs about 100 MB, and some of DuckDB's memory is not counted.
MEMORY_MB = 220
#: How often ``on_wait`` is called while a query runs.
WAIT_SECONDS = 0.5
_SPILL_FOLDER = "spill"
_TOO_LARGE = (
    Failure.TOO_LARGE_TO_MERGE,
    "The file and the catalogue need more memory or disk than an import has. Split the file.",
)
_PIECE_BYTES = 1024 * 1024


class EngineError(Exception):
    """A query failed. The message names the kind of error only: DuckDB's own message may quote the file."""


class Engine:
    """A database in memory for the files of one folder.

    Args:
        folder: the only folder that queries can read and write. The temporary files of large queries are in it as well.
        on_wait: called twice a second while a query runs. If it raises, the query is stopped and the exception raised.
        memory_mb: the memory limit.
        keeps_order: whether a query without ORDER BY has its rows in the order of the file. Writing a file takes less memory
            without it.
    """

    def __init__(
        self,
        folder: Path,
        on_wait: Callable[[], None] = lambda: None,
        *,
        memory_mb: int = MEMORY_MB,
        keeps_order: bool = True,
    ) -> None:
        folder = folder.resolve()
        self._on_wait = on_wait
        self._connection = duckdb.connect(
            config={
                "threads": "1",
                "memory_limit": f"{memory_mb}MB",
                "temp_directory": str(folder / _SPILL_FOLDER),  # by default up to 90 % of the free disk
                "preserve_insertion_order": str(keeps_order).lower(),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "allow_persistent_secrets": "false",
                "python_enable_replacements": "false",
            }
        )
        self._connection.execute(f"SET allowed_directories = [{literal(str(folder))}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query returns.

        Raises:
            UnreadableFileError: it needs more memory or disk than there is.
            EngineError: it failed.
        """
        return _Query(self._connection, sql, parameters).result(self._on_wait)

    def run(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Run a statement, as :meth:`rows` does."""
        self.rows(sql, parameters)

    def write_lines(self, queries: Iterable[str], path: Path) -> None:
        """Write the texts that ``queries`` return to ``path``, one per line, as a gzip, and raise as :meth:`rows` does.

        The lines of one query at a time are on disk before they are compressed. DuckDB's own gzip takes four times the CPU.
        """
        lines, gzip = path.with_suffix(".lines"), zlib.compressobj(zlib.Z_BEST_SPEED, wbits=zlib.MAX_WBITS | 16)
        with refusing_full_disk(*_TOO_LARGE), path.open("wb") as file:
            for query in queries:
                self.run(f"COPY ({query}) TO {literal(str(lines))} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '')")
                with lines.open("rb", buffering=0) as text:
                    while piece := text.read(_PIECE_BYTES):
                        self._on_wait()
                        file.write(gzip.compress(piece))
                lines.unlink()
            file.write(gzip.flush())


class _Query:
    """One query in its thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object]) -> None:
        self._connection = connection
        self._sql = sql
        self._parameters = list(parameters)
        self._rows: list[tuple[Any, ...]] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="query", daemon=True)

    def result(self, on_wait: Callable[[], None]) -> list[tuple[Any, ...]]:
        self._thread.start()
        try:
            while self._is_running(WAIT_SECONDS):
                on_wait()
        except BaseException:
            self._stop()
            raise
        if self._error is not None:
            raise _translated(self._error) from None
        return self._rows

    def _run(self) -> None:
        try:
            self._rows = self._connection.execute(self._sql, self._parameters).fetchall()
        except Exception as error:  # also MemoryError and the like, which the caller's thread would not notice
            self._error = error

    def _is_running(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return self._thread.is_alive()

    def _stop(self) -> None:
        """Interrupt until the thread has ended: an interrupt before the query has begun has no effect."""
        while self._is_running(0):
            self._connection.interrupt()
            self._is_running(0.05)


def identifier(name: str) -> str:
    """A name of a column or table in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _translated(error: Exception) -> Exception:
    if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)) or "No space left" in str(error):
        return UnreadableFileError(*_TOO_LARGE)
    return EngineError(f"a query failed: {type(error).__name__}")
