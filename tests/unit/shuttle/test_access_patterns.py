"""Every access pattern of Shuttle: the one request it sends, and what it finds."""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest

from lib.platform import clock, errors
from lib.shuttle import entities, items, keys, ulids
from lib.shuttle.entities import AppConfig, BillingState, Column, Session, SessionKind, UsageDaily, UsageMonthly
from lib.shuttle.jobs.job import FileFormat, Job, JobKind, JobMode, JobStatus
from lib.shuttle.jobs.plans import Plan
from tests.support.shuttle.builders import DOMAIN, NOON, OTHER, ShuttleTable, a_shop, an_order

UNEXPIRED = "attribute_not_exists(#ttl) OR #ttl > :now"
NOW = {":now": {"N": str(clock.epoch_s(NOON))}}


def put(table: ShuttleTable, *stored: Any) -> None:
    for entity in stored:
        table.put_raw(entities.to_item(entity))


def a_job(minutes_ago: int = 0, domain: str = DOMAIN, status: JobStatus = JobStatus.QUEUED, **changes: Any) -> Job:
    made = NOON - timedelta(minutes=minutes_ago)
    values: dict[str, Any] = {
        "shop_domain": domain,
        "job_id": ulids.new(made),
        "kind": JobKind.IMPORT,
        "mode": JobMode.NEW_ONLY,
        "file_format": FileFormat.CSV,
        "status": status,
        "status_since": made,
        "created_at": made,
        "expires_at": made + timedelta(days=90),
        "lease_until": made if status is JobStatus.PROCESSING else None,
        "failure": "EMPTY_FILE" if status is JobStatus.FAILED else None,
    }
    return Job(**values | changes)


def sent(table: ShuttleTable, method: str) -> dict[str, Any]:
    """The only call that was made, but for the table's name and the page size."""
    ((name, request),) = table.calls
    assert name == method
    assert request["TableName"] == table.name
    return {key: value for key, value in request.items() if key not in {"TableName", "Limit"}}


def a_query(pk: str, condition: str = "", values: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    """The Query that asks ``pk`` with a sort condition, as DynamoDB gets it."""
    index = rest.get("IndexName", "")
    hash_name, range_name = {"": ("PK", "SK"), "StatusIndex": ("ShopDomain", "Status")}.get(index, (f"{index}PK", f"{index}SK"))
    return {
        "KeyConditionExpression": "#pk = :pk" + condition,
        "FilterExpression": UNEXPIRED,
        "ExpressionAttributeNames": {"#pk": hash_name, "#ttl": "ExpiresAt"} | ({"#sk": range_name} if condition else {}),
        "ExpressionAttributeValues": {":pk": {"S": pk}} | NOW | {name: {"S": value} for name, value in (values or {}).items()},
        "ScanIndexForward": True,
    } | rest


# Shops


def test_a_shop_is_one_get_item(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, a_shop(), a_shop(OTHER))
    assert shuttle_table.repository.shop(DOMAIN) == a_shop()
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": "SHOP#teapots.example.com"}, "SK": {"S": "SHOP"}},
        "ConsistentRead": True,
    }


def test_a_shop_that_never_installed_is_not_found(shuttle_table: ShuttleTable) -> None:
    with pytest.raises(errors.NotFoundError):
        shuttle_table.repository.shop(DOMAIN)


def test_shops_are_listed_newest_first(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, a_shop(), a_shop(OTHER, installed_at=NOON + timedelta(days=1)))
    found = [shop.shop_domain for shop in shuttle_table.repository.shops_by_install_date()]
    assert found == [OTHER, DOMAIN]
    assert sent(shuttle_table, "query") == a_query("SHOPS", IndexName="GSI1", ScanIndexForward=False)


def test_shops_are_listed_by_install_date_both_ends_included(shuttle_table: ShuttleTable) -> None:
    days = [a_shop(f"shop{day}.example.com", installed_at=NOON + timedelta(days=day)) for day in range(4)]
    put(shuttle_table, *days)
    found = shuttle_table.repository.shops_by_install_date(NOON + timedelta(days=1), NOON + timedelta(days=2))
    assert [shop.shop_domain for shop in found] == ["shop2.example.com", "shop1.example.com"]
    assert sent(shuttle_table, "query") == a_query(
        "SHOPS",
        " AND #sk BETWEEN :low AND :high",
        {":low": "2026-01-23T12:00:00.000000Z", ":high": "2026-01-24T12:00:00.000000Z\x7f"},
        IndexName="GSI1",
        ScanIndexForward=False,
    )


