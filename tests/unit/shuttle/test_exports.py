"""Exports: what is in the file, in every format, and what ends an export without one."""

import csv
import functools
import gzip
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lib.platform import errors
from lib.shuttle.engine import MEMORY_MB, Engine
from lib.shuttle.entities import Column, ColumnType, ShopSettings
from lib.shuttle.jobs.job import FileFormat, Job, JobMode, JobStatus
from tests.support.project.examples import examples
from tests.support.shuttle.builders import DOMAIN, a_shop, a_table
from tests.support.shuttle.importer import World

COLUMNS = (
    Column(name="sku"),
    Column(name='Preis, "netto"', type=ColumnType.DECIMAL, decimal_comma=True),
    Column(name="stock", type=ColumnType.INTEGER),
    Column(name="active", type=ColumnType.BOOLEAN),
    Column(name="since", type=ColumnType.DATE),
    Column(name="at", type=ColumnType.DATETIME),
    Column(name="text"),
)
OVERWRITE = JobMode.OVERWRITE_EXISTING


def a_world(csv_delimiter: str | None = None) -> World:
    table = a_table()
    table.registry.install(a_shop(settings=ShopSettings(csv_delimiter=csv_delimiter)))
    table.registry.save_schema(DOMAIN, COLUMNS, replaces=0, key_columns=("sku",))
    return World(table)


ODD_TEXTS = (
    "plain", "a\r\nb", "c\rd", "\r", "a,b;c\td|e", 'a "quoted" word', '"', "two\nlines", " blanks around ", "=1+1",
    "back\\slash", "sep=;", "NULL", "null", "\\N", "é🫖\u2028", "'", "{", "[", "x" * 5000, "\u0001", "1,5", "0", "#", "\u00a0",
)  # fmt: skip


def a_row(sku: str, **cells: Any) -> dict[str, Any]:
    return {"sku": sku} | cells


ROWS = [a_row(f"T{number:02}", text=text) for number, text in enumerate(ODD_TEXTS)] + [
    a_row('k"1\n,;', **{'Preis, "netto"': -1234.50, "stock": -7, "active": True}),
    a_row("007", since="2026-01-31", at="2026-01-31T10:00:00Z", active=False),
    a_row("k2", **{'Preis, "netto"': 1e-7, "stock": 999999999999999999}),
    a_row("=k3"),
]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def filled(csv_delimiter: str | None = None) -> World:
    world = a_world(csv_delimiter)
    job = world.imported(jsonl(ROWS), FileFormat.JSONL)
    assert (job.rows_failed, job.counts.added) == (0, len(ROWS)), world.report(job)
    return world


def content(world: World, job: Job) -> bytes:
    assert job.status is JobStatus.COMPLETED, job.failure_detail
    assert job.result_key is not None
    stored = world.objects.stored[job.result_key]
    return gzip.decompress(stored) if job.gzip else stored


@pytest.mark.parametrize(
    ("file_format", "is_gzip", "delimiter"),
    [(file_format, is_gzip, None) for file_format in FileFormat for is_gzip in (False, True)]
    + [(FileFormat.CSV, False, delimiter) for delimiter in (";", "\t", "|")],
)
def test_an_export_imported_elsewhere_makes_the_same_catalogue(
    file_format: FileFormat, is_gzip: bool, delimiter: str | None
) -> None:
    world, elsewhere = filled(delimiter), a_world(delimiter)
    job = world.export(file_format=file_format, gzip=is_gzip)
    assert job.result_key is not None

    again = elsewhere.imported(world.objects.stored[job.result_key], file_format, mode=JobMode.WIPE_AND_RESTORE)

    assert again.failure is None, (again.failure_detail, elsewhere.report(again))
    assert again.rows_read == job.rows_read == len(ROWS)
    assert elsewhere.rows() == world.rows()


def test_an_export_says_what_it_contains_and_is_metered() -> None:
    world = filled()

    job = world.export(file_format=FileFormat.JSONL, gzip=True)

    assert job.result_key == f"exports/{DOMAIN}/{job.job_id}-1.jsonl.gz"
    assert (job.rows_read, job.bytes_read) == (len(ROWS), len(world.objects.stored[job.result_key]))
    assert (job.catalogue_version, job.schema_version) == (1, 1)
    today = world.table.clock().date()
    (usage,) = world.table.repository.daily_usage(DOMAIN, today, today)
    assert (usage.exports, usage.jobs_completed, usage.rows_read) == (1, 2, 2 * len(ROWS))
    assert world.table.active_jobs() == set()


