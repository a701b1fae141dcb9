"""A tenant's client reaches the tenant's rows only."""

from typing import Any

import pytest

from lib.platform.dynamodb import Delete, Table
from lib.shuttle import keys
from lib.shuttle.entities import BillingState, Column, Session, SessionKind
from lib.shuttle.jobs.job import JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository
from lib.shuttle.tenancy import TenantClient, TenantViolationError, of_shop
from tests.support.shuttle.builders import DOMAIN, NOON, OTHER, ShuttleTable, a_shop, an_order


@pytest.fixture
def tenant(shuttle_table: ShuttleTable) -> TenantClient:
    shuttle_table.registry.install(a_shop())
    shuttle_table.registry.install(a_shop(OTHER))
    return TenantClient(shuttle_table.client, shuttle_table.name, DOMAIN)


def test_everything_that_a_shop_does_stays_within_its_partitions(shuttle_table: ShuttleTable, tenant: TenantClient) -> None:
    jobs = Jobs(tenant, shuttle_table.name, shuttle_table.clock)
    repository = Repository(tenant, shuttle_table.name, shuttle_table.clock)
    job = jobs.start(DOMAIN, jobs.create(DOMAIN, an_order()).job_id)
    jobs.progress(job, rows_read=1, rows_failed=0, bytes_read=1)
    jobs.finish(job, Outcome())
    jobs.cancel(DOMAIN, jobs.create(DOMAIN, an_order()).job_id)
    assert repository.job(DOMAIN, job.job_id).status is JobStatus.COMPLETED
    assert len(list(repository.jobs(DOMAIN))) == 2
    assert len(list(repository.jobs_by_status(DOMAIN, JobStatus.CANCELLED))) == 1
    assert list(repository.sessions(DOMAIN)) == []
    assert list(repository.schema_history(DOMAIN)) == []
    assert len(list(repository.daily_usage(DOMAIN, NOON.date(), NOON.date()))) == 1


def test_no_read_or_write_reaches_another_shop(shuttle_table: ShuttleTable, tenant: TenantClient) -> None:
    theirs = shuttle_table.jobs.create(OTHER, an_order()).job_id
    jobs = Jobs(tenant, shuttle_table.name, shuttle_table.clock)
    repository = Repository(tenant, shuttle_table.name, shuttle_table.clock)
    registry = Registry(tenant, shuttle_table.name, shuttle_table.clock)
    shuttle_table.client.forget()
    for attempt in (
        lambda: repository.shop(OTHER),
        lambda: repository.job(OTHER, theirs),
        lambda: list(repository.jobs(OTHER)),
        lambda: list(repository.jobs_by_status(OTHER, JobStatus.QUEUED)),
        lambda: list(repository.sessions(OTHER)),
        lambda: list(repository.all_jobs_by_status(JobStatus.QUEUED)),
        lambda: list(repository.shops_by_install_date()),
        lambda: list(repository.shops_by_plan(Plan.LARGE, BillingState.ACTIVE)),
        lambda: list(repository.all_usage_of_month("2026-01")),
        lambda: repository.session("s1"),
        lambda: repository.app_config("imports"),
        lambda: jobs.create(OTHER, an_order()),
        lambda: jobs.start(OTHER, theirs),
        lambda: jobs.cancel(OTHER, theirs),
        jobs.sweep,
        lambda: registry.install(a_shop(OTHER)),
        lambda: registry.reconfigure(a_shop(OTHER)),
        lambda: registry.save_schema(OTHER, (Column(name="sku"),), 0),
        lambda: registry.change_app_config("imports", {"paused": "yes"}),
        lambda: registry.save_session(Session.open("s1", OTHER, SessionKind.ONLINE, NOON)),
        lambda: registry.delete_session("s1"),
    ):
        with pytest.raises(TenantViolationError):
            attempt()
    assert shuttle_table.calls == []


