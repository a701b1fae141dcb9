"""Catalogues in tests: rows as a checked file, versions on disk, and what an import does, modelled with dictionaries."""

import atexit
import contextlib
import functools
import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lib.shuttle.catalogue.merging import columns_of, parquet
from lib.shuttle.engine import Engine, identifier, literal
from lib.shuttle.entities import Column, Schema, StatusColumn
from lib.shuttle.imports.checking import CheckedFile
from lib.shuttle.imports.reports import ErrorReport
from lib.shuttle.jobs.job import JobMode
from tests.support.shuttle.builders import DOMAIN, NOON

Row = tuple[str | None, ...]
Rows = dict[tuple[str | None, ...], Row]


@contextlib.contextmanager
def an_engine(*, keeps_order: bool = True) -> Iterator[tuple[Engine, Path]]:
    """The engine of this process, which takes longer to make than most queries, and an empty folder in which it works."""
    engine, parent = _engine(keeps_order)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield engine, Path(folder)


@functools.cache
def _engine(keeps_order: bool) -> tuple[Engine, str]:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Engine(Path(folder.name), keeps_order=keeps_order), folder.name


def a_schema(columns: Sequence[Column], key: Sequence[str] = ("sku",), draft: tuple[str, str] | None = None) -> Schema:
    return Schema(
        shop_domain=DOMAIN,
        version=1,
        columns=tuple(columns),
        created_at=NOON,
        key_columns=tuple(key),
        status_column=StatusColumn(name=draft[0], draft=draft[1]) if draft else None,
    )


def a_checked_file(schema: Schema, rows: Sequence[Row], rows_failed: int = 0) -> CheckedFile:
    """``rows`` as the check leaves them."""
    width = len(schema.columns)
    names = ", ".join(f"c{index}" for index in range(width))
    typed = ", ".join(f"c{index}::VARCHAR AS c{index}" for index in range(width))
    listed = [[*(("NULL" if cell is None else literal(cell)) for cell in row), str(n)] for n, row in enumerate(rows, 1)]
    listed = listed or [["NULL"] * width + ["0"]]
    values = ", ".join(f"({', '.join(cells)})" for cells in listed)
    relation = f"SELECT {typed}, n FROM (VALUES {values}) t({names}, n) WHERE n > 0"
    distinct = len({key_of(schema, row) for row in rows})
    return CheckedFile(relation, len(rows) + rows_failed, rows_failed, len(rows) - distinct, ErrorReport())


def key_of(schema: Schema, row: Row) -> tuple[str | None, ...]:
    names = [column.name for column in schema.columns]
    return tuple(row[names.index(name)] for name in schema.key_columns)


def stored_rows(engine: Engine, version: Path) -> list[dict[str, str | None]]:
    """The rows of a version on disk, by name of column, in no particular order."""
    names = columns_of(engine, version)
    rows = engine.rows(f"SELECT {', '.join(map(identifier, names))} FROM {parquet(version)}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def read_changes(path: Path | None) -> list[dict[str, Any]]:
    """The lines of a file of changes, in the order of their kind and key."""
    return parse_changes(path.read_bytes() if path else None)


def parse_changes(content: bytes | None) -> list[dict[str, Any]]:
    """The lines of the content of a file of changes, as :func:`read_changes` returns them."""
    if content is None:
        return []
    lines = [json.loads(line) for line in gzip.decompress(content).decode().split("\n") if line]
    return sorted(lines, key=lambda line: (line["kind"], json.dumps(line["key"])))


def model_merge(
    schema: Schema, base: Rows | None, rows: Sequence[Row], mode: JobMode
) -> tuple[Rows, Mapping[str, int], list[tuple[str, Any, Any]]]:
    """The catalogue after an import, the counts, and the changes as (kind, key, row)."""
    former = base or {}
    given = {key_of(schema, row): row for row in rows}
    result = {} if mode is JobMode.WIPE_AND_RESTORE else dict(former)
    counts = dict.fromkeys(("added", "replaced", "unchanged", "skipped", "removed"), 0)
    counts["duplicates"] = len(rows) - len(given)
    changes: list[tuple[str, Any, Any]] = []
    status = [column.name for column in schema.columns].index(schema.status_column.name) if schema.status_column else None
    for key, row in given.items():
        old = former.get(key)
        is_draft = old is not None and status is not None and schema.status_column and old[status] == schema.status_column.draft
        if old is None:
            kind = "added"
        elif mode is JobMode.NEW_ONLY or (mode is JobMode.NEW_AND_DRAFT and not is_draft):
            kind = "skipped"
        else:
            kind = "unchanged" if row == old else "replaced"
        counts[kind] += 1
        result[key] = old if kind == "skipped" and old is not None else row
        if kind in ("added", "replaced"):
            changes.append((kind, key, row))
    for key in former.keys() - result.keys():
        counts["removed"] += 1
        changes.append(("removed", key, None))
    return result, counts, changes