def test_json_has_types_and_the_order_of_the_key() -> None:
    world = filled()

    rows = json.loads(content(world, world.export(file_format=FileFormat.JSON)))

    assert [row["sku"] for row in rows] == sorted(row["sku"] for row in ROWS)
    (row,) = (row for row in rows if row["sku"] == 'k"1\n,;')
    assert row == {
        "sku": 'k"1\n,;', 'Preis, "netto"': -1234.5, "stock": -7, "active": True, "since": None, "at": None, "text": None,
    }  # fmt: skip


def test_csv_has_decimal_commas_and_the_shops_delimiter() -> None:
    world = filled(";")

    job = world.export()

    rows = list(csv.DictReader(io.StringIO(content(world, job).decode(), newline=""), delimiter=";"))
    assert job.delimiter == ";"
    assert [row['Preis, "netto"'] for row in rows if row["stock"] == "-7"] == ["-1234,5"]


def test_ten_columns_are_named_if_an_export_orders_an_unknown_one() -> None:
    world = a_world()
    columns = (Column(name="sku"), *(Column(name=f"c{number}") for number in range(11)))
    world.table.registry.save_schema(DOMAIN, columns, replaces=1, key_columns=("sku",))
    world.imported(jsonl([a_row("A")]), FileFormat.JSONL)

    names = ", ".join(column.name for column in columns[:10])
    detail = f"The catalogue has no column size. It has {names} and 2 more."
    assert world.export(columns=("size",)).failure_detail == detail


def test_the_columns_are_those_of_the_order() -> None:
    world = a_world()
    world.imported(jsonl([a_row("A", stock=1), a_row("B", text="b")]), FileFormat.JSONL)

    assert content(world, world.export(columns=("TEXT", "sku"))) == b"text,sku\n,A\nb,B\n"
    assert content(world, world.export(columns=("text",))) == b'text\n""\nb\n'
    assert content(world, world.export(columns=("stock",), file_format=FileFormat.JSONL)) == b'{"stock":1}\n{"stock":null}\n'
    refused = world.export(columns=("sku", "size"))
    assert (refused.failure, refused.failure_detail) == (
        "WRONG_SCHEMA",
        "The catalogue has no column size. It has " + ", ".join(column.name for column in COLUMNS) + ".",
    )


def test_an_older_version_can_be_exported() -> None:
    world = a_world()
    world.imported(jsonl([a_row("A", text="old")]), FileFormat.JSONL)
    world.imported(jsonl([a_row("A", text="new")]), FileFormat.JSONL, mode=OVERWRITE)

    assert content(world, world.export(version=1, columns=("text",))) == b"text\nold\n"
    assert content(world, world.export(columns=("text",))) == b"text\nnew\n"


@pytest.mark.parametrize("file_format", FileFormat)
def test_only_rows_that_changed_since_a_version_can_be_exported(file_format: FileFormat) -> None:
    world = a_world()
    world.imported(jsonl([a_row("A", text="a"), a_row("B", text="b"), a_row("C")]), FileFormat.JSONL)
    world.imported(jsonl([a_row("A", text="x")]), FileFormat.JSONL, mode=OVERWRITE)
    world.imported(jsonl([a_row("C"), a_row("D")]), FileFormat.JSONL, mode=OVERWRITE)

    job = world.export(file_format=file_format, columns=("sku",), changed_since=1)

    assert job.rows_read == 2
    expected = {FileFormat.CSV: b"sku\nA\nD\n", FileFormat.JSONL: b'{"sku":"A"}\n{"sku":"D"}\n'}
    assert content(world, job) == expected.get(file_format, b'[\n{"sku":"A"}\n,{"sku":"D"}\n]\n')
    assert content(world, world.export(file_format=file_format, changed_since=2, columns=("sku",))).count(b"D") == 1


@pytest.mark.parametrize(
    ("file_format", "empty"), [(FileFormat.CSV, b"sku\n"), (FileFormat.JSON, b"[\n]\n"), (FileFormat.JSONL, b"")]
)
def test_an_export_without_rows_is_an_empty_file(file_format: FileFormat, empty: bytes) -> None:
    world = filled()

    job = world.export(file_format=file_format, columns=("sku",), changed_since=1)

    assert (job.rows_read, content(world, job)) == (0, empty)


