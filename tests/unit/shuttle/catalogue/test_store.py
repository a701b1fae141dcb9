"""The versions of a catalogue: each import makes one, in the transaction that ends its job, and a rollback restores one."""

import pytest

from lib.platform import errors
from lib.shuttle.catalogue.store import replacing
from lib.shuttle.catalogue.versions import VERSION_KEPT, VERSIONS_KEPT, Catalogue, CatalogueMovedError
from lib.shuttle.jobs.job import JobStatus, Outcome
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from tests.support.dynamodb.fake_table import before_next_write
from tests.support.shuttle.builders import DOMAIN
from tests.support.shuttle.catalogues import Imports, a_catalogue

DONE = Outcome(rows_read=1, catalogue_version=1)


def versions(imports: Imports) -> list[int]:
    return [version.version for version in imports.store().versions(DOMAIN)]


def test_a_shop_has_no_catalogue_before_its_first_import(imports: Imports) -> None:
    assert imports.store().current(DOMAIN) is None
    assert versions(imports) == []
    with pytest.raises(errors.NotFoundError, match=f"the catalogue of {DOMAIN} does not exist"):
        imports.store().rollback(DOMAIN, 1)


def test_a_version_that_is_replaced_while_the_list_is_read_is_in_it_once(imports: Imports) -> None:
    imports.imported(2)
    found = imports.store().versions(DOMAIN)

    first = next(found)
    imports.imported()

    assert [version.version for version in (first, *found)] == [2, 1]


def test_each_import_makes_a_version_and_keeps_the_former(imports: Imports) -> None:
    current = imports.imported(3)

    assert current.version == 3
    assert versions(imports) == [3, 2, 1]
    assert [len(imports.rows(version)) for version in imports.store().versions(DOMAIN)] == [3, 2, 1]
    assert imports.store().version(DOMAIN, 3) == current
    replaced = imports.table.repository.replaced_catalogue(DOMAIN, 2)
    assert replaced.expires_at == imports.table.clock() + VERSION_KEPT


def test_the_job_and_the_catalogue_change_in_one_transaction(imports: Imports) -> None:
    imports.imported()
    job = imports.jobs().start(DOMAIN, imports.order())
    base = imports.store().current(DOMAIN)
    imports.table.client.forget()

    imports.jobs().finish(job, DONE, also=replacing(base, a_catalogue(job, base)))

    [(name, request)] = imports.table.calls
    written = [
        next(iter(operation.values())).get("Key") or next(iter(operation.values()))["Item"]
        for operation in request["TransactItems"]
    ]
    assert name == "transact_write_items"
    assert [row["SK"]["S"].partition("#")[0] for row in written] == [
        "JOB",
        "SLOTS",
        "USAGE",
        "USAGE",
        "CATALOGUE",
        "CATALOGUE",
        "EVENT",
    ]


def test_an_import_that_was_overtaken_changes_nothing(imports: Imports) -> None:
    job = imports.jobs().start(DOMAIN, imports.order())
    current = imports.imported()

    with pytest.raises(CatalogueMovedError):
        imports.jobs().finish(job, DONE, also=replacing(None, a_catalogue(job)))

    assert imports.table.repository.catalogue(DOMAIN) == current
    assert imports.table.repository.job(DOMAIN, job.job_id).status is JobStatus.PROCESSING
    assert imports.table.active_jobs() == {job.job_id}


def test_the_end_of_the_job_comes_before_the_moved_catalogue(imports: Imports) -> None:
    cancelled = imports.jobs().start(DOMAIN, imports.order())
    lost = imports.jobs().start(DOMAIN, imports.order())
    imports.table.clock.advance(minutes=17)
    imports.jobs().start(DOMAIN, lost.job_id)
    imports.jobs().cancel(DOMAIN, cancelled.job_id)
    imports.imported()

    with pytest.raises(IllegalTransitionError):
        imports.jobs().finish(cancelled, DONE, also=replacing(None, a_catalogue(cancelled)))
    with pytest.raises(TakenOverError):
        imports.jobs().finish(lost, DONE, also=replacing(None, a_catalogue(lost)))


def test_finishing_twice_makes_one_version(imports: Imports) -> None:
    job = imports.jobs().start(DOMAIN, imports.order())
    made = a_catalogue(job)

    first, again = (imports.jobs().finish(job, DONE, also=replacing(None, made)) for _ in range(2))

    assert first is not None
    assert again is None
    assert imports.table.repository.catalogue(DOMAIN) == made
    assert len(list(imports.table.repository.pending_events(imports.table.clock()))) == 1


def test_a_write_whose_answer_was_lost_is_recognized(imports: Imports) -> None:
    job = imports.jobs().start(DOMAIN, imports.order())
    made = a_catalogue(job)
    table = imports.table.client.client

    def lose() -> None:
        table.after_write = lambda: None
        raise errors.ConnectionLostError("lost")

    table.after_write = lose
    with pytest.raises(errors.AmbiguousError):
        imports.jobs().finish(job, DONE, also=replacing(None, made))
    imports.imported()  # merges with it

    assert imports.jobs().finish(job, DONE, also=replacing(None, made)) is None
    assert versions(imports) == [2, 1]


