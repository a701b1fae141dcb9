"""The removal of a shop: nothing of it is left, nothing of another is touched, and it can be interrupted anywhere."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from lib.platform import errors
from lib.shuttle import entities, keys
from lib.shuttle.catalogue.store import CatalogueStore, replacing
from lib.shuttle.entities import BillingState, Column, Session, SessionKind
from lib.shuttle.jobs.job import Job, JobKind, JobStatus, Outcome
from lib.shuttle.jobs.limits import BillingInactiveError
from lib.shuttle.removal import SETTLING, Removal, Removed, ShopObjects
from tests.support.aws.multipart_s3 import MultipartS3, s3_error
from tests.support.shuttle.builders import NOON, ShuttleTable, a_shop, an_order
from tests.support.shuttle.catalogues import a_catalogue

GONE, ALIKE, NESTED = "shop-1.example", "shop-1.example.org", "a.shop-1.example"
"""The shop that is removed, and two others whose names contain its name."""


def always() -> bool:
    return True


class Shops:
    """A table and a bucket with shops."""

    def __init__(self, table: ShuttleTable) -> None:
        self.table = table
        self.bucket = MultipartS3()
        for domain in (GONE, ALIKE, NESTED):
            self.live(domain)

    def live(self, domain: str) -> None:
        """What a shop leaves behind: imports, versions, a rollback, exports, schemas, sessions, usage, events and files."""
        self.table.registry.install(a_shop(domain))
        for version in range(2):
            self.table.registry.save_schema(domain, (Column(name="sku"),), version, key_columns=("sku",))
        for _ in range(2):
            self.run_import(domain)
        store = CatalogueStore(self.table.client, self.table.name, self.table.clock)
        store.rollback(domain, 1)
        self.run(domain, an_order(kind=JobKind.EXPORT, mode=None), Outcome(rows_read=2))
        self.run(domain, an_order(), Outcome(failure="EMPTY_FILE"))
        for status in (JobStatus.CANCELLED, JobStatus.PROCESSING, JobStatus.QUEUED):
            job = self.table.jobs.create(domain, an_order())
            self.upload(job)
            if status is JobStatus.CANCELLED:
                self.table.jobs.cancel(domain, job.job_id)
            elif status is JobStatus.PROCESSING:
                self.table.jobs.start(domain, job.job_id)
        for number, kind in enumerate((*SessionKind, SessionKind.OFFLINE)):
            self.table.registry.save_session(Session.open(f"{number}_{domain}", domain, kind, NOON, values={"token": "t"}))
        ended = Session.open(f"ended_{domain}", domain, SessionKind.ONLINE, NOON - timedelta(days=2))
        self.table.put_raw(entities.to_item(ended))
        self.bucket.objects |= {f"{prefix}{number}" for prefix in keys.object_prefixes(domain) for number in range(3)}

    def upload(self, job: Job) -> None:
        key = keys.upload_object(job.shop_domain, job.job_id)
        self.table.jobs.record_upload(job, self.bucket.create_multipart_upload(Key=key)["UploadId"])

    def run_import(self, domain: str) -> None:
        base = CatalogueStore(self.table.client, self.table.name, self.table.clock).current(domain)
        job = self.table.jobs.start(domain, self.table.jobs.create(domain, an_order()).job_id)
        made = a_catalogue(job, base)
        self.bucket.objects |= {made.object_key, keys.changes_object(domain, job.job_id, 1)}
        self.table.jobs.finish(job, Outcome(rows_read=1, catalogue_version=made.version), also=replacing(base, made))

    def run(self, domain: str, order: Any, outcome: Outcome) -> None:
        job = self.table.jobs.start(domain, self.table.jobs.create(domain, order).job_id)
        self.table.jobs.finish(job, outcome)

    def removal(self, domain: str = GONE) -> Removal:
        return Removal(self.table.client, self.table.name, domain, self.table.clock)

    def remove(self, domain: str = GONE, has_time: Callable[[], bool] = always) -> Removed:
        return self.removal(domain).run(ShopObjects(self.bucket, "imports"), has_time)

    def remove_whole(self) -> list[Removed]:
        calls = [self.remove()]
        while not calls[-1].complete:
            self.table.clock.advance(seconds=5)
            calls.append(self.remove())
        return calls

    def stored(self, domain: str) -> list[str]:
        """Every row, object and incomplete upload that names the shop anywhere."""
        name = re.compile(rf"(?<![\w.-]){re.escape(domain)}(?![\w.-])")
        rows = map(json.dumps, self.table.rows())
        everything = [*rows, *self.bucket.objects, *self.bucket.open.values()]
        return sorted(each for each in everything if name.search(each))


@pytest.fixture
def shops(shuttle_table: ShuttleTable) -> Shops:
    return Shops(shuttle_table)


def test_nothing_of_the_shop_is_left_and_nothing_of_others_is_touched(shops: Shops) -> None:
    before = {domain: shops.stored(domain) for domain in (GONE, ALIKE, NESTED)}
    kinds = {row["EntityType"]["S"] for row in shops.table.rows()}
    assert {"Shop", "Job", "Schema", "Session", "Catalogue", "PendingEvent", "UsageDaily", "Request", "Slots"} <= kinds

    calls = shops.remove_whole()

    assert shops.stored(GONE) == []
    assert {domain: shops.stored(domain) for domain in (ALIKE, NESTED)} == {
        domain: before[domain] for domain in (ALIKE, NESTED)
    }
    assert sum(call.rows + call.objects + call.sessions for call in calls) == len(before[GONE])
    assert sum(call.sessions for call in calls) == 4


def test_the_rows_stay_until_workers_and_indexes_have_settled(shops: Shops) -> None:
    first = shops.remove()
    assert (first.rows, first.complete) == (0, False)
    assert {job.status for job in shops.table.repository.jobs(GONE)} <= {
        *(JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
    }
    shops.bucket.objects.add(keys.report_object(GONE, "01KFK6V8M0ABCDEFGHJKMNPQRS"))  # a worker stops a moment later

    shops.table.clock.advance(seconds=SETTLING.total_seconds())

    assert shops.remove().complete
    assert shops.stored(GONE) == []


def test_nothing_of_the_shop_can_be_created_during_its_removal(shops: Shops) -> None:
    shops.remove()
    registry, shop = shops.table.registry, shops.table.repository.shop(GONE)
    assert shop.billing_state is BillingState.CANCELLED
    assert [found.shop_domain for found in shops.table.repository.shops_by_plan(shop.plan, BillingState.CANCELLED)] == [GONE]

    with pytest.raises(BillingInactiveError):
        shops.table.jobs.create(GONE, an_order())
    for create in (
        lambda: registry.reconfigure(a_shop(GONE)),
        lambda: registry.change_plan(GONE, shop.plan, BillingState.ACTIVE),
        lambda: registry.save_schema(GONE, (Column(name="sku"),), 2, key_columns=("sku",)),
        lambda: registry.save_session(Session.open("late", GONE, SessionKind.ONLINE, NOON)),
    ):
        with pytest.raises(errors.InvalidInputError, match="is being removed"):
            create()
    assert not registry.install(a_shop(GONE))


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_worker_can_not_store_its_result_after_the_removal_began(shops: Shops, is_removed: bool) -> None:
    running = next(job for job in shops.table.repository.jobs(GONE) if job.status is JobStatus.PROCESSING)
    base = CatalogueStore(shops.table.client, shops.table.name, shops.table.clock).current(GONE)
    if is_removed:
        shops.remove_whole()
    else:
        shops.remove()
    before = shops.stored(GONE)

    with pytest.raises(errors.PermanentError):
        shops.table.jobs.finish(running, Outcome(rows_read=1), also=replacing(base, a_catalogue(running, base)))
    with pytest.raises(errors.PermanentError):
        shops.table.jobs.progress(running, rows_read=1, rows_failed=0, bytes_read=1)

    assert shops.stored(GONE) == before


def test_an_order_that_was_admitted_before_can_not_create_a_job(shops: Shops, monkeypatch: pytest.MonkeyPatch) -> None:
    transact = shops.table.client.client.transact_write_items

    def late(**request: Any) -> Any:
        monkeypatch.undo()
        shops.remove()
        return transact(**request)

    monkeypatch.setattr(shops.table.client.client, "transact_write_items", late)
    with pytest.raises(errors.UnavailableError):
        shops.table.jobs.create(GONE, an_order())


def test_a_removal_goes_on_where_it_ran_out_of_time(shops: Shops) -> None:
    """With time for one more batch only, each call still gets further."""
    shops.bucket.page = 2
    shops.remove()
    shops.table.clock.advance(seconds=SETTLING.total_seconds())

    def one_batch() -> Callable[[], bool]:
        left: Iterator[bool] = iter([True] * 11)  # more than there are batches to find empty
        return lambda: next(left, False)

    calls = [shops.remove(has_time=one_batch())]
    while not calls[-1].complete:
        assert len(calls) < 100
        calls.append(shops.remove(has_time=one_batch()))

    assert shops.stored(GONE) == []


def test_a_removal_that_fails_at_any_call_can_be_repeated(shops: Shops) -> None:
    shops.remove()
    shops.table.clock.advance(seconds=SETTLING.total_seconds())
    client, calls = shops.table.client, 0
    while True:
        calls += 1
        failing = Failing(client, calls)
        try:
            Removal(failing, shops.table.name, GONE, shops.table.clock).run(ShopObjects(shops.bucket, "imports"), always)
        except errors.SwitchboardError:
            assert shops.table.get_raw(f"SHOP#{GONE}", "SHOP"), "the shop's row is the last"
            continue
        break

    assert calls > 3
    assert shops.stored(GONE) == []
    assert shops.stored(ALIKE)


class Failing:
    """A DynamoDB client whose nth call fails."""

    def __init__(self, client: Any, number: int) -> None:
        self._client = client
        self._left = number

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self._left -= 1
            if not self._left:
                raise s3_error("InternalServerError", 500)
            return getattr(self._client, name)(**request)

        return call


def test_an_object_that_is_not_deleted_keeps_the_shop(shops: Shops) -> None:
    shops.remove()
    shops.table.clock.advance(seconds=SETTLING.total_seconds())
    kept = f"exports/{GONE}/late"
    shops.bucket.objects.add(kept)
    shops.bucket.kept = {kept}

    with pytest.raises(errors.UnavailableError, match="1 of 1 objects: InternalError"):
        shops.remove()

    assert shops.table.repository.shop(GONE)
    shops.bucket.kept = set()
    assert shops.remove().complete


def test_a_file_that_arrives_later_is_deleted_by_another_removal(shops: Shops) -> None:
    """An upload link is valid for an hour, and no removal can revoke it."""
    shops.remove_whole()
    shops.bucket.objects.add(keys.upload_object(GONE, "01KFK6V8M0ABCDEFGHJKMNPQRS"))

    assert shops.remove() == Removed(rows=0, objects=1, sessions=0, complete=True)
    with pytest.raises(errors.NotFoundError, match="nothing of it is stored"):
        shops.remove()


def test_a_shop_can_be_installed_again_after_its_removal(shops: Shops) -> None:
    shops.remove_whole()

    shops.live(GONE)

    assert shops.table.repository.shop(GONE).billing_state is BillingState.ACTIVE
    assert shops.table.repository.catalogue(GONE).version == 3


def test_an_upload_completed_in_the_meantime_is_not_an_error(shops: Shops) -> None:
    shops.bucket.failures["abort_multipart_upload"] = s3_error("NoSuchUpload", 404)

    shops.remove_whole()

    assert [row for row in shops.stored(GONE) if "SHOP" in row] == []