def test_rows_are_compared_with_a_version_of_another_schema() -> None:
    world = a_world()
    world.imported(jsonl([a_row("A", text="a"), a_row("B")]), FileFormat.JSONL)
    columns = (*(column for column in COLUMNS if column.name != "stock"), Column(name="colour"))
    world.table.registry.save_schema(DOMAIN, columns, replaces=1, key_columns=("sku",))
    world.imported(jsonl([a_row("B", colour="red")]), FileFormat.JSONL, mode=OVERWRITE)

    assert content(world, world.export(changed_since=1, columns=("sku", "colour"))) == b"sku,colour\nB,red\n"


def without_catalogue(world: World) -> dict[str, Any]:
    return {}


def unknown_version(world: World) -> dict[str, Any]:
    world.imported(jsonl(ROWS), FileFormat.JSONL)
    return {"version": 9}


def unknown_older_version(world: World) -> dict[str, Any]:
    return unknown_version(world) and {"changed_since": 9}


def version_whose_object_is_gone(world: World) -> dict[str, Any]:
    world.imported(jsonl(ROWS), FileFormat.JSONL)
    world.objects.delete(world.table.repository.catalogue(DOMAIN).object_key)
    return {}


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        (without_catalogue, "NO_CATALOGUE"),
        (unknown_version, "VERSION_GONE"),
        (unknown_older_version, "VERSION_GONE"),
        (version_whose_object_is_gone, "VERSION_GONE"),
    ],
)
def test_an_export_that_cannot_be_made_fails_with_its_reason(given: Callable[[World], dict[str, Any]], failure: str) -> None:
    world = a_world()

    job = world.export(**given(world))

    assert (job.status, job.failure, job.result_key) == (JobStatus.FAILED, failure, None)
    assert job.failure_detail
    assert world.table.active_jobs() == set()
    assert [event.detail_type for event in world.published.events] in ([], ["ImportCompleted"])


def test_a_cancelled_export_stops_while_it_reads() -> None:
    world = filled()
    world.ticking.step = 10.0
    world.objects.during_read = lambda: [world.table.jobs.cancel(DOMAIN, job_id) for job_id in world.table.active_jobs()]

    job = world.export()

    assert (job.status, job.result_key) == (JobStatus.CANCELLED, None)


def test_an_export_that_runs_out_of_time_fails() -> None:
    world = filled()
    world.seconds_left = 19.0

    job = world.export()

    assert (job.failure, job.failure_detail) == (
        "DEADLINE_EXCEEDED",
        "Time ran out before the export was done. Order fewer columns, or the rows changed since a version.",
    )


def test_an_export_is_delivered_again_after_a_temporary_error() -> None:
    world = filled()
    broken = errors.ConnectionLostError("could not read the object: the connection broke")

    def fail() -> None:
        world.objects.during_read = lambda: None
        raise broken

    world.objects.during_read = fail
    with pytest.raises(errors.ConnectionLostError):
        world.export()
    (job_id,) = world.table.active_jobs()
    world.table.clock.moment += timedelta(seconds=1)
    assert world.run_export(job_id) is JobStatus.COMPLETED
    assert world.job(job_id).result_key == f"exports/{DOMAIN}/{job_id}-2.csv"


def test_long_rows_leave_memory_for_the_sort_of_an_export(monkeypatch: pytest.MonkeyPatch) -> None:
    count = examples(15_000, thorough=30_000)
    table = a_table()
    table.registry.install(a_shop())
    names = ["sku", *(f"text{number}" for number in range(12))]
    table.registry.save_schema(DOMAIN, tuple(Column(name=name) for name in names), replaces=0, key_columns=("sku",))
    world = World(table)
    rows = (",".join([f"K{number}", *[f"{number:06}" * 50] * 12]) for number in range(count))
    world.imported("\n".join([",".join(names), *rows]).encode(), FileFormat.CSV)
    monkeypatch.setattr("lib.shuttle.exports.Engine", functools.partial(Engine, memory_mb=count * MEMORY_MB // 30_000))

    job = world.export(file_format=FileFormat.JSONL, gzip=True)

    assert (job.status, job.rows_read) == (JobStatus.COMPLETED, count), job.failure_detail
