"""What imports do to a shop's catalogue, alone and at the same time as others."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, BinaryIO

import pytest

from lib.platform import errors
from lib.shuttle import keys
from lib.shuttle.entities import Column, ColumnType
from lib.shuttle.jobs.job import Counts, DuplicateRule, FileFormat, JobMode, JobStatus
from tests.support.observability.log_lines import LogLines
from tests.support.shuttle.builders import DOMAIN, limits
from tests.support.shuttle.importer import COLUMNS, MemoryObjects, World

OVERWRITE = JobMode.OVERWRITE_EXISTING
WIPE = JobMode.WIPE_AND_RESTORE


def csv_of(*rows: str) -> bytes:
    return "\n".join(["sku,price,stock", *rows, ""]).encode()


FIRST = csv_of("A1,9.50,3", "A2,1.00,")


def test_the_first_import_makes_the_first_version(world: World) -> None:
    job = world.imported(FIRST)

    assert job.status is JobStatus.COMPLETED
    assert job.counts == Counts(added=2)
    assert (job.catalogue_version, job.schema_version, job.encoding, job.delimiter) == (1, 1, "UTF-8", ",")
    assert world.rows() == [
        {"sku": "A1", "price": "9.50", "stock": "3"},
        {"sku": "A2", "price": "1.00", "stock": None},
    ]
    catalogue = world.table.repository.catalogue(DOMAIN)
    assert (catalogue.version, catalogue.rows, catalogue.key_columns, catalogue.job_id) == (1, 2, ("sku",), job.job_id)
    assert catalogue.bytes == len(world.objects.stored[catalogue.object_key])


@pytest.mark.parametrize(
    ("mode", "counts", "rows"),
    [
        (JobMode.NEW_ONLY, Counts(added=1, skipped=2), ["A1=9.50", "A2=1.00", "A3=7"]),
        (OVERWRITE, Counts(added=1, replaced=1, unchanged=1), ["A1=8", "A2=1.00", "A3=7"]),
        (JobMode.NEW_AND_DRAFT, Counts(added=1, skipped=2), ["A1=9.50", "A2=1.00", "A3=7"]),
        (WIPE, Counts(added=1, replaced=1, unchanged=1), ["A1=8", "A2=1.00", "A3=7"]),
    ],
)
def test_each_mode_changes_the_catalogue_as_defined(world: World, mode: JobMode, counts: Counts, rows: list[str]) -> None:
    world.imported(FIRST)

    job = world.imported(csv_of("A1,8,3", "A2,1.00,", "A3,7,"), mode=mode)

    assert job.counts == counts
    assert [f"{row['sku']}={row['price']}" for row in world.rows()] == rows


def test_changes_name_what_was_added_replaced_and_removed(world: World) -> None:
    world.imported(FIRST)

    job = world.imported(csv_of("A1,8,3", "A3,7,"), mode=WIPE)

    assert world.changes(job) == [
        {"kind": "added", "key": {"sku": "A3"}, "row": {"sku": "A3", "price": 7, "stock": None}},
        {"kind": "removed", "key": {"sku": "A2"}, "row": None},
        {"kind": "replaced", "key": {"sku": "A1"}, "row": {"sku": "A1", "price": 8, "stock": 3}},
    ]


def test_an_import_without_changes_makes_a_version_without_a_file_of_changes(world: World) -> None:
    world.imported(FIRST)

    job = world.imported(FIRST, mode=OVERWRITE)

    assert (job.counts, job.catalogue_version, job.changes_key) == (Counts(unchanged=2), 2, None)


def test_invalid_rows_are_left_out_and_counted(world: World) -> None:
    job = world.imported(csv_of("A1,cheap,3", "A2,1,", "A2,2,"))

    assert (job.rows_read, job.rows_failed, job.counts) == (3, 1, Counts(added=1, duplicates=1))
    assert [row["price"] for row in world.rows()] == ["2"]


@pytest.mark.parametrize(
    ("rows", "order", "failure"),
    [
        (["A1,1,", "A1,2,"], {"duplicate_rule": DuplicateRule.REFUSE}, "DUPLICATE_KEY"),
        (["A1,1,", "A2,x,"], {"mode": WIPE}, "INVALID_ROWS"),
    ],
)
def test_a_file_that_the_order_refuses_changes_nothing(
    world: World, rows: list[str], order: dict[str, Any], failure: str
) -> None:
    job = world.imported(csv_of(*rows), **order)

    assert (job.status, job.failure, job.catalogue_version) == (JobStatus.FAILED, failure, None)
    assert world.rows() == []


def test_a_full_catalogue_refuses_more_rows(world: World) -> None:
    shop = world.table.repository.shop(DOMAIN)
    few = limits(max_rows=100, max_file_bytes=1000)
    world.table.registry.reconfigure(type(shop)(**_fields(shop) | {"feature_limits": _with_catalogue_rows(few, 2)}))
    world.imported(FIRST)

    job = world.imported(csv_of("A3,1,"))

    assert (job.failure, job.rows_read) == ("CATALOGUE_FULL", 1)
    assert len(world.rows()) == 2


def test_a_dry_run_has_the_same_counts_and_changes_and_moves_nothing(world: World) -> None:
    world.imported(FIRST)
    file = csv_of("A1,8,3", "A3,7,")

    dry = world.imported(file, mode=WIPE, dry_run=True)

    assert (dry.status, dry.catalogue_version) == (JobStatus.COMPLETED, None)
    assert world.table.repository.catalogue(DOMAIN).version == 1
    real = world.imported(file, mode=WIPE)
    assert dry.counts == real.counts == Counts(added=1, replaced=1, removed=1)
    assert world.changes(dry) == world.changes(real)
    assert [event.detail_type for event in world.published.events] == ["ImportCompleted"] * 2


def test_of_two_imports_at_once_both_take_effect(world: World) -> None:
    world.imported(FIRST)
    other = world.upload(csv_of("A2,5,", "B1,5,"), mode=OVERWRITE)
    job_id = world.upload(csv_of("A1,8,3", "A3,7,"), mode=OVERWRITE)
    before_put(world.objects, "catalogue/", lambda: world.run(other))

    world.run(job_id)

    assert (world.job(other).catalogue_version, world.job(job_id).catalogue_version) == (2, 3)
    assert world.job(job_id).counts == Counts(added=1, replaced=1)
    assert [f"{row['sku']}={row['price']}" for row in world.rows()] == ["A1=8", "A2=5", "A3=7", "B1=5"]


def test_an_import_at_the_same_time_with_a_newer_schema_is_not_undone(world: World) -> None:
    world.imported(FIRST)
    job_id = world.upload(csv_of("A1,8,3"), mode=OVERWRITE)

    def import_with_newer_schema() -> None:
        columns = (*COLUMNS, Column(name="colour"))
        world.table.registry.save_schema(DOMAIN, columns, replaces=1, key_columns=("sku",))
        world.imported(b"sku,colour\nB1,red\n", mode=OVERWRITE)

    before_put(world.objects, "catalogue/", import_with_newer_schema)

    world.run(job_id)

    assert world.job(job_id).schema_version == 2
    assert [row["colour"] for row in world.rows()] == [None, None, "red"]


def test_an_import_cancelled_while_it_stores_its_version_changes_nothing(world: World) -> None:
    world.imported(FIRST)
    world.ticking.step = 10.0
    job_id = world.upload(csv_of("A1,8,3"), mode=OVERWRITE)
    before_put(world.objects, "changes/", lambda: world.table.jobs.cancel(DOMAIN, job_id))

    assert world.run(job_id) is JobStatus.CANCELLED

    assert world.table.repository.catalogue(DOMAIN).version == 1
    assert not any(key.startswith("catalogue/") and "000002" in key for key in world.objects.stored)


def test_the_events_of_imports_are_published(world: World) -> None:
    done, refused = world.imported(FIRST), world.imported(b"")

    details = [(event.detail_type, json.loads(event.detail)) for event in world.published.events]
    assert [(kind, detail["job_id"]) for kind, detail in details] == [
        ("ImportCompleted", done.job_id),
        ("ImportFailed", refused.job_id),
    ]
    assert details[0][1]["changes"] == {"key": done.changes_key}


def test_an_event_that_the_bus_refuses_does_not_fail_the_import(world: World) -> None:
    lines = LogLines("imports")
    world.published.error = errors.UnavailableError("the event bus refused 1 of 1 events")

    assert world.imported(FIRST).status is JobStatus.COMPLETED

    assert lines.only("event_publish_failed")["level"] == "ERROR"
    assert len(list(world.table.repository.pending_events(world.table.clock() + timedelta(minutes=1)))) == 1


def test_objects_that_no_version_needs_are_deleted_after_a_day(world: World) -> None:
    left = keys.catalogue_object(DOMAIN, 1, world.order(), 1)
    world.objects.stored[left] = b"of a worker that crashed"
    world.objects.modified[left] = world.table.clock()
    for number in range(22):
        world.objects.stored_at = world.table.clock()
        world.imported(csv_of(f"A1,{number},"), mode=OVERWRITE)
        assert (left in world.objects.stored) is (number < 2)
        world.table.clock.advance(hours=13)

    kept = {version.object_key for version in world.catalogues.versions(DOMAIN)}
    assert len(kept) == 20
    stored = {key for key in world.objects.stored if key.startswith("catalogue/")}
    assert kept <= stored
    assert len(stored) == 20


def test_a_schema_without_a_key_is_refused(world: World) -> None:
    world.table.put_raw({**world.table.get_raw(f"SHOP#{DOMAIN}", "SCHEMA#CURRENT"), "KeyColumns": {"L": []}})

    assert world.imported(FIRST).failure == "NO_KEY"


def test_another_key_than_the_catalogues_is_refused(world: World) -> None:
    world.imported(FIRST)
    world.table.registry.save_schema(DOMAIN, COLUMNS, replaces=1, key_columns=("sku", "stock"))

    assert world.imported(csv_of("A1,1,1"), mode=OVERWRITE).failure == "WRONG_KEY"
    assert world.imported(csv_of("A1,1,1"), mode=WIPE).counts == Counts(added=1, removed=2)


def test_json_and_csv_of_the_same_rows_are_unchanged(world: World) -> None:
    world.table.registry.save_schema(
        DOMAIN, (*COLUMNS, Column(name="active", type=ColumnType.BOOLEAN)), replaces=1, key_columns=("sku",)
    )
    world.imported(b"sku,price,active\nA1,1.50,true\n")

    job = world.imported(b'[{"sku": "A1", "price": 1.50, "active": true}]', FileFormat.JSON, mode=OVERWRITE)

    assert job.counts == Counts(unchanged=1)


def test_the_last_of_many_rows_with_one_key_counts_in_a_long_file(world: World) -> None:
    """The file is longer than what the engine reads at once: the rows must keep their numbers."""
    job = world.imported(csv_of(*(f"A{number % 7_000},{number}," for number in range(30_000))))

    assert job.counts == Counts(added=7_000, duplicates=23_000)
    assert all(int(row["price"] or 0) >= 23_000 for row in world.rows())


def before_put(objects: MemoryObjects, prefix: str, action: Callable[[], object]) -> None:
    """Do ``action`` before the next object below ``prefix`` is stored."""
    put = objects.put

    def hooked(key: str, body: BinaryIO, content_type: str) -> None:
        if key.startswith(prefix):
            objects.put = put  # type: ignore[method-assign]
            action()
        put(key, body, content_type)

    objects.put = hooked  # type: ignore[method-assign]


def _fields(entity: Any) -> dict[str, Any]:
    return {name: getattr(entity, name) for name in entity.__dataclass_fields__}


def _with_catalogue_rows(allowed: Any, rows: int) -> Any:
    return type(allowed)(**_fields(allowed) | {"max_catalogue_rows": rows})
