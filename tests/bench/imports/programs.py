"""The programs that are compared. Each runs in a process of its own and prints what it found as JSON.

    python -m tests.bench.imports.programs NAME FILE…

A program first imports what it needs: its CPU seconds count from then on, and from the start of the process.
"""

import csv
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

from tests.bench.imports.files import COLUMNS

#: What a program found: rows and invalid rows, and whatever else it counts.
Found = dict[str, Any]

_INTEGER = r"^\s*[+-]?[0-9]{1,18}\s*$"
_DECIMAL = r"^\s*[+-]?(?:[0-9]{1,38}(?:\.[0-9]{0,38})?|\.[0-9]{1,38})(?:[eE][+-]?[0-9]{1,3})?\s*$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


def ours_check(path: str) -> Callable[[], Found]:
    """Switchboard: the upload copied to disk, its header read, and each row checked."""
    return _ours(path, is_merged=False)


def ours_import(path: str, base: str = "", new: str = "") -> Callable[[], Found]:
    """Switchboard: the check, and the rows merged into the catalogue ``base``, if there is one; the result moves to ``new``."""
    return _ours(path, base, new)


def row_loop(path: str) -> Callable[[], Found]:
    """The loop over rows that Switchboard had before the engine: it must be the ``lib`` of that commit that is imported."""
    from lib.shuttle import entities, files, importing, job, reports

    columns = tuple(
        entities.Column(name=name, type=entities.ColumnType(kind), required=required, max_length=longest)
        for name, kind, required, longest in COLUMNS
    )
    schema = entities.Schema(shop_domain="tea.example", version=1, columns=columns, created_at=datetime.now(UTC))
    shop = SimpleNamespace(
        limits=SimpleNamespace(max_rows=10**9, max_file_bytes=10**12), settings=SimpleNamespace(csv_delimiter=",")
    )

    def run() -> Found:
        tally, report = importing.Tally(), reports.ErrorReport()
        check = importing._Check(schema, shop, job.FileFormat.CSV, tally, report)
        with open(path, "rb", buffering=0) as file:
            check.check(files.UploadText(file), lambda _: None)
        report.as_csv()
        return {"rows": tally.rows_read, "invalid": tally.rows_failed}

    return run


def pydantic_rows(path: str) -> Callable[[], Found]:
    """A ``csv.DictReader``, and a pydantic model for each row."""
    from datetime import date
    from decimal import Decimal

    from pydantic import StringConstraints, ValidationError, create_model

    kinds = {"INTEGER": int, "DECIMAL": Decimal, "BOOLEAN": bool, "DATE": date, "DATETIME": datetime}
    fields: dict[str, Any] = {}
    for name, kind, required, longest in COLUMNS:
        of_kind = kinds.get(kind) or Annotated[str, StringConstraints(max_length=longest)]
        fields[name] = (of_kind, ...) if required else (of_kind | None, None)
    model = create_model("Product", **fields)

    def run() -> Found:
        rows = invalid = 0
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows += 1
                try:
                    model.model_validate({name: cell for name, cell in row.items() if cell})
                except ValidationError:
                    invalid += 1
        return {"rows": rows, "invalid": invalid}

    return run


def frictionless(path: str) -> Callable[[], Found]:
    """The validation of frictionless, with the key as its primary key."""
    from frictionless import Checklist, Resource, Schema, system

    kinds = {"INTEGER": "integer", "DECIMAL": "number", "BOOLEAN": "boolean", "DATE": "date", "DATETIME": "datetime"}
    described = [
        {
            "name": name,
            "type": kinds.get(kind, "string"),
            "constraints": ({"required": True} if required else {}) | ({"maxLength": longest} if longest else {}),
        }
        for name, kind, required, longest in COLUMNS
    ]
    schema = Schema.from_descriptor({"fields": described, "primaryKey": ["sku"]})

    def run() -> Found:
        with system.use_context(trusted=True):
            report = Resource(path=path, schema=schema, encoding="utf-8").validate(Checklist(), limit_errors=10_000)
        [task] = report.tasks
        return {"rows": task.stats["rows"], "invalid": len({error.row_number for error in task.errors})}

    return run