def test_shops_are_listed_by_plan_and_billing_state(shuttle_table: ShuttleTable) -> None:
    put(
        shuttle_table,
        a_shop("a.example.com"),
        a_shop("b.example.com", billing_state=BillingState.SUSPENDED),
        a_shop("c.example.com", plan=Plan.SMALL),
    )
    found = list(shuttle_table.repository.shops_by_plan(Plan.LARGE, BillingState.ACTIVE))
    assert found == [
        entities.ShopSummary(shop_domain="a.example.com", plan=Plan.LARGE, billing_state=BillingState.ACTIVE, installed_at=NOON)
    ]
    assert sent(shuttle_table, "query") == a_query(
        "PLAN#LARGE", " AND begins_with(#sk, :sk)", {":sk": "BILLING#ACTIVE#"}, IndexName="GSI2"
    )


# Jobs of a shop


def test_a_job_is_one_get_item(shuttle_table: ShuttleTable) -> None:
    job = a_job()
    put(shuttle_table, job)
    assert shuttle_table.repository.job(DOMAIN, job.job_id) == job
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": "SHOP#teapots.example.com"}, "SK": {"S": f"JOB#{job.job_id}"}},
        "ConsistentRead": True,
    }


def test_a_job_is_not_found_under_another_shop(shuttle_table: ShuttleTable) -> None:
    job = a_job()
    put(shuttle_table, job)
    with pytest.raises(errors.NotFoundError):
        shuttle_table.repository.job(OTHER, job.job_id)


def test_the_jobs_of_a_shop_are_listed_newest_first(shuttle_table: ShuttleTable) -> None:
    old, new = a_job(minutes_ago=9), a_job(minutes_ago=1)
    put(shuttle_table, old, new, a_job(domain=OTHER), a_shop())
    assert list(shuttle_table.repository.jobs(DOMAIN)) == [new, old]
    assert sent(shuttle_table, "query") == a_query(
        "SHOP#teapots.example.com", " AND begins_with(#sk, :sk)", {":sk": "JOB#"}, ScanIndexForward=False
    )


def test_the_jobs_of_a_shop_are_fetched_a_page_at_a_time(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, *(a_job(minutes_ago=minute) for minute in range(5)))
    jobs = shuttle_table.repository.jobs(DOMAIN, page_size=2)
    assert shuttle_table.calls == []
    first = list(itertools.islice(jobs, 2))
    assert [request["Limit"] for _, request in shuttle_table.calls] == [2]
    rest = list(jobs)
    assert len(first + rest) == 5
    assert len(shuttle_table.calls) == 3


def test_a_list_of_jobs_continues_after_the_last_one_seen(shuttle_table: ShuttleTable) -> None:
    jobs = [a_job(minutes_ago=minute) for minute in range(3)]
    put(shuttle_table, *jobs)
    assert list(shuttle_table.repository.jobs(DOMAIN, after=jobs[0].job_id)) == jobs[1:]
    assert sent(shuttle_table, "query")["ExclusiveStartKey"] == {
        "PK": {"S": "SHOP#teapots.example.com"},
        "SK": {"S": f"JOB#{jobs[0].job_id}"},
    }


def test_jobs_are_listed_between_dates_both_ends_included(shuttle_table: ShuttleTable) -> None:
    jobs = [a_job(minutes_ago=minute) for minute in range(4)]
    put(shuttle_table, *jobs)
    start, end = NOON - timedelta(minutes=2), NOON - timedelta(minutes=1)
    assert list(shuttle_table.repository.jobs_between(DOMAIN, start, end)) == [jobs[1], jobs[2]]
    assert sent(shuttle_table, "query") == a_query(
        "SHOP#teapots.example.com",
        " AND #sk BETWEEN :low AND :high",
        {":low": f"JOB#{ulids.first_at(start)}", ":high": f"JOB#{ulids.last_at(end)}"},
        ScanIndexForward=False,
    )


def test_after_must_be_a_job_between_the_dates(shuttle_table: ShuttleTable) -> None:
    outside = ulids.new(NOON - timedelta(days=3))
    with pytest.raises(errors.InvalidInputError):
        shuttle_table.repository.jobs_between(DOMAIN, NOON - timedelta(days=2), NOON, after=outside)


