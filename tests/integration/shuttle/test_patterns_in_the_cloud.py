"""Every access pattern on the table as the program makes it: its keys, its indexes and what they include."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lib.shuttle.entities import AppConfig, BillingState, Column, Session, SessionKind
from lib.shuttle.jobs.job import Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository
from tests.support.cloud import Cloud
from tests.support.shuttle.api import new_domain
from tests.support.shuttle.builders import a_shop, an_order


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """A shop with a job in each of two statuses, a schema, a session and usage."""

    repository: Repository
    domain: str
    queued: Job
    done: Job
    now: datetime


@pytest.fixture(scope="module")
def stored(cloud: Cloud) -> Stored:
    client, table, domain, now = cloud.client("dynamodb"), cloud.outputs["shuttle_table_name"], new_domain(), datetime.now(UTC)
    registry, jobs = Registry(client, table), Jobs(client, table)
    registry.install(a_shop(domain, installed_at=now))
    registry.save_schema(domain, (Column(name="sku"),), 0)
    registry.save_schema(domain, (Column(name="sku"), Column(name="price")), 1)
    registry.save_session(Session.open(f"session-{domain}", domain, SessionKind.ONLINE, now))
    registry.save_app_config(AppConfig(name="imports", values={"open": "yes"}, updated_at=now))
    done = jobs.start(domain, jobs.create(domain, an_order()).job_id)
    jobs.finish(done, Outcome(rows_read=3))
    return Stored(Repository(client, table), domain, jobs.create(domain, an_order()), done, now)


def ids(found: Any, domain: str) -> list[str]:
    return [job.job_id for job in found if job.shop_domain == domain]


def test_shops(stored: Stored) -> None:
    read, domain = stored.repository, stored.domain
    day = timedelta(days=1)

    assert read.shop(domain).plan is Plan.LARGE
    assert domain in {shop.shop_domain for shop in read.shops_by_install_date()}
    assert domain in {shop.shop_domain for shop in read.shops_by_install_date(stored.now - day, stored.now + day)}
    assert domain not in {shop.shop_domain for shop in read.shops_by_install_date(end=stored.now - day)}
    assert domain in {shop.shop_domain for shop in read.shops_by_plan(Plan.LARGE, BillingState.ACTIVE)}
    assert domain not in {shop.shop_domain for shop in read.shops_by_plan(Plan.LARGE, BillingState.SUSPENDED)}


def test_jobs(stored: Stored) -> None:
    read, domain = stored.repository, stored.domain
    queued, done = stored.queued.job_id, stored.done.job_id
    hour = timedelta(hours=1)

    assert read.job(domain, done).rows_read == 3
    assert ids(read.jobs(domain), domain) == [queued, done]
    assert ids(read.jobs(domain, after=queued), domain) == [done]
    assert ids(read.jobs_between(domain, stored.now - hour, stored.now + hour), domain) == [queued, done]
    assert ids(read.jobs_by_status(domain, JobStatus.COMPLETED), domain) == [done]
    assert ids(read.all_jobs_by_status(JobStatus.QUEUED), domain) == [queued]
    assert ids(read.stale_jobs(JobStatus.QUEUED, stored.now + hour), domain) == [queued]
    assert ids(read.stale_jobs(JobStatus.QUEUED, stored.now - hour), domain) == []


def test_usage(stored: Stored) -> None:
    read, domain, today = stored.repository, stored.domain, stored.queued.created_at.date()
    month = f"{today:%Y-%m}"

    [daily] = read.daily_usage(domain, today, today)
    [monthly] = read.monthly_usage(domain, month, month)
    assert (daily.imports, daily.rows_read, monthly.imports) == (2, 3, 2)
    assert daily in list(read.all_usage_of_day(today))
    assert monthly in list(read.all_usage_of_month(month))


def test_schemas_sessions_and_settings(stored: Stored) -> None:
    read, domain = stored.repository, stored.domain

    assert read.current_schema(domain).version == 2
    assert [schema.version for schema in read.schema_history(domain)] == [2, 1]
    assert read.session(f"session-{domain}").shop_domain == domain
    assert [session.session_id for session in read.sessions(domain)] == [f"session-{domain}"]
    assert read.app_config("imports").values == {"open": "yes"}