def polars(path: str) -> Callable[[], Found]:
    """A lazy query of polars with the rules as expressions, in its streaming engine, and one for keys that occur twice."""
    import polars as pl

    def is_valid(name: str, kind: str, required: bool, longest: int | None) -> pl.Expr:
        cell = pl.col(name)
        valid = {
            "STRING": lambda: cell.str.len_chars() <= (longest or 2**31),
            "INTEGER": lambda: cell.str.contains(_INTEGER),
            "DECIMAL": lambda: cell.str.contains(_DECIMAL),
            "BOOLEAN": lambda: cell.str.to_lowercase().is_in(["true", "false", "yes", "no", "1", "0"]),
            "DATE": lambda: cell.str.contains(_DATE) & cell.str.to_date("%Y-%m-%d", strict=False).is_not_null(),
            "DATETIME": lambda: (
                cell.str.contains(_TIME) & cell.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", strict=False).is_not_null()
            ),
        }[kind]()
        return valid.fill_null(not required)

    def run() -> Found:
        file = pl.scan_csv(path, infer_schema=False)
        all_valid = pl.all_horizontal(is_valid(*column) for column in COLUMNS)
        key = pl.col("sku")
        query = file.select(pl.len().alias("rows"), (~all_valid).sum().alias("invalid"), key.n_unique().alias("keys"))
        [[rows, invalid, keys]] = query.collect(engine="streaming").rows()
        return {"rows": rows, "invalid": invalid, "keys": keys}

    return run


def raw_duckdb(path: str) -> Callable[[], Found]:
    """DuckDB alone, reading every cell."""
    import duckdb

    def run() -> Found:
        with duckdb.connect(config={"threads": "1"}) as connection:
            connection.execute(f"SELECT max(columns(*)) FROM read_csv('{path}', all_varchar = true)").fetchall()
        return {}

    return run


def csv_reader(path: str) -> Callable[[], Found]:
    """Python's reader alone."""

    def run() -> Found:
        with open(path, encoding="utf-8", newline="") as file:
            return {"rows": sum(1 for _ in csv.reader(file)) - 1}

    return run


def _ours(path: str, base: str = "", new: str = "", *, is_merged: bool = True) -> Callable[[], Found]:
    from lib.shuttle.catalogue.merging import BaseFile, merge, refuse_early
    from lib.shuttle.engine import Engine
    from lib.shuttle.entities import Column, ColumnType, Schema
    from lib.shuttle.imports.checking import check
    from lib.shuttle.imports.spool import spool
    from lib.shuttle.jobs.job import DuplicateRule, FileFormat, JobMode

    columns = tuple(
        Column(name=name, type=ColumnType(kind), required=required, max_length=longest)
        for name, kind, required, longest in COLUMNS
    )
    schema = Schema(shop_domain="tea.example", version=1, columns=columns, created_at=datetime.now(UTC), key_columns=("sku",))
    mode, rule = JobMode.OVERWRITE_EXISTING, DuplicateRule.LAST

    def run() -> Found:
        clock = _Steps()
        with tempfile.TemporaryDirectory(dir=Path(path).parent) as temporary, _watched(temporary) as disk:
            folder = Path(temporary)
            upload = SimpleNamespace(open=lambda key: open(key, "rb", buffering=0))  # noqa: SIM115 - it ends with the process
            spooled = spool(upload, path, folder, lambda _: None)
            clock.end("spool")
            with Engine(folder) as engine:
                checked = check(engine, spooled, FileFormat.CSV, schema, lambda _: None, max_rows=10**9)
            clock.end("check")
            found = {"rows": checked.rows_read, "invalid": checked.rows_failed, "duplicates": checked.duplicates}
            if is_merged:
                stored = _linked(base, folder) if base else None
                refuse_early(checked, schema, mode, rule)
                before = BaseFile(stored, schema.key_columns) if stored else None
                with Engine(folder, keeps_order=False) as engine:
                    merged = merge(engine, checked, schema, mode, base=before, folder=folder, max_rows=10**9)
                clock.end("merge")
                found |= {"added": merged.counts.added, "replaced": merged.counts.replaced, "in_catalogue": merged.rows}
            if new:
                merged.path.rename(new)
        return found | {"steps": clock.steps, **disk}

    return run


def _linked(base: str, folder: Path) -> Path:
    """The catalogue in ``folder``, where the worker downloads it to."""
    path = folder / "base.parquet"
    path.hardlink_to(base)
    return path


class _Steps:
    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._started = time.process_time()

    def end(self, step: str) -> None:
        """The step ended, and the next one begins."""
        now = time.process_time()
        self.steps[step], self._started = now - self._started, now


@contextmanager
def _watched(folder: str):
    """Measures how many MB of temporary files DuckDB has in ``folder`` at most."""
    found, ended = {"spilled_mb": 0}, threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            try:
                sizes = [entry.stat().st_size for entry in os.scandir(Path(folder) / "spill")]
            except FileNotFoundError:
                continue
            found["spilled_mb"] = max(found["spilled_mb"], sum(sizes) // 10**6)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


PROGRAMS = (ours_check, ours_import, row_loop, pydantic_rows, frictionless, polars, raw_duckdb, csv_reader)


def main(name: str, *arguments: str) -> None:
    """Run a program."""
    program = {program.__name__: program for program in PROGRAMS}[name](*arguments)
    cpu, wall = time.process_time(), time.perf_counter()
    found = program()
    took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps(found | took))


if __name__ == "__main__":
    main(*sys.argv[1:])