@pytest.mark.parametrize(
    "request_",
    [
        {"KeyConditionExpression": "#other = :pk", "ExpressionAttributeNames": {"#other": "PK"}},
        {"KeyConditionExpression": "#pk = :pk", "ExpressionAttributeNames": {"#pk": "SK"}},
        {"KeyConditionExpression": "#pk = :pkk AND #pk = :pk", "ExpressionAttributeNames": {"#pk": "PK"}},
        {"KeyConditionExpression": "#pk = :pk", "ExpressionAttributeNames": {"#pk": "PK"}, "TableName": "another"},
        {"KeyConditionExpression": "#pk = :pk", "ExpressionAttributeNames": {"#pk": "PK"}, "IndexName": "GSI3"},
    ],
)
def test_a_query_without_the_tenants_partition_is_refused(
    shuttle_table: ShuttleTable, tenant: TenantClient, request_: dict[str, Any]
) -> None:
    values = {":pk": {"S": f"SHOP#{DOMAIN}"}, ":pkk": {"S": f"SHOP#{OTHER}"}}
    with pytest.raises(TenantViolationError):
        tenant.query(**{"TableName": shuttle_table.name, "ExpressionAttributeValues": values} | request_)


def test_a_transaction_with_a_row_of_another_shop_is_refused(shuttle_table: ShuttleTable, tenant: TenantClient) -> None:
    puts = [
        {"Put": {"TableName": shuttle_table.name, "Item": {"PK": {"S": f"SHOP#{domain}"}, "SK": {"S": "X"}}}}
        for domain in (DOMAIN, OTHER)
    ]
    with pytest.raises(TenantViolationError):
        tenant.transact_write_items(TransactItems=puts)
    assert shuttle_table.get_raw(f"SHOP#{DOMAIN}", "X") == {}


def delete(partition: str, domain: str | None = None) -> dict[str, Any]:
    """A DeleteItem request, on the condition that the row is the shop's."""
    condition = of_shop(domain) if domain else None
    return Delete(key={"PK": {"S": partition}, "SK": {"S": "SESSION"}}, condition=condition).statement("Shuttle")


@pytest.mark.parametrize(
    "request_",
    [
        delete(f"SHOP#{OTHER}"),
        delete(f"SHOP#{OTHER}", DOMAIN),
        delete("APP", DOMAIN),
        delete("SESSION#s1"),
        delete("SESSION#s1", OTHER),
        delete("SESSION#s1", DOMAIN) | {"TableName": "another"},
        delete("SESSION#s1", DOMAIN) | {"ConditionExpression": "#ShopDomain = :shop OR attribute_exists(PK)"},
        delete("SESSION#s1", DOMAIN) | {"ExpressionAttributeNames": {"#ShopDomain": "SK"}},
    ],
)
def test_a_deletion_outside_of_the_shop_is_refused(
    shuttle_table: ShuttleTable, tenant: TenantClient, request_: dict[str, Any]
) -> None:
    shuttle_table.client.forget()
    with pytest.raises(TenantViolationError):
        tenant.delete_item(**request_)
    assert shuttle_table.calls == []


@pytest.mark.parametrize(("holder", "is_deleted"), [(DOMAIN, True), (OTHER, False)])
def test_a_session_is_deleted_if_it_is_the_shops(
    shuttle_table: ShuttleTable, tenant: TenantClient, holder: str, is_deleted: bool
) -> None:
    shuttle_table.registry.save_session(Session.open("s1", holder, SessionKind.ONLINE, NOON))
    statement = Delete(key=keys.session("s1").attributes(), condition=of_shop(DOMAIN))

    assert Table(tenant, shuttle_table.name).delete(statement, "delete").accepted is is_deleted
    assert bool(shuttle_table.get_raw("SESSION#s1", "SESSION")) is not is_deleted


def test_a_batch_with_a_row_of_another_shop_is_refused(shuttle_table: ShuttleTable, tenant: TenantClient) -> None:
    rows = [Delete(key=keys.shop(domain).attributes()) for domain in (DOMAIN, OTHER)]
    with pytest.raises(TenantViolationError):
        Table(tenant, shuttle_table.name).batch_write(rows, "delete")
    assert shuttle_table.repository.shop(DOMAIN)


@pytest.mark.parametrize("method", ["scan", "batch_get_item", "execute_statement", "delete_table"])
def test_operations_without_a_check_do_not_exist(tenant: TenantClient, method: str) -> None:
    assert not hasattr(tenant, method)
