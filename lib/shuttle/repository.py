"""Every way the Shuttle table is read, one method each: one GetItem, or one Query (jobs over all shops: one per shard).

A list is an iterator: it requests a page when the first row of the page is needed, so that taking ten rows costs one page.
``after`` continues after the last row seen: it is that row's id, which a caller can keep and send back.
docs/database-schema.md has the key conditions, the indexes and what each costs.
"""

import heapq
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any, NoReturn, TypeVar

from lib.platform import clock, errors
from lib.platform.contract import JOB_STATUS_INDEX
from lib.platform.dynamodb import Item, Table
from lib.shuttle import items, keys, ulids
from lib.shuttle.catalogue.versions import Catalogue, PendingEvent, ReplacedCatalogue
from lib.shuttle.entities import (
    AppConfig,
    BillingState,
    Entity,
    Schema,
    Session,
    SessionSummary,
    Shop,
    ShopSummary,
    Summarized,
    UsageDaily,
    UsageMonthly,
    from_item,
    summary_of,
)
from lib.shuttle.jobs.job import Job, JobStatus, JobSummary
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.queries import EVERYTHING, PAGE_SIZE, Query, Sort, begins_with, between, equals

Stored = TypeVar("Stored", bound=Entity)

Skip = Callable[[keys.Key, errors.PermanentError], object]
"""Receives a row that can't be processed, and why, so that the rows after it are."""

# Sorts after every time, id and domain: all of them are ASCII.
_LAST = "\x7f"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fail(_row: keys.Key, error: errors.PermanentError) -> NoReturn:
    """Skip no row."""
    raise error


