"""Plan limits, transitions and progress under real concurrency, by DynamoDB's own transactions.

Each test of transactions runs twice: as on DynamoDB Local, where transactions wait for one another, and as on AWS, which
refuses transactions that conflict.
"""

import random
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from lib.platform import errors
from lib.platform.log import Logger
from lib.shuttle.entities import UsageDaily
from lib.shuttle.imports.uploads import Uploads
from lib.shuttle.jobs.job import Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import JobBusyError, Jobs
from lib.shuttle.jobs.limits import LimitExceededError
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from tests.support.aws.multipart_s3 import MultipartS3
from tests.support.concurrency import at_once
from tests.support.dynamodb.transaction_conflicts import ConflictingClient
from tests.support.project.examples import examples
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop, an_order, limits

THREADS = 24
ALLOWED = 5


@pytest.fixture(params=["transactions wait", "transactions conflict"])
def jobs(request: pytest.FixtureRequest, shuttle_table: ShuttleTable) -> Iterator[Jobs]:
    """Jobs that wait between the tries of a transaction."""
    client = shuttle_table.client.client
    if request.param == "transactions wait":
        yield Jobs(client, shuttle_table.name, shuttle_table.clock)
        return
    conflicting = ConflictingClient(client, ("PK", "SK"))
    yield Jobs(conflicting, shuttle_table.name, shuttle_table.clock)
    assert conflicting.conflicts > 0, "no two transactions conflicted: nothing was tested"


ALONE = pytest.mark.parametrize("jobs", ["transactions wait"], indirect=True)
"""For a test without transactions, so that none can conflict."""


def with_retries(act: Callable[[], Any]) -> Any:
    """The result of ``act``, repeated while it is throttled."""
    while True:
        try:
            return act()
        except errors.ThrottledError:
            continue


def usage(table: ShuttleTable) -> UsageDaily:
    [found] = table.repository.daily_usage(DOMAIN, table.clock().date(), table.clock().date())
    return found


@pytest.mark.parametrize("which", ["concurrent_jobs", "daily_imports", "monthly_imports"])
def test_requests_at_once_never_exceed_a_limit(shuttle_table: ShuttleTable, jobs: Jobs, which: str) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits(**{which: ALLOWED})))

    results = at_once([lambda: with_retries(lambda: jobs.create(DOMAIN, an_order()))] * THREADS)

    made = [result for result in results if isinstance(result, Job)]
    refused = [result for result in results if isinstance(result, LimitExceededError)]
    assert (len(made), len(refused)) == (ALLOWED, THREADS - ALLOWED)
    assert {error.limit for error in refused} == {which}
    assert shuttle_table.active_jobs() == {job.job_id for job in made}
    assert usage(shuttle_table).imports == ALLOWED
    assert {job.job_id for job in shuttle_table.repository.jobs(DOMAIN)} == {job.job_id for job in made}


def test_only_created_jobs_count_when_many_requests_conflict(shuttle_table: ShuttleTable, jobs: Jobs) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits(concurrent_jobs=ALLOWED)))

    results = at_once([lambda: jobs.create(DOMAIN, an_order())] * THREADS)

    made = [result for result in results if isinstance(result, Job)]
    assert all(isinstance(result, Job | LimitExceededError | errors.ThrottledError) for result in results)
    assert 1 <= len(made) <= ALLOWED
    assert shuttle_table.active_jobs() == {job.job_id for job in made}
    assert usage(shuttle_table).imports == len(made)


def test_the_same_order_many_times_at_once_is_one_job(shuttle_table: ShuttleTable, jobs: Jobs) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits(concurrent_jobs=1)))
    order = an_order()

    results = at_once([lambda: with_retries(lambda: jobs.create(DOMAIN, order))] * THREADS)

    assert len({job.job_id for job in results}) == 1
    assert usage(shuttle_table).imports == 1


def test_the_same_order_many_times_at_once_has_one_upload(shuttle_table: ShuttleTable, jobs: Jobs) -> None:
    shuttle_table.registry.install(a_shop())
    order, s3 = an_order(file_bytes=20_000_000), MultipartS3()
    uploads = Uploads(s3, "imports", Logger("shuttle"))

    def begin() -> Any:
        return uploads.begin(with_retries(lambda: jobs.create(DOMAIN, order)), jobs)

    results = at_once([lambda: with_retries(begin)] * THREADS)

    [upload_id] = {upload.upload_id for upload in results}
    [job] = shuttle_table.repository.jobs(DOMAIN)
    assert list(s3.open) == [job.upload_id] == [upload_id]