def test_the_jobs_of_a_shop_are_listed_by_status(shuttle_table: ShuttleTable) -> None:
    failed = a_job(status=JobStatus.FAILED)
    put(shuttle_table, failed, a_job(), a_job(domain=OTHER, status=JobStatus.FAILED))
    (found,) = shuttle_table.repository.jobs_by_status(DOMAIN, JobStatus.FAILED)
    assert (found.job_id, found.failure) == (failed.job_id, "EMPTY_FILE")
    assert sent(shuttle_table, "query") == a_query(
        "teapots.example.com", " AND #sk = :sk", {":sk": "FAILED"}, IndexName="StatusIndex"
    )


def test_a_list_by_status_continues_after_the_last_job_seen(shuttle_table: ShuttleTable) -> None:
    jobs = {job.job_id for job in (a_job(minutes_ago=minute) for minute in range(3)) if not put(shuttle_table, job)}
    (first,) = itertools.islice(shuttle_table.repository.jobs_by_status(DOMAIN, JobStatus.QUEUED, page_size=1), 1)
    rest = shuttle_table.repository.jobs_by_status(DOMAIN, JobStatus.QUEUED, after=first.job_id)
    assert {job.job_id for job in rest} == jobs - {first.job_id}


# Jobs of all shops


def test_the_jobs_of_all_shops_are_one_query_per_shard_merged(shuttle_table: ShuttleTable) -> None:
    jobs = [a_job(minutes_ago=minute, domain=f"shop{minute}.example.com") for minute in range(30)]
    put(shuttle_table, *jobs, a_job(status=JobStatus.FAILED))
    found = [job.job_id for job in shuttle_table.repository.all_jobs_by_status(JobStatus.QUEUED)]
    assert found == [job.job_id for job in reversed(jobs)]
    requests = [
        {key: value for key, value in request.items() if key not in {"TableName", "Limit"}}
        for _, request in shuttle_table.calls
    ]
    assert requests == [a_query(f"JOBS#QUEUED#{shard:02d}", IndexName="GSI1") for shard in range(8)]


def test_the_jobs_of_all_shops_are_fetched_as_they_are_read(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, *(a_job(minutes_ago=minute) for minute in range(40)))
    next(shuttle_table.repository.all_jobs_by_status(JobStatus.QUEUED, page_size=1))
    assert len(shuttle_table.calls) == keys.STATUS_SHARDS


def test_jobs_are_spread_over_every_shard() -> None:
    shards = {keys.status_shard(ulids.new(NOON)) for _ in range(500)}
    assert shards == set(range(keys.STATUS_SHARDS))


def test_stale_jobs_have_their_status_since_the_time_or_longer(shuttle_table: ShuttleTable) -> None:
    jobs = [a_job(minutes_ago=minute, status=JobStatus.PROCESSING) for minute in (10, 60, 90)]
    put(shuttle_table, *jobs)
    found = shuttle_table.repository.stale_jobs(JobStatus.PROCESSING, NOON - timedelta(minutes=60))
    assert [job.job_id for job in found] == [jobs[2].job_id, jobs[1].job_id]
    assert {request["KeyConditionExpression"] for _, request in shuttle_table.calls} == {
        "#pk = :pk AND #sk BETWEEN :low AND :high"
    }
    assert {request["ExpressionAttributeValues"][":high"]["S"] for _, request in shuttle_table.calls} == {
        "2026-01-22T11:00:00.000000Z\x7f"
    }
    assert len(shuttle_table.calls) == keys.STATUS_SHARDS


# Usage


def a_day(day: int, domain: str = DOMAIN, **counters: int) -> UsageDaily:
    return UsageDaily(shop_domain=domain, day=date(2026, 1, day), expires_at=NOON + timedelta(days=400), **counters)


def test_daily_usage_is_listed_by_range_both_ends_included(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, *(a_day(day, imports=day) for day in (20, 21, 22, 23)), a_day(21, OTHER))
    found = shuttle_table.repository.daily_usage(DOMAIN, date(2026, 1, 21), date(2026, 1, 22))
    assert list(found) == [a_day(21, imports=21), a_day(22, imports=22)]
    assert sent(shuttle_table, "query") == a_query(
        "SHOP#teapots.example.com",
        " AND #sk BETWEEN :low AND :high",
        {":low": "USAGE#DAY#2026-01-21", ":high": "USAGE#DAY#2026-01-22"},
    )


