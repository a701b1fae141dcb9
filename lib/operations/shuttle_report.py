"""Reports about Shuttle for people: the jobs of all shops, one job with its first errors, and one shop with its plan."""

import csv
import heapq
import io
import itertools
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from lib.operations.paging import PAGE_SIZE, Page, page_of
from lib.platform import aws, clock, errors
from lib.platform.dynamodb import Table
from lib.platform.log import scrub
from lib.shuttle import api_json, keys
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.catalogue.versions import Catalogue
from lib.shuttle.entities import Shop, UsageDaily
from lib.shuttle.imports.reports import RowError, RowErrorCode
from lib.shuttle.jobs.job import Job, JobKind, JobStatus, JobSummary
from lib.shuttle.repository import Repository, Skip

Row = TypeVar("Row")

MOST_ERRORS = 20
"""The most errors that a report of a job shows in full."""
USAGE_DAYS = 30

_ERROR_BYTES = 16_384
"""How much of the error report is read, for its first 20 lines. A line has about 100 bytes."""


def noting(problems: list[str]) -> Skip:
    """What adds a sentence to ``problems`` for each row that can't be read, such as one of a later release."""
    return lambda row, error: problems.append(f"the row {row} can't be read: {error}")


# Jobs of all shops


def all_jobs(
    repository: Repository,
    statuses: Collection[JobStatus],
    *,
    until: datetime | None = None,
    newest_first: bool = False,
    after: tuple[datetime, str] | None = None,
    most: int = PAGE_SIZE,
    skip: Skip,
) -> Iterator[JobSummary]:
    """The first ``most`` jobs of all shops in some statuses, by the time of their last status change, or a few more.

    Args:
        repository: the Shuttle table.
        statuses: the statuses.
        until: those that entered their status then or earlier.
        newest_first: the latest change first.
        after: those after the job with this ``status_since`` and id.
        most: how many are wanted.
        skip: receives a row that can't be read, before this returns.

    Raises:
        SwitchboardError: the table can't be reached or refuses.
    """

    def read(status: JobStatus) -> list[JobSummary]:
        page_size = max(most // len(statuses), 10)
        found = repository.all_jobs_by_status(
            status, until=until, after=after, newest_first=newest_first, page_size=page_size, skip=skip
        )
        return list(itertools.islice(found, most))

    with ThreadPoolExecutor(len(JobStatus)) as pool:
        lists = list(pool.map(read, statuses))
    return heapq.merge(*lists, key=lambda job: (job.status_since, job.job_id), reverse=newest_first)


def page_of_all_jobs(
    repository: Repository,
    statuses: Collection[JobStatus],
    *,
    until: datetime | None = None,
    newest_first: bool = True,
    cursor: str = "",
    skip: Skip,
) -> Page[JobSummary]:
    """A page of :func:`all_jobs`.

    Raises:
        InvalidInputError: the cursor is malformed.
        SwitchboardError: the table can't be reached or refuses.
    """
    after = _read_cursor(cursor) if cursor else None
    found = all_jobs(repository, statuses, until=until, newest_first=newest_first, after=after, most=PAGE_SIZE + 1, skip=skip)
    return page_of(found, lambda job: f"{clock.canonical(job.status_since)}~{job.job_id}")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    moment, _, identifier = cursor.partition("~")
    try:
        return clock.parse(moment), keys.job_id(identifier)
    except ValueError:
        raise errors.InvalidInputError("the cursor of the page is malformed") from None


# Jobs of one shop


def jobs_of(
    repository: Repository, domain: str, status: JobStatus | None = None, *, after: str | None = None
) -> Iterator[Job | JobSummary]:
    """The jobs of a shop, newest first; those in one status in no particular order. ``after`` is the id of a job.

    Raises:
        NotFoundError: there are none, and the shop does not exist.
    """
    found: Iterator[Job | JobSummary]
    found = repository.jobs_by_status(domain, status, after=after) if status else repository.jobs(domain, after=after)
    return of_known_shop(found, repository, domain)


def of_known_shop(rows: Iterator[Row], repository: Repository, domain: str) -> Iterator[Row]:
    """``rows`` of a shop; if there are none, the shop must exist.

    Raises:
        NotFoundError: there are none, and the shop does not exist.
    """
    first = next(rows, None)
    if first is None:
        repository.shop(domain)
        return iter(())
    return itertools.chain((first,), rows)


# One job


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """A job with the first errors in its file.

    Attributes:
        job: the job.
        first_errors: the first lines of its error report.
        problem: why the error report can't be read; empty if it was, or if there is none.
    """

    job: Job
    first_errors: tuple[RowError, ...] = ()
    problem: str = ""


def report_job(repository: Repository, s3: Any, bucket: str, domain: str, job_id: str) -> JobReport:
    """One job. Reads at most 16 KiB of its error report.

    Raises:
        NotFoundError: it does not exist.
        SwitchboardError: the table can't be reached or refuses.
    """
    job = repository.job(domain, job_id)
    if not job.has_report:
        return JobReport(job=job)
    try:
        with aws.translated("read the error report"):
            wanted = {"Bucket": bucket, "Key": keys.report_object(domain, job_id), "Range": f"bytes=0-{_ERROR_BYTES - 1}"}
            content = s3.get_object(**wanted)["Body"].read()
    except errors.SwitchboardError as error:
        return JobReport(job=job, problem=scrub(str(error)))
    return JobReport(job=job, first_errors=tuple(itertools.islice(_errors(content), MOST_ERRORS)))


def _errors(content: bytes) -> Iterator[RowError]:
    """The errors in the beginning of a report, without the line that was cut."""
    whole = content if len(content) < _ERROR_BYTES else content[: content.rfind(b"\n") + 1]
    for line in csv.DictReader(io.StringIO(whole.decode("utf-8", "replace"), newline="")):
        try:
            number, of_file = int(line["row"]), int(line["line"]) if line["line"] else None
            yield RowError(number, of_file, line["column"], RowErrorCode(line["code"]), line["message"])
        except (TypeError, ValueError):
            return  # the last line says how many were left out


def changes_of(job: Job) -> str:
    """What an import did to the catalogue, or which version an export contains; empty if neither is known."""
    version = f"version {job.catalogue_version}" if job.catalogue_version else ""
    if job.kind is JobKind.EXPORT or job.status is not JobStatus.COMPLETED:
        return version
    counts = api_json.to_json(job.counts)
    changes = ", ".join(f"{counts[name]:,} {name}" for name in ("added", "replaced", "unchanged", "skipped", "removed"))
    return f"{'dry run' if job.dry_run else version}: {changes}"


# One shop


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of a limit of its plan a shop uses."""

    name: str
    used: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopReport:
    """A shop, its plan and its catalogue.

    Attributes:
        shop: the shop.
        active_jobs: the ids of its unfinished jobs, each of which takes a slot.
        allowances: what it uses of its limits now.
        days: its usage on the last 30 days (UTC), the latest first; a day without any is left out.
        versions: those of its catalogue that are kept, the current one first.
    """

    shop: Shop
    active_jobs: tuple[str, ...]
    allowances: tuple[Allowance, ...]
    days: tuple[UsageDaily, ...]
    versions: tuple[Catalogue, ...]


def report_shop(client: Any, table_name: str, domain: str, *, now: clock.Clock = clock.utc_now) -> ShopReport:
    """One shop, by five bounded reads at the same time.

    Raises:
        NotFoundError: it does not exist.
        SwitchboardError: the table can't be reached or refuses.
    """
    repository, today = Repository(client, table_name, now), now().date()
    month = f"{today:%Y-%m}"
    with ThreadPoolExecutor(5) as pool:
        shop = pool.submit(repository.shop, domain)
        active = pool.submit(_active_jobs, client, table_name, domain)
        days = pool.submit(lambda: list(repository.daily_usage(domain, today - timedelta(days=USAGE_DAYS - 1), today)))
        months = pool.submit(lambda: list(repository.monthly_usage(domain, month, month)))
        versions = pool.submit(lambda: tuple(CatalogueStore(client, table_name, now).versions(domain)))
    limits = shop.result().limits
    kept = versions.result()
    return ShopReport(
        shop=shop.result(),
        active_jobs=active.result(),
        allowances=(
            Allowance("jobs at a time", len(active.result()), limits.concurrent_jobs),
            Allowance("imports today (UTC)", _imports_on(days.result(), today), limits.daily_imports),
            Allowance("imports this month (UTC)", sum(each.imports for each in months.result()), limits.monthly_imports),
            Allowance("rows of the catalogue", kept[0].rows if kept else 0, limits.max_catalogue_rows),
        ),
        days=tuple(reversed(days.result())),
        versions=kept,
    )


def _active_jobs(client: Any, table_name: str, domain: str) -> tuple[str, ...]:
    row = Table(client, table_name).get(keys.slots(domain).attributes(), "read the slots of the shop")
    return tuple(sorted(row.get("ActiveJobs", {}).get("SS", ()))) if row else ()


def _imports_on(days: list[UsageDaily], day: date) -> int:
    return sum(each.imports for each in days if each.day == day)
