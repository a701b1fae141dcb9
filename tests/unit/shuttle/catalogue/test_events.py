"""Events are stored in the transaction that makes them true, and published at least once."""

from typing import Any

import pytest

from lib.platform import errors
from lib.shuttle.catalogue.events import Publisher
from lib.shuttle.jobs.job import Counts, JobKind, JobMode, Outcome
from tests.support.aws.wire import aws_error
from tests.support.dynamodb.fake_table import before_next_write
from tests.support.shuttle.builders import DOMAIN, an_order
from tests.support.shuttle.catalogues import Bus, Imports

AN_EXPORT = {"kind": JobKind.EXPORT, "mode": None}


@pytest.fixture
def bus() -> Bus:
    return Bus()


def publisher(imports: Imports, bus: Bus) -> Publisher:
    table = imports.table
    return Publisher(table.client, table.name, bus, "the-bus", bucket="imports", now=table.clock)


def left(imports: Imports) -> list[str]:
    return [event.detail_type for event in imports.table.repository.pending_events(imports.table.clock())]


def test_a_completed_import_is_published_with_its_counts_and_changes(imports: Imports, bus: Bus) -> None:
    job = imports.jobs().start(DOMAIN, imports.order(mode=JobMode.OVERWRITE_EXISTING))
    outcome = Outcome(
        rows_read=4,
        rows_failed=1,
        schema_version=2,
        catalogue_version=1,
        counts=Counts(added=2, replaced=1),
        changes_key="changes/x.jsonl.gz",
    )
    event = imports.jobs().finish(job, outcome)
    assert event is not None

    assert publisher(imports, bus).publish([event]) == 1

    [entry] = bus.sent
    assert entry["Source"] == "switchboard.shuttle"
    assert entry["DetailType"] == "ImportCompleted"
    assert entry["EventBusName"] == "the-bus"
    assert entry["Time"] == imports.table.clock()
    assert bus.details() == [
        {
            "event_id": event.event_id,
            "shop_domain": DOMAIN,
            "at": "2026-01-22T12:00:00.000000Z",
            "job_id": job.job_id,
            "mode": "OVERWRITE_EXISTING",
            "catalogue_version": 1,
            "schema_version": 2,
            "rows_read": 4,
            "rows_failed": 1,
            "added": 2,
            "replaced": 1,
            "unchanged": 0,
            "skipped": 0,
            "removed": 0,
            "duplicates": 0,
            "changes": {"bucket": "imports", "key": "changes/x.jsonl.gz"},
        }
    ]
    assert left(imports) == []


def test_a_failed_import_is_published(imports: Imports, bus: Bus) -> None:
    job = imports.jobs().start(DOMAIN, imports.order())
    event = imports.jobs().finish(job, Outcome(rows_read=3, rows_failed=3, failure="NO_VALID_ROW", failure_detail="No row."))
    assert event is not None

    publisher(imports, bus).publish([event])

    [detail] = bus.details()
    assert bus.sent[0]["DetailType"] == "ImportFailed"
    assert detail.items() >= {"failure": "NO_VALID_ROW", "failure_detail": "No row.", "rows_read": 3, "rows_failed": 3}.items()


def test_an_import_that_the_sweep_fails_is_published(imports: Imports, bus: Bus) -> None:
    job_id = imports.order()
    imports.table.clock.advance(hours=25)
    imports.jobs().sweep()
    imports.table.clock.advance(minutes=1)

    assert publisher(imports, bus).publish_left() == 1

    [detail] = bus.details()
    assert (detail["job_id"], detail["failure"]) == (job_id, "UPLOAD_MISSING")


def test_a_rollback_is_published(imports: Imports, bus: Bus) -> None:
    imports.imported(2)
    _, event = imports.store().rollback(DOMAIN, 1)
    assert event is not None

    publisher(imports, bus).publish([event])

    assert bus.sent[0]["DetailType"] == "CatalogueRolledBack"
    wanted = {"catalogue_version": 3, "restored_from": 1, "replaced_version": 2, "rows": 1, "schema_version": 1}
    assert bus.details()[0].items() >= wanted.items()


@pytest.mark.parametrize("order", [{"dry_run": True}, AN_EXPORT], ids=["dry run", "export"])
@pytest.mark.parametrize("failure", [None, "EMPTY_FILE"])
def test_what_changes_no_catalogue_has_no_event(imports: Imports, order: dict[str, Any], failure: str | None) -> None:
    job = imports.jobs().start(DOMAIN, imports.order(**order))

    assert imports.jobs().finish(job, Outcome(failure=failure)) is None

    lost = imports.order(**order)
    cancelled = imports.order()
    imports.jobs().cancel(DOMAIN, cancelled)
    imports.table.clock.advance(hours=25)
    imports.jobs().sweep()
    assert imports.table.repository.job(DOMAIN, lost).failure is not None
    assert left(imports) == []


def test_the_sweep_publishes_what_is_older_than_a_minute(imports: Imports, bus: Bus) -> None:
    imports.imported(12)

    assert publisher(imports, bus).publish_left() == 0
    imports.table.clock.advance(minutes=1)
    assert publisher(imports, bus).publish_left() == 12
    assert publisher(imports, bus).publish_left() == 0

    assert bus.calls == 2
    assert sorted(detail["catalogue_version"] for detail in bus.details()) == list(range(1, 13))


def test_events_that_the_bus_refuses_stay_for_the_sweep(imports: Imports, bus: Bus) -> None:
    imports.imported(3)
    imports.table.clock.advance(minutes=1)
    bus.refuses = {1}

    with pytest.raises(errors.UnavailableError, match="refused 1 event and took 2: ThrottlingException"):
        publisher(imports, bus).publish_left()
    bus.refuses = set()
    assert publisher(imports, bus).publish_left() == 1

    assert sorted(detail["catalogue_version"] for detail in bus.details()) == [1, 2, 3]


def test_an_event_that_the_bus_always_refuses_does_not_delay_others(imports: Imports, bus: Bus) -> None:
    imports.imported(25)
    imports.table.clock.advance(minutes=1)
    bus.refuses = {0}

    with pytest.raises(errors.UnavailableError, match="refused 3 events and took 22"):
        publisher(imports, bus).publish_left()

    assert len(left(imports)) == 3


def test_events_stay_while_the_bus_is_unavailable(imports: Imports, bus: Bus) -> None:
    imports.imported()
    imports.table.clock.advance(minutes=1)
    bus.fails = aws_error("InternalException", 500)

    with pytest.raises(errors.AmbiguousError):
        publisher(imports, bus).publish_left()

    assert left(imports) == ["ImportCompleted"]


def test_an_event_is_published_again_after_a_crash_with_the_same_id(imports: Imports, bus: Bus) -> None:
    imports.imported()
    imports.table.clock.advance(minutes=1)

    def crash() -> None:
        raise errors.ConnectionLostError("crash")

    before_next_write(imports.table.client.client, crash)
    with pytest.raises(errors.AmbiguousError):
        publisher(imports, bus).publish_left()
    publisher(imports, bus).publish_left()

    first, again = bus.details()
    assert first == again


def test_a_shop_can_have_an_export_besides_its_imports(imports: Imports) -> None:
    job = imports.jobs().create(DOMAIN, an_order(**AN_EXPORT, columns=("sku",), gzip=True, version=3, changed_since=1))

    assert (job.kind, job.mode, job.columns, job.gzip, job.version, job.changed_since) == (
        JobKind.EXPORT,
        None,
        ("sku",),
        True,
        3,
        1,
    )