def test_monthly_usage_is_listed_by_range_both_ends_included(shuttle_table: ShuttleTable) -> None:
    months = [UsageMonthly(shop_domain=DOMAIN, month=month, imports=3) for month in ("2025-11", "2025-12", "2026-01")]
    put(shuttle_table, *months)
    assert list(shuttle_table.repository.monthly_usage(DOMAIN, "2025-12", "2026-01")) == months[1:]
    assert sent(shuttle_table, "query") == a_query(
        "SHOP#teapots.example.com",
        " AND #sk BETWEEN :low AND :high",
        {":low": "USAGE#MONTH#2025-12", ":high": "USAGE#MONTH#2026-01"},
    )


def test_the_usage_of_a_day_is_listed_for_all_shops(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, a_day(22, rows_read=7), a_day(22, OTHER), a_day(21))
    assert list(shuttle_table.repository.all_usage_of_day(date(2026, 1, 22))) == [a_day(22, OTHER), a_day(22, rows_read=7)]
    assert sent(shuttle_table, "query") == a_query("USAGE#DAY#2026-01-22", IndexName="GSI2")


def test_the_usage_of_a_month_is_listed_for_all_shops(shuttle_table: ShuttleTable) -> None:
    usage = UsageMonthly(shop_domain=DOMAIN, month="2026-01", exports=2)
    put(shuttle_table, usage, UsageMonthly(shop_domain=DOMAIN, month="2025-12"))
    assert list(shuttle_table.repository.all_usage_of_month("2026-01")) == [usage]
    assert sent(shuttle_table, "query") == a_query("USAGE#MONTH#2026-01", IndexName="GSI2")


# Schemas


def test_the_current_schema_is_one_get_item(shuttle_table: ShuttleTable) -> None:
    shuttle_table.registry.save_schema(DOMAIN, (Column(name="sku"),), replaces=0)
    saved = shuttle_table.registry.save_schema(DOMAIN, (Column(name="sku"), Column(name="title")), replaces=1)
    shuttle_table.client.forget()
    assert shuttle_table.repository.current_schema(DOMAIN) == saved
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": "SHOP#teapots.example.com"}, "SK": {"S": "SCHEMA#CURRENT"}},
        "ConsistentRead": True,
    }


def test_the_schema_history_is_newest_first_without_the_current_row(shuttle_table: ShuttleTable) -> None:
    for version in range(3):
        shuttle_table.registry.save_schema(DOMAIN, (Column(name=f"sku{version}"),), replaces=version)
    shuttle_table.client.forget()
    assert [schema.version for schema in shuttle_table.repository.schema_history(DOMAIN)] == [3, 2, 1]
    assert sent(shuttle_table, "query") == a_query(
        "SHOP#teapots.example.com", " AND begins_with(#sk, :sk)", {":sk": "SCHEMA#VERSION#"}, ScanIndexForward=False
    )


# Sessions and settings


def a_session(session_id: str, kind: SessionKind = SessionKind.ONLINE, domain: str = DOMAIN) -> Session:
    return Session.open(session_id, domain, kind, NOON, user_id="17", scopes=("read_products",))


def test_a_session_is_one_get_item(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, a_session("s1"))
    assert shuttle_table.repository.session("s1") == a_session("s1")
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": "SESSION#s1"}, "SK": {"S": "SESSION"}},
        "ConsistentRead": True,
    }


@pytest.mark.parametrize(("kind", "days"), [(SessionKind.ONLINE, 1), (SessionKind.OFFLINE, 365)])
def test_a_session_that_has_ended_is_not_found(shuttle_table: ShuttleTable, kind: SessionKind, days: int) -> None:
    put(shuttle_table, a_session("s1", kind))
    shuttle_table.clock.advance(days=days, seconds=-1)
    shuttle_table.repository.session("s1")
    shuttle_table.clock.advance(seconds=1)
    with pytest.raises(errors.NotFoundError):
        shuttle_table.repository.session("s1")