class Repository:
    """Reads the Shuttle table.

    Every method raises a SwitchboardError if the table can't be reached or refuses, InvalidInputError for an id that is
    malformed, and CorruptItemError for a row that is not what it should be.

    Args:
        client: a DynamoDB client, or a tenant's (:mod:`lib.shuttle.tenancy`).
        table_name: the Shuttle table.
        now: the clock; rows expired by it are treated as absent.
    """

    def __init__(self, client: Any, table_name: str, now: clock.Clock = clock.utc_now) -> None:
        self._table = Table(client, table_name)
        self._now = now

    # Shops

    def shop(self, domain: str) -> Shop:
        """A shop. NotFoundError if it never installed the app."""
        return self._get(Shop, keys.shop(domain), f"the shop {domain}")

    def shops_by_install_date(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[ShopSummary]:
        """All shops, newest first, or those installed from ``start`` to ``end``, both included."""
        sort = EVERYTHING
        if start is not None or end is not None:
            sort = between(clock.canonical(start or _EPOCH), (clock.canonical(end) if end else "") + _LAST)
        return self._summaries(ShopSummary, Query(index="GSI1", partition="SHOPS", sort=sort, newest_first=True), "the shops")

    def shops_by_plan(self, plan: Plan, billing_state: BillingState) -> Iterator[ShopSummary]:
        """The shops of a plan in a billing state, by domain."""
        sort = begins_with(keys.billing_prefix(billing_state))
        return self._summaries(ShopSummary, Query(index="GSI2", partition=keys.plan_partition(plan), sort=sort), "the shops")

    # Jobs of a shop

    def job(self, domain: str, job_id: str) -> Job:
        """A job. NotFoundError if it does not exist, belongs to another shop, or is over 90 days old."""
        return self._get(Job, keys.job(domain, job_id), f"the job {job_id} of {domain}")

    def jobs(self, domain: str, *, after: str | None = None, page_size: int = PAGE_SIZE) -> Iterator[Job]:
        """The jobs of a shop, newest first; with ``after``, those older than that job."""
        return self._jobs(domain, begins_with("JOB#"), after, page_size)

    def jobs_between(
        self, domain: str, start: datetime, end: datetime, *, after: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[Job]:
        """The jobs of a shop created from ``start`` to ``end``, both included to the millisecond, newest first."""
        low, high = ulids.first_at(start), ulids.last_at(end)
        if after is not None and not low <= after <= high:
            raise errors.InvalidInputError("the job to continue after is not between the dates")
        return self._jobs(domain, between(keys.job(domain, low).sk, keys.job(domain, high).sk), after, page_size)

    def jobs_by_status(
        self, domain: str, status: JobStatus, *, after: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[JobSummary]:
        """The jobs of a shop in a status, in no particular order: StatusIndex sorts by nothing but the status."""
        partition = {"ShopDomain": {"S": keys.shop_domain(domain)}, "Status": {"S": status.value}}
        query = Query(
            index=JOB_STATUS_INDEX.name,
            partition=keys.shop_domain(domain),
            sort=equals(status),
            page_size=page_size,
            start=None if after is None else keys.job(domain, after).attributes() | partition,
        )
        return self._summaries(JobSummary, query, "the jobs of the shop")

    def _jobs(self, domain: str, sort: Sort, after: str | None, page_size: int) -> Iterator[Job]:
        start = None if after is None else keys.job(domain, after).attributes()
        query = Query(partition=keys.shop_partition(domain), sort=sort, newest_first=True, page_size=page_size, start=start)
        return self._entities(Job, query, "the jobs of the shop")

    # Jobs of all shops

    def all_jobs_by_status(
        self,
        status: JobStatus,
        *,
        until: datetime | None = None,
        after: tuple[datetime, str] | None = None,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        skip: Skip = fail,
    ) -> Iterator[JobSummary]:
        """The jobs of all shops in a status, the one longest in it first. One Query per shard, merged as they arrive.

        Args:
            status: the status.
            until: those that entered the status then or earlier.
            after: those after the job with this ``status_since`` and id.
            newest_first: the one that entered the status last comes first.
            page_size: of the Query of each shard.
            skip: receives a corrupt row.
        """
        low, high = clock.canonical(_EPOCH), (clock.canonical(max(until, _EPOCH)) if until else "") + _LAST
        if after is not None:
            mark = f"{clock.canonical(after[0])}#{keys.job_id(after[1])}"
            low, high = (low, min(mark, high)) if newest_first else (mark, high)
        sort = EVERYTHING if until is None and after is None else between(low, high)
        queries = (
            Query(
                index="GSI1",
                partition=keys.status_partition(status, shard),
                sort=sort,
                page_size=page_size,
                newest_first=newest_first,
            )
            for shard in range(keys.STATUS_SHARDS)
        )
        shards = [self._summaries(JobSummary, query, "the jobs of all shops", skip) for query in queries]
        merged = heapq.merge(*shards, key=lambda job: (job.status_since, job.job_id), reverse=newest_first)
        return (job for job in merged if (job.status_since, job.job_id) != after)

    def stale_jobs(self, status: JobStatus, since: datetime, skip: Skip = fail) -> Iterator[JobSummary]:
        """The jobs of all shops that have been in ``status`` since ``since`` or longer. One Query per shard, merged."""
        return self.all_jobs_by_status(status, until=since, skip=skip)

    # Usage

    def daily_usage(self, domain: str, first: date, last: date) -> Iterator[UsageDaily]:
        """A shop's usage on the days from ``first`` to ``last``, both included; a day without any has no row."""
        sort = between(keys.usage_daily(domain, first).sk, keys.usage_daily(domain, last).sk)
        return self._entities(UsageDaily, Query(partition=keys.shop_partition(domain), sort=sort), "the daily usage")

    def monthly_usage(self, domain: str, first: str, last: str) -> Iterator[UsageMonthly]:
        """A shop's usage in the months (``2026-01``) from ``first`` to ``last``, both included."""
        sort = between(keys.usage_monthly(domain, first).sk, keys.usage_monthly(domain, last).sk)
        return self._entities(UsageMonthly, Query(partition=keys.shop_partition(domain), sort=sort), "the monthly usage")

    def all_usage_of_day(self, day: date) -> Iterator[UsageDaily]:
        """The usage of all shops on a day, by domain."""
        query = Query(index="GSI2", partition=keys.usage_day_partition(day))
        return self._summaries(UsageDaily, query, "the usage of all shops")

    def all_usage_of_month(self, month: str) -> Iterator[UsageMonthly]:
        """The usage of all shops in a month (``2026-01``), by domain."""
        query = Query(index="GSI2", partition=keys.usage_month_partition(month))
        return self._summaries(UsageMonthly, query, "the usage of all shops")

    # Catalogues

    def catalogue(self, domain: str) -> Catalogue:
        """The current version of a shop's catalogue. NotFoundError if no import has made one."""
        return self._get(Catalogue, keys.catalogue(domain), f"the catalogue of {domain}")

    def replaced_catalogue(self, domain: str, version: int) -> ReplacedCatalogue:
        """A version that was replaced. NotFoundError if it is the current one, is no longer kept or never existed."""
        return self._get(
            ReplacedCatalogue, keys.catalogue_version(domain, version), f"version {version} of the catalogue of {domain}"
        )

    def catalogue_history(self, domain: str) -> Iterator[ReplacedCatalogue]:
        """The versions that were replaced and are still kept, newest first."""
        query = Query(partition=keys.shop_partition(domain), sort=begins_with("CATALOGUE#VERSION#"), newest_first=True)
        return self._entities(ReplacedCatalogue, query, "the versions of the catalogue")

    def catalogue_rows(self, domain: str) -> Iterator[ReplacedCatalogue]:
        """The versions that were replaced and whose rows are still stored, also expired ones. Strongly consistent."""
        query = Query(partition=keys.shop_partition(domain), sort=begins_with("CATALOGUE#VERSION#"), exact=True)
        return self._entities(ReplacedCatalogue, query, "the rows of the catalogue")

    def pending_events(self, before: datetime, skip: Skip = fail) -> Iterator[PendingEvent]:
        """The events of all shops that were made before ``before`` and are still to be published, oldest first."""
        sort = between(clock.canonical(_EPOCH), clock.canonical(before) + _LAST)
        query = Query(index="GSI1", partition="EVENTS", sort=sort)
        return self._summaries(PendingEvent, query, "the events to publish", skip)

    # Schemas, sessions, configuration

    def current_schema(self, domain: str) -> Schema:
        """The schema that a shop's files must have now. NotFoundError if it never set one."""
        return self._get(Schema, keys.schema_current(domain), f"the schema of {domain}")

    def schema_history(self, domain: str, *, page_size: int = PAGE_SIZE) -> Iterator[Schema]:
        """All versions of a shop's schema, newest first."""
        partition, sort = keys.shop_partition(domain), begins_with("SCHEMA#VERSION#")
        query = Query(partition=partition, sort=sort, newest_first=True, page_size=page_size)
        return self._entities(Schema, query, "the schema's versions")

    def session(self, session_id: str) -> Session:
        """A session. NotFoundError if it does not exist or has ended."""
        return self._get(Session, keys.session(session_id), "the session")

    def sessions(self, domain: str) -> Iterator[SessionSummary]:
        """The sessions of a shop that have not ended, ordered by their end."""
        sort = between(clock.canonical(self._now()), _LAST)
        query = Query(index="GSI3", partition=keys.sessions_partition(domain), sort=sort)
        return self._summaries(SessionSummary, query, "the sessions")

    def app_config(self, name: str) -> AppConfig:
        """Settings of the app. NotFoundError if ``name`` has none. Eventually consistent: at most seconds old."""
        return self._get(AppConfig, keys.app_config(name), f"the app config {name}", consistent=False)

    def app_configs(self) -> Iterator[AppConfig]:
        """All settings of the app, by name."""
        return self._entities(AppConfig, Query(partition=keys.APP_PARTITION, sort=begins_with("CONFIG#")), "the app configs")

    def _get(self, kind: type[Stored], key: keys.Key, what: str, *, consistent: bool = True) -> Stored:
        item = self._table.get(key.attributes(), f"read {what}", consistent=consistent)
        if item is None or items.has_expired(item, self._now()):
            raise errors.NotFoundError(f"{what} does not exist")
        return from_item(kind, item)

    def _entities(self, kind: type[Stored], query: Query, what: str) -> Iterator[Stored]:
        return (from_item(kind, row) for row in self._rows(query, what))

    def _summaries(self, kind: type[Summarized], query: Query, what: str, skip: Skip = fail) -> Iterator[Summarized]:
        for row in self._rows(query, what):
            try:
                summary = summary_of(kind, row)
            except errors.PermanentError as error:
                skip(keys.parse(row), error)
            else:
                yield summary

    def _rows(self, query: Query, what: str) -> Iterator[Item]:
        return self._table.query(f"read {what}", **query.request(self._now()))