def test_the_newest_versions_are_kept(imports: Imports) -> None:
    imports.imported(VERSIONS_KEPT + 3)

    assert versions(imports) == list(range(VERSIONS_KEPT + 3, 3, -1))


def test_a_version_is_kept_for_90_days(imports: Imports) -> None:
    imports.imported(2)
    imports.table.clock.advance(days=90)

    assert versions(imports) == [2]
    with pytest.raises(
        errors.NotFoundError, match=f"version 1 of the catalogue of {DOMAIN} does not exist or is no longer kept"
    ):
        imports.store().rollback(DOMAIN, 1)


def test_a_rollback_makes_a_new_version_with_the_rows_of_the_old(imports: Imports) -> None:
    imports.imported(3)

    restored, event = imports.store().rollback(DOMAIN, 1)

    assert (restored.version, restored.restored_from) == (4, 1)
    assert imports.rows(restored) == imports.rows(imports.store().version(DOMAIN, 1))
    assert imports.table.repository.catalogue(DOMAIN) == restored
    assert versions(imports) == [4, 3, 2, 1]
    assert event in list(imports.table.repository.pending_events(imports.table.clock()))


def test_a_repeated_rollback_changes_nothing(imports: Imports) -> None:
    imports.imported(2)
    restored, _ = imports.store().rollback(DOMAIN, 1)

    assert imports.store().rollback(DOMAIN, 1) == (restored, None)
    assert imports.store().rollback(DOMAIN, 3) == (restored, None)
    assert versions(imports) == [3, 2, 1]


def test_the_oldest_version_can_be_restored(imports: Imports) -> None:
    """The same transaction removes its row, which a transaction can name once only."""
    imports.imported(VERSIONS_KEPT)
    oldest = imports.store().version(DOMAIN, 1)

    restored, _ = imports.store().rollback(DOMAIN, 1)

    assert restored.object_key == oldest.object_key
    assert versions(imports) == list(range(VERSIONS_KEPT + 1, 1, -1))


@pytest.mark.parametrize("when", ["before_write", "after_write"])
def test_a_rollback_whose_answer_was_lost_happens_once(imports: Imports, when: str) -> None:
    imports.imported(2)
    table = imports.table.client.client

    def lose() -> None:
        setattr(table, when, lambda: None)
        raise errors.ConnectionLostError("lost")

    setattr(table, when, lose)
    restored, _ = imports.store().rollback(DOMAIN, 1)

    assert (restored.version, restored.restored_from) == (3, 1)
    assert versions(imports) == [3, 2, 1]


def test_a_rollback_during_an_import_is_made_onto_its_version(imports: Imports) -> None:
    imports.imported(2)
    before_next_write(imports.table.client.client, imports.imported)

    restored, _ = imports.store().rollback(DOMAIN, 1)

    assert (restored.version, restored.restored_from) == (4, 1)


@pytest.mark.parametrize("count", [3, VERSIONS_KEPT])
def test_a_version_that_goes_during_its_rollback_is_not_restored(imports: Imports, count: int) -> None:
    """Its object may be deleted once its row is gone. The row of the oldest version is deleted by the rollback itself."""
    imports.imported(count)
    table = imports.table.client.client
    before_next_write(table, lambda: table.items.pop((f"SHOP#{DOMAIN}", "CATALOGUE#VERSION#000001")))

    with pytest.raises(errors.NotFoundError, match="version 1 of the catalogue"):
        imports.store().rollback(DOMAIN, 1)
    assert versions(imports) == list(range(count, 1, -1))


def test_a_rollback_that_imports_always_overtake_is_refused(imports: Imports) -> None:
    imports.imported(2)
    table = imports.table.client.client

    def overtake() -> None:
        imports.imported()
        before_next_write(table, overtake)

    before_next_write(table, overtake)
    with pytest.raises(errors.UnavailableError, match="try again"):
        imports.store().rollback(DOMAIN, 1)


def test_the_objects_of_all_stored_versions_are_needed(imports: Imports) -> None:
    """An expired version too, as long as its row is there: a rollback may have begun just before."""
    imports.imported(VERSIONS_KEPT + 2)
    kept = {version.object_key for version in imports.store().versions(DOMAIN)}

    assert imports.store().needed_objects(DOMAIN) == kept
    imports.table.clock.advance(days=90)
    assert imports.store().needed_objects(DOMAIN) == kept


def test_what_is_needed_is_not_known_in_the_middle_of_a_change(imports: Imports) -> None:
    """A Query may show a transaction in part."""
    imports.imported(3)
    del imports.table.client.client.items[f"SHOP#{DOMAIN}", "CATALOGUE#VERSION#000002"]

    assert imports.store().needed_objects(DOMAIN) is None


def test_an_object_of_another_shop_is_refused(imports: Imports) -> None:
    job = imports.jobs().start(DOMAIN, imports.order())
    with pytest.raises(errors.InvalidInputError, match="another shop's"):
        a_catalogue(job, object_key="catalogue/kettles.example.com/000001-x-1.parquet")
    assert isinstance(a_catalogue(job), Catalogue)
