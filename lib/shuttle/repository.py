"""Every way the Shuttle table is read, one method each: one GetItem, or one Query (jobs over all shops: one a shard).

A list is an iterator: it sends its Query when its first row is asked for and the next page when that one is used up, so
that taking ten rows costs one page. ``after`` goes on behind the last row seen; it is the row's own id and says nothing
of the table, so that it can be handed to a caller and taken back. docs/database-schema.md has the key conditions, the
indexes and what each costs. What this module does not do: write.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from lib.platform import clock, errors
from lib.shuttle import indexes, items, keys, ulids
from lib.shuttle.entities import (
    AppConfig,
    BillingState,
    Entity,
    Schema,
    Session,
    SessionSummary,
    Shop,
    ShopSummary,
    UsageDaily,
    UsageMonthly,
    from_item,
)
from lib.shuttle.jobs.job import Job, JobStatus, JobSummary
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.queries import PAGE_SIZE, BeginsWith, Between, Equals, Everything, Query, Reader, gsi

Stored = TypeVar("Stored", bound=Entity)
Summary = TypeVar("Summary")

# Sorts behind every time, id and domain: all of them are ASCII.
_LAST = "\x7f"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Repository:
    """Reads the Shuttle table.

    Every method raises a SwitchboardError if the table can't be reached or refuses, InvalidInputError for an id that can't
    be one, and CorruptItemError for a row that is not what it should be.

    Args:
        client: a DynamoDB client, or a tenant's (:mod:`lib.shuttle.tenancy`).
        table_name: the Shuttle table.
        now: the clock; rows expired by it are not there.
    """

    def __init__(self, client: Any, table_name: str, now: clock.Clock = clock.utc_now) -> None:
        self._reader = Reader(client, table_name, now)

    # Shops

    def shop(self, domain: str) -> Shop:
        """A shop. NotFoundError if it never installed the app."""
        return from_item(Shop, self._reader.get(keys.shop(domain), "the shop"))

    def shops_by_install_date(
        self, start: datetime | None = None, end: datetime | None = None, *, page_size: int = PAGE_SIZE
    ) -> Iterator[ShopSummary]:
        """All shops, newest first, or those installed from ``start`` to ``end``, both included."""
        sort: Everything | Between = Everything()
        if start is not None or end is not None:
            sort = Between(clock.canonical(start or _EPOCH), (clock.canonical(end) if end else "") + _LAST)
        return self._summaries(ShopSummary, gsi("GSI1", "SHOPS", sort, newest_first=True, page_size=page_size), "the shops")

    def shops_by_plan(self, plan: Plan, billing_state: BillingState, *, page_size: int = PAGE_SIZE) -> Iterator[ShopSummary]:
        """The shops of a plan in a billing state, by domain."""
        sort = BeginsWith(keys.billing_prefix(billing_state))
        return self._summaries(ShopSummary, gsi("GSI2", keys.plan_partition(plan), sort, page_size=page_size), "the shops")

    # Jobs of a shop

    def job(self, domain: str, job_id: str) -> Job:
        """A job. NotFoundError if it never was, was another shop's, or is over 90 days old."""
        return from_item(Job, self._reader.get(keys.job(domain, job_id), "the job"))

    def jobs(self, domain: str, *, after: str | None = None, page_size: int = PAGE_SIZE) -> Iterator[Job]:
        """The jobs of a shop, newest first; with ``after``, those older than that job."""
        return self._jobs(domain, BeginsWith("JOB#"), after, page_size)

    def jobs_between(
        self, domain: str, start: datetime, end: datetime, *, after: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[Job]:
        """The jobs of a shop made from ``start`` to ``end``, both included to the millisecond, newest first."""
        low, high = ulids.first_at(start), ulids.last_at(end)
        if after is not None and not low <= after <= high:
            raise errors.InvalidInputError("the job to go on after is not between the dates")
        return self._jobs(domain, Between(keys.job(domain, low).sk, keys.job(domain, high).sk), after, page_size)

    def jobs_by_status(
        self, domain: str, status: JobStatus, *, after: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[JobSummary]:
        """The jobs of a shop in a status, in no particular order: StatusIndex sorts by nothing else than the status."""
        partition = {"ShopDomain": {"S": keys.shop_domain(domain)}, "Status": {"S": status.value}}
        query = Query(
            partition=keys.shop_domain(domain),
            sort=Equals(status),
            index=indexes.STATUS_INDEX,
            hash_name="ShopDomain",
            range_name="Status",
            page_size=page_size,
            start=None if after is None else keys.job(domain, after).attributes() | partition,
        )
        return self._summaries(JobSummary, query, "the jobs of the shop")

    def _jobs(self, domain: str, sort: BeginsWith | Between, after: str | None, page_size: int) -> Iterator[Job]:
        query = Query(
            partition=keys.shop_partition(domain),
            sort=sort,
            newest_first=True,
            page_size=page_size,
            start=None if after is None else keys.job(domain, after).attributes(),
        )
        return self._entities(Job, query, "the jobs of the shop")

    # Jobs of all shops

    def all_jobs_by_status(self, status: JobStatus, *, page_size: int = PAGE_SIZE) -> Iterator[JobSummary]:
        """The jobs of all shops in a status, the one longest in it first. One Query a shard, merged as they come."""
        return self._merged(status, Everything(), page_size)

    def stale_jobs(self, status: JobStatus, since: datetime, *, page_size: int = PAGE_SIZE) -> Iterator[JobSummary]:
        """The jobs of all shops that have been in ``status`` since ``since`` or longer. One Query a shard, merged.

        A PROCESSING job older than any worker can run has lost its worker; a QUEUED one never got its file.
        """
        return self._merged(status, Between(clock.canonical(_EPOCH), clock.canonical(since) + _LAST), page_size)

    def _merged(self, status: JobStatus, sort: Everything | Between, page_size: int) -> Iterator[JobSummary]:
        shards = [
            self._summaries(
                JobSummary,
                gsi("GSI1", keys.status_partition(status, shard), sort, page_size=page_size),
                "the jobs of all shops",
            )
            for shard in range(keys.STATUS_SHARDS)
        ]
        return heapq.merge(*shards, key=lambda summary: (summary.status_since, summary.job_id))

    # Usage

    def daily_usage(self, domain: str, first: date, last: date, *, page_size: int = PAGE_SIZE) -> Iterator[UsageDaily]:
        """A shop's usage on the days from ``first`` to ``last``, both included; a day without any has no row."""
        sort = Between(keys.usage_daily(domain, first).sk, keys.usage_daily(domain, last).sk)
        query = Query(partition=keys.shop_partition(domain), sort=sort, page_size=page_size)
        return self._entities(UsageDaily, query, "the daily usage")

    def monthly_usage(self, domain: str, first: str, last: str, *, page_size: int = PAGE_SIZE) -> Iterator[UsageMonthly]:
        """A shop's usage in the months (``2026-01``) from ``first`` to ``last``, both included."""
        sort = Between(keys.usage_monthly(domain, first).sk, keys.usage_monthly(domain, last).sk)
        query = Query(partition=keys.shop_partition(domain), sort=sort, page_size=page_size)
        return self._entities(UsageMonthly, query, "the monthly usage")

    def all_usage_of_day(self, day: date, *, page_size: int = PAGE_SIZE) -> Iterator[UsageDaily]:
        """The usage of all shops on a day, by domain."""
        query = gsi("GSI2", keys.usage_day_partition(day), page_size=page_size)
        return self._summaries(UsageDaily, query, "the usage of all shops")

    def all_usage_of_month(self, month: str, *, page_size: int = PAGE_SIZE) -> Iterator[UsageMonthly]:
        """The usage of all shops in a month (``2026-01``), by domain."""
        query = gsi("GSI2", keys.usage_month_partition(month), page_size=page_size)
        return self._summaries(UsageMonthly, query, "the usage of all shops")

    # Schemas, sessions, configuration

    def current_schema(self, domain: str) -> Schema:
        """The schema that a shop's files must have now. NotFoundError if it never set one."""
        return from_item(Schema, self._reader.get(keys.schema_current(domain), "the schema"))

    def schema_history(self, domain: str, *, page_size: int = PAGE_SIZE) -> Iterator[Schema]:
        """All versions of a shop's schema, newest first."""
        query = Query(
            partition=keys.shop_partition(domain),
            sort=BeginsWith("SCHEMA#VERSION#"),
            newest_first=True,
            page_size=page_size,
        )
        return self._entities(Schema, query, "the schema's versions")

    def session(self, session_id: str) -> Session:
        """A session. NotFoundError if it never was or has ended."""
        return from_item(Session, self._reader.get(keys.session(session_id), "the session"))

    def sessions(self, domain: str, *, page_size: int = PAGE_SIZE) -> Iterator[SessionSummary]:
        """The sessions of a shop that have not ended, the one that ends first first."""
        sort = Between(clock.canonical(self._reader.now()), _LAST)
        query = gsi("GSI3", keys.sessions_partition(domain), sort, page_size=page_size)
        return self._summaries(SessionSummary, query, "the sessions")

    def app_config(self, name: str) -> AppConfig:
        """Settings of the app. NotFoundError if there are none under ``name``. Eventually consistent: seconds old at most."""
        return from_item(AppConfig, self._reader.get(keys.app_config(name), "the app config", consistent=False))

    def _entities(self, kind: type[Stored], query: Query, what: str) -> Iterator[Stored]:
        return (from_item(kind, row) for row in self._reader.rows(query, what))

    def _summaries(self, kind: type[Summary], query: Query, what: str) -> Iterator[Summary]:
        return (items.from_attributes(kind, row) for row in self._reader.rows(query, what))