def test_freed_slots_are_used_once(shuttle_table: ShuttleTable, jobs: Jobs) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits(concurrent_jobs=ALLOWED)))
    first = [jobs.create(DOMAIN, an_order()) for _ in range(ALLOWED)]

    results = at_once(
        [
            *(lambda job=job: with_retries(lambda: jobs.cancel(DOMAIN, job.job_id)) for job in first),
            *[lambda: with_retries(lambda: jobs.create(DOMAIN, an_order()))] * THREADS,
        ]
    )

    made = [result for result in results[ALLOWED:] if isinstance(result, Job)]
    assert [job.status for job in results[:ALLOWED]] == [JobStatus.CANCELLED] * ALLOWED
    assert len(made) <= ALLOWED
    assert shuttle_table.active_jobs() == {job.job_id for job in made}
    assert usage(shuttle_table).jobs_cancelled == ALLOWED


@ALONE
def test_one_of_many_workers_starts_a_job(shuttle_table: ShuttleTable, jobs: Jobs) -> None:
    shuttle_table.registry.install(a_shop())
    job_id = jobs.create(DOMAIN, an_order()).job_id

    results = at_once([lambda: with_retries(lambda: jobs.start(DOMAIN, job_id))] * THREADS)

    [taken] = [result for result in results if isinstance(result, Job)]
    assert taken.attempt == 1
    assert sum(isinstance(result, JobBusyError) for result in results) == THREADS - 1


@pytest.mark.parametrize("race", range(examples(2, thorough=8)))
def test_one_of_many_ends_of_a_job_wins_and_is_metered_once(shuttle_table: ShuttleTable, jobs: Jobs, race: int) -> None:
    shuttle_table.registry.install(a_shop())
    job = jobs.start(DOMAIN, jobs.create(DOMAIN, an_order()).job_id)
    ends: list[Callable[[], Any]] = [
        lambda: jobs.finish(job, Outcome(rows_read=10, rows_failed=2)),
        lambda: jobs.finish(job, Outcome(rows_read=4, failure="MALFORMED")),
        lambda: jobs.cancel(DOMAIN, job.job_id),
        lambda: jobs.give_up(job, "WORKER_LOST", "lost"),
    ] * 3

    results = at_once([partial(with_retries, end) for end in ends])

    stored, counted = shuttle_table.repository.job(DOMAIN, job.job_id), usage(shuttle_table)
    assert stored.status.is_final
    assert counted.jobs_completed + counted.jobs_failed + counted.jobs_cancelled == 1
    assert counted.rows_read == stored.rows_read
    assert shuttle_table.active_jobs() == set()
    for result in results:
        assert not isinstance(result, Exception) or isinstance(result, IllegalTransitionError), result


@ALONE
def test_progress_never_goes_back_whatever_the_order_of_reports(shuttle_table: ShuttleTable, jobs: Jobs) -> None:
    shuttle_table.registry.install(a_shop())
    job = jobs.start(DOMAIN, jobs.create(DOMAIN, an_order()).job_id)
    reports = random.Random(6).sample(range(1, 121), 120)
    reported = threading.Event()

    def report(rows: list[int]) -> None:
        for count in rows:
            jobs.progress(job, rows_read=count, rows_failed=count // 2, bytes_read=count * 10)

    def watch() -> list[tuple[int, int, int]]:
        seen = []
        while not reported.is_set():
            stored = shuttle_table.repository.job(DOMAIN, job.job_id)
            seen.append((stored.rows_read, stored.rows_failed, stored.bytes_read))
        return seen

    def work() -> list[Any]:
        try:
            return at_once([partial(report, reports[part::8]) for part in range(8)])
        finally:
            reported.set()

    seen, done = at_once([watch, work])

    assert done == [None] * 8
    assert seen == sorted(seen)
    assert all(row == (row[0], row[0] // 2, row[0] * 10) for row in seen), "counts of one report, never of two"
    assert shuttle_table.repository.job(DOMAIN, job.job_id).rows_read == 120


def test_a_worker_that_lost_its_lease_writes_nothing_more(shuttle_table: ShuttleTable, jobs: Jobs) -> None:
    shuttle_table.registry.install(a_shop())
    lost = jobs.start(DOMAIN, jobs.create(DOMAIN, an_order()).job_id)
    shuttle_table.clock.advance(minutes=17)
    [held] = [
        result
        for result in at_once([lambda: with_retries(lambda: jobs.start(DOMAIN, lost.job_id))] * 8)
        if isinstance(result, Job)
    ]

    results = at_once(
        [
            lambda: with_retries(lambda: jobs.finish(lost, Outcome(rows_read=1))),
            lambda: with_retries(lambda: jobs.finish(held, Outcome(rows_read=2))),
            *[lambda: with_retries(lambda: jobs.progress(lost, rows_read=9, rows_failed=0, bytes_read=9))] * 4,
        ]
    )

    assert not isinstance(results[1], Exception)
    assert all(isinstance(result, TakenOverError | IllegalTransitionError) for result in (results[0], *results[2:]))
    assert shuttle_table.repository.job(DOMAIN, lost.job_id).rows_read == 2
