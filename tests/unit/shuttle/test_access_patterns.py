"""Shuttle's access patterns but those of jobs: the one request that each sends, and what it finds."""

from datetime import date, timedelta

import pytest

from lib.platform import clock, errors
from lib.shuttle import entities, items, ulids
from lib.shuttle.entities import AppConfig, BillingState, Column, Session, SessionKind, UsageMonthly
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.plans import Plan
from tests.support.shuttle.builders import DOMAIN, NOON, OTHER, ShuttleTable, a_shop, an_order
from tests.support.shuttle.queries import a_day, a_job, a_query, put, sent

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


# Usage


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
    shuttle_table.registry.install(a_shop())
    shuttle_table.registry.save_schema(DOMAIN, (Column(name="sku"),), replaces=0)
    saved = shuttle_table.registry.save_schema(DOMAIN, (Column(name="sku"), Column(name="title")), replaces=1)
    shuttle_table.client.forget()
    assert shuttle_table.repository.current_schema(DOMAIN) == saved
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": "SHOP#teapots.example.com"}, "SK": {"S": "SCHEMA#CURRENT"}},
        "ConsistentRead": True,
    }


def test_the_schema_history_is_newest_first_without_the_current_row(shuttle_table: ShuttleTable) -> None:
    shuttle_table.registry.install(a_shop())
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
    assert shuttle_table.registry.change_app_config("imports", config.values) == config
    shuttle_table.client.forget()
    assert shuttle_table.repository.app_config("imports") == config
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": "APP"}, "SK": {"S": "CONFIG#imports"}},
        "ConsistentRead": False,
    }


def test_all_app_configs_are_one_query(shuttle_table: ShuttleTable) -> None:
    configs = [AppConfig(name=name, values={"a": "b"}, updated_at=NOON) for name in ("exports", "imports")]
    put(shuttle_table, *configs)
    assert list(shuttle_table.repository.app_configs()) == configs
    assert sent(shuttle_table, "query") == a_query("APP", " AND begins_with(#sk, :sk)", {":sk": "CONFIG#"})


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
