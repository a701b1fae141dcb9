"""The routes of catalogues and exports over a table in memory: what each answers, and what is refused."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from lib.platform import clock
from lib.shuttle import entities, keys
from lib.shuttle.catalogue.versions import PendingEvent
from lib.shuttle.entities import Column, Schema
from lib.shuttle.jobs.job import JobKind, Outcome
from tests.support.aws.sqs import RecordingSqs
from tests.support.shuttle.api import Api, ShopApi
from tests.support.shuttle.builders import DOMAIN, NOON, ShuttleTable, an_order
from tests.support.shuttle.catalogues import Imports


@pytest.fixture
def shop(api: Api) -> ShopApi:
    return api.shop(DOMAIN)


@pytest.fixture
def imports(shuttle_table: ShuttleTable) -> Imports:
    shuttle_table.clock.moment = clock.utc_now()
    return Imports(shuttle_table)


def test_an_export_is_queued_at_once_and_again_with_its_token(shop: ShopApi, sqs: RecordingSqs) -> None:
    order = {
        "kind": "EXPORT",
        "client_token": "nightly",
        "file_format": "JSONL",
        "gzip": True,
        "columns": ["sku"],
        "version": 3,
    }

    first, again = (shop.call("POST", "jobs", order) for _ in range(2))

    assert (first.status_code, again.status_code) == (202, 202)
    job = first.json()["job"]
    assert (first.json()["upload"], job["mode"], job["file_bytes"]) == (None, None, None)
    assert (job["kind"], job["columns"], job["gzip"], job["version"], job["changed_since"]) == (
        "EXPORT",
        ["sku"],
        True,
        3,
        None,
    )
    assert again.json() == first.json()
    assert sqs.messages == [{"export": {"shop_domain": DOMAIN, "job_id": job["job_id"]}}] * 2
    assert shop.call("GET", "usage").json()["days"][0]["exports"] == 1


def test_an_export_that_can_not_be_queued_is_sent_again_by_the_sweep(
    shop: ShopApi, sqs: RecordingSqs, shuttle_table: ShuttleTable
) -> None:
    sqs.fails = EndpointConnectionError(endpoint_url="https://sqs.example")

    assert shop.call("POST", "jobs", {"kind": "EXPORT"}).status_code == 503

    shuttle_table.clock.moment = clock.utc_now()
    shuttle_table.jobs.create(DOMAIN, an_order())
    assert list(shuttle_table.jobs.waiting_exports()) == []
    shuttle_table.clock.advance(minutes=11)
    assert [job.kind for job in shuttle_table.jobs.waiting_exports()] == [JobKind.EXPORT]
    shuttle_table.clock.advance(hours=24)
    assert shuttle_table.jobs.sweep() == {"WORKER_LOST": 1, "UPLOAD_MISSING": 1}


def test_a_finished_export_is_not_queued_again(shop: ShopApi, sqs: RecordingSqs, shuttle_table: ShuttleTable) -> None:
    order = {"kind": "EXPORT", "client_token": "nightly"}
    job_id = shop.call("POST", "jobs", order).json()["job"]["job_id"]
    shuttle_table.jobs.finish(shuttle_table.jobs.start(DOMAIN, job_id), Outcome())

    assert shop.call("POST", "jobs", order).json()["job"]["status"] == "COMPLETED"
    assert len(sqs.messages) == 1


def test_an_import_for_a_schema_without_a_key_is_refused(shop: ShopApi, shuttle_table: ShuttleTable) -> None:
    keyless = Schema(shop_domain=DOMAIN, version=2, columns=(Column(name="sku"),), created_at=NOON)
    shuttle_table.put_raw(entities.to_item(keyless, keys.schema_current(DOMAIN)))

    answer = shop.call("POST", "jobs", {"file_bytes": 10})

    assert answer.status_code == 400
    assert (
        answer.json()["message"] == 'The schema has no key. Save it with a key of 1 to 3 columns, for example "key": ["sku"].'
    )
    assert shop.call("GET", "jobs").json()["jobs"] == []


def test_a_dry_run_and_a_rule_for_duplicates_are_part_of_the_job(shop: ShopApi) -> None:
    order = {"dry_run": True, "duplicates": "refuse", "delimiter": ";", "mode": "WIPE_AND_RESTORE", "confirm": DOMAIN}

    job = shop.order(10, **order)["job"]

    assert (job["dry_run"], job["duplicate_rule"], job["delimiter"], job["mode"]) == (True, "refuse", ";", "WIPE_AND_RESTORE")
    assert (job["duplicates"], job["added"], job["has_changes"], job["has_result"]) == (0, 0, False, False)
    assert "changes_key" not in job
    assert "result_key" not in job


def test_the_limits_of_the_plan_or_those_agreed_are_part_of_the_shop(api: Api) -> None:
    agreed = {"concurrent_jobs": 1, "daily_imports": 2, "monthly_imports": 3, "max_file_bytes": 4, "max_rows": 5}

    plan = api.shop(plan="FREE").api.call("GET", f"/shuttle/shops/{api.shop(DOMAIN, plan='FREE').domain}").json()["shop"]
    own = api.call("PUT", f"/shuttle/shops/{DOMAIN}", {"plan": "FREE", "feature_limits": agreed}).json()["shop"]

    assert plan["limits"]["max_catalogue_rows"] == 50_000
    assert plan["feature_limits"] is None
    assert own["limits"] == agreed | {"max_catalogue_rows": 20_000_000}


def test_changes_are_linked_once_an_import_has_some(shop: ShopApi, shuttle_table: ShuttleTable) -> None:
    job_id = shop.order(10)["job"]["job_id"]
    assert shop.call("GET", f"jobs/{job_id}/changes").status_code == 404
    job = shuttle_table.jobs.start(DOMAIN, job_id)
    key = keys.changes_object(DOMAIN, job_id, job.attempt)
    shuttle_table.jobs.finish(job, Outcome(changes_key=key))

    link = shop.call("GET", f"jobs/{job_id}/changes").json()

    assert key in link["url"]
    assert link["expires_in_seconds"] == 3600
    assert shop.job(job_id)["has_changes"] is True


def test_the_result_of_an_export_is_linked_for_7_days(shop: ShopApi, shuttle_table: ShuttleTable) -> None:
    shuttle_table.clock.moment = clock.utc_now()
    job_id = shop.call("POST", "jobs", {"kind": "EXPORT", "gzip": True}).json()["job"]["job_id"]
    assert shop.call("GET", f"jobs/{job_id}/result").status_code == 404
    shuttle_table.clock.advance(seconds=1)
    job = shuttle_table.jobs.start(DOMAIN, job_id)
    key = keys.export_object(DOMAIN, job_id, job.attempt, "csv.gz")
    shuttle_table.jobs.finish(job, Outcome(result_key=key))

    assert key in shop.call("GET", f"jobs/{job_id}/result").json()["url"]

    row = shuttle_table.get_raw(f"SHOP#{DOMAIN}", f"JOB#{job_id}")
    row["StatusSince"] = {"S": clock.canonical(clock.utc_now().replace(year=clock.utc_now().year - 1))}
    shuttle_table.put_raw(row)
    late = shop.call("GET", f"jobs/{job_id}/result")
    assert late.status_code == 404
    assert late.json()["message"] == "the result was kept for 7 days: order the export again"


def test_the_catalogue_and_its_versions_are_shown(shop: ShopApi, imports: Imports) -> None:
    assert shop.call("GET", "catalogue").status_code == 404
    assert shop.call("GET", "catalogue/versions").json() == {"versions": []}
    current = imports.imported(2)

    shown = shop.call("GET", "catalogue").json()["catalogue"]
    versions = shop.call("GET", "catalogue/versions").json()["versions"]

    assert shown == {
        "shop_domain": DOMAIN,
        "version": 2,
        "rows": 2,
        "bytes": 100,
        "schema_version": 1,
        "key": ["sku"],
        "job_id": current.job_id,
        "made_at": clock.canonical(current.made_at),
        "restored_from": None,
        "expires_at": None,
    }
    assert versions[0] == shown
    assert (versions[1]["version"], versions[1]["expires_at"] is not None) == (1, True)


def test_a_rollback_makes_a_version_and_is_published(shop: ShopApi, imports: Imports, published: list[PendingEvent]) -> None:
    imports.imported(2)

    answer, again = (shop.call("POST", "catalogue/rollback", {"version": 1}) for _ in range(2))

    assert answer.status_code == 200
    assert answer.json() == again.json() == shop.call("GET", "catalogue").json()
    assert (answer.json()["catalogue"]["version"], answer.json()["catalogue"]["restored_from"]) == (3, 1)
    assert [event.detail_type for event in published] == ["CatalogueRolledBack"]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"version": 7}, 404), ({"version": 0}, 400), ({}, 400), ({"version": "1"}, 400), ({"version": True}, 400), ([], 400)],
)
def test_a_rollback_to_an_unknown_or_invalid_version_is_refused(
    shop: ShopApi, imports: Imports, body: Any, status: int
) -> None:
    imports.imported(2)

    assert shop.call("POST", "catalogue/rollback", body).status_code == status
    assert shop.call("GET", "catalogue").json()["catalogue"]["version"] == 2