def test_ended_sessions_are_not_listed(shuttle_table: ShuttleTable) -> None:
    put(
        shuttle_table,
        a_session("online"),
        a_session("offline", SessionKind.OFFLINE),
        a_session("other", domain=OTHER),
    )
    shuttle_table.clock.advance(days=2)
    assert [session.session_id for session in shuttle_table.repository.sessions(DOMAIN)] == ["offline"]
    assert sent(shuttle_table, "query") == a_query(
        "SESSIONS#teapots.example.com",
        " AND #sk BETWEEN :low AND :high",
        {":low": "2026-01-24T12:00:00.000000Z", ":high": "\x7f"},
        IndexName="GSI3",
    ) | {
        "ExpressionAttributeValues": {
            ":pk": {"S": "SESSIONS#teapots.example.com"},
            ":now": {"N": str(clock.epoch_s(NOON + timedelta(days=2)))},
            ":low": {"S": "2026-01-24T12:00:00.000000Z"},
            ":high": {"S": "\x7f"},
        }
    }


def test_app_config_is_one_get_item(shuttle_table: ShuttleTable) -> None:
    config = AppConfig(name="imports", values={"paused": "no"}, updated_at=NOON)
    shuttle_table.registry.save_app_config(config)
    shuttle_table.client.forget()
    assert shuttle_table.repository.app_config("imports") == config
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": "APP"}, "SK": {"S": "CONFIG#imports"}},
        "ConsistentRead": False,
    }


# What holds for all of them


def test_expired_rows_are_in_no_list(shuttle_table: ShuttleTable) -> None:
    gone = a_job(expires_at=NOON)
    put(shuttle_table, gone, a_day(22).__class__(shop_domain=DOMAIN, day=date(2026, 1, 22), expires_at=NOON))
    repository = shuttle_table.repository
    assert list(repository.jobs(DOMAIN)) == []
    assert list(repository.jobs_by_status(DOMAIN, JobStatus.QUEUED)) == []
    assert list(repository.all_jobs_by_status(JobStatus.QUEUED)) == []
    assert list(repository.daily_usage(DOMAIN, date(2026, 1, 1), date(2026, 1, 31))) == []
    assert list(repository.all_usage_of_day(date(2026, 1, 22))) == []
    with pytest.raises(errors.NotFoundError):
        repository.job(DOMAIN, gone.job_id)


def test_a_range_that_ends_before_it_begins_is_refused(shuttle_table: ShuttleTable) -> None:
    repository, before = shuttle_table.repository, NOON - timedelta(days=40)
    for ask in (
        lambda: repository.shops_by_install_date(NOON, before),
        lambda: repository.jobs_between(DOMAIN, NOON, before),
        lambda: repository.daily_usage(DOMAIN, NOON.date(), before.date()),
        lambda: repository.monthly_usage(DOMAIN, "2026-01", "2025-12"),
    ):
        with pytest.raises(errors.InvalidInputError):
            ask()


def test_no_access_pattern_ever_scans(shuttle_table: ShuttleTable) -> None:
    repository, job_id = shuttle_table.repository, ulids.new(NOON)
    shuttle_table.registry.install(a_shop())
    shuttle_table.jobs.create(DOMAIN, an_order())
    for found in (
        repository.shops_by_install_date(),
        repository.shops_by_plan(Plan.FREE, BillingState.ACTIVE),
        repository.jobs(DOMAIN),
        repository.jobs_between(DOMAIN, NOON, NOON),
        repository.jobs_by_status(DOMAIN, JobStatus.QUEUED, after=job_id),
        repository.all_jobs_by_status(JobStatus.QUEUED),
        repository.stale_jobs(JobStatus.QUEUED, NOON),
        repository.daily_usage(DOMAIN, NOON.date(), NOON.date()),
        repository.monthly_usage(DOMAIN, "2026-01", "2026-01"),
        repository.all_usage_of_day(NOON.date()),
        repository.all_usage_of_month("2026-01"),
        repository.schema_history(DOMAIN),
        repository.sessions(DOMAIN),
    ):
        list(found)
    assert {name for name, _ in shuttle_table.calls} == {"put_item", "get_item", "transact_write_items", "query"}


def test_an_invalid_row_is_an_error(shuttle_table: ShuttleTable) -> None:
    shuttle_table.put_raw(entities.to_item(a_shop()) | {"Plan": {"S": "HUGE"}})
    with pytest.raises(items.CorruptItemError, match=r"Shop\.Plan"):
        shuttle_table.repository.shop(DOMAIN)
