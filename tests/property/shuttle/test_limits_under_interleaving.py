"""However requests interleave, the plan's limits hold, every slot is freed once, and usage counts what happened."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.platform.errors import UnavailableError
from lib.shuttle.entities import BillingState, UsageDaily
from lib.shuttle.jobs.job import Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.limits import BillingInactiveError, LimitExceededError
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.jobs.transitions import IllegalTransitionError
from lib.shuttle.registry import Registry
from tests.support.concurrency import interleave
from tests.support.project.examples import examples
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop, a_table, an_order, limits

SCHEDULES = st.lists(st.integers(0, 5), max_size=30)
QUICK = settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def jobs_of(table: ShuttleTable, client: Any) -> Jobs:
    return Jobs(client, table.name, table.clock, sleep=lambda seconds: None)


def usage(table: ShuttleTable) -> UsageDaily:
    (found,) = table.repository.daily_usage(DOMAIN, table.clock().date(), table.clock().date())
    return found


@QUICK
@given(
    allowed=st.integers(1, 4),
    which=st.sampled_from(["concurrent_jobs", "daily_imports", "monthly_imports"]),
    schedule=SCHEDULES,
)
def test_requests_at_once_never_pass_a_limit(allowed: int, which: str, schedule: list[int]) -> None:
    table = a_table()
    table.registry.install(a_shop(feature_limits=limits(**{which: allowed})))

    results = interleave(table.client.client, [lambda own: jobs_of(table, own).create(DOMAIN, an_order())] * 5, schedule)

    made = [result for result in results if isinstance(result, Job)]
    refused = [result for result in results if isinstance(result, LimitExceededError)]
    assert (len(made), len(refused)) == (allowed, 5 - allowed)
    assert {error.limit for error in refused} == {which}
    assert table.active_jobs() == {job.job_id for job in made}
    assert usage(table).imports == allowed
    assert len(list(table.repository.jobs(DOMAIN))) == allowed


@QUICK
@given(schedule=SCHEDULES)
def test_the_same_order_at_once_is_one_job(schedule: list[int]) -> None:
    table = a_table()
    table.registry.install(a_shop(feature_limits=limits(concurrent_jobs=1)))
    order = an_order()

    results = interleave(table.client.client, [lambda own: jobs_of(table, own).create(DOMAIN, order)] * 4, schedule)

    assert len({job.job_id for job in results}) == 1
    assert usage(table).imports == 1


@QUICK
@given(schedule=SCHEDULES)
def test_only_one_of_cancel_finish_and_sweep_ends_the_job(schedule: list[int]) -> None:
    table = a_table()
    table.registry.install(a_shop())
    job = table.jobs.start(DOMAIN, table.jobs.create(DOMAIN, an_order()).job_id)
    table.clock.advance(hours=2)

    results = interleave(
        table.client.client,
        [
            lambda own: jobs_of(table, own).finish(job, Outcome(rows_read=10, rows_failed=2)),
            lambda own: jobs_of(table, own).cancel(DOMAIN, job.job_id),
            lambda own: jobs_of(table, own).sweep(),
        ],
        schedule,
    )

    stored = table.repository.job(DOMAIN, job.job_id)
    counted = usage(table)
    assert stored.status.is_final
    assert table.active_jobs() == set()
    assert counted.jobs_completed + counted.jobs_cancelled + counted.jobs_failed == 1
    assert counted.rows_read == (10 if stored.status is JobStatus.COMPLETED else 0)
    for result in results:
        if isinstance(result, Exception):
            assert isinstance(result, IllegalTransitionError)
            assert result.current is stored.status


@QUICK
@given(schedule=SCHEDULES)
def test_one_of_duplicate_deliveries_runs_the_job(schedule: list[int]) -> None:
    table = a_table()
    table.registry.install(a_shop())
    job_id = table.jobs.create(DOMAIN, an_order()).job_id

    def deliver(own: Any) -> None:
        jobs = jobs_of(table, own)
        job = jobs.start(DOMAIN, job_id)
        jobs.progress(job, rows_read=5, rows_failed=0, bytes_read=50)
        jobs.finish(job, Outcome(rows_read=9, rows_failed=0, bytes_read=90))

    results = interleave(table.client.client, [deliver] * 3, schedule)

    assert results.count(None) == 1
    assert (usage(table).jobs_completed, usage(table).rows_read) == (1, 9)
    assert table.repository.job(DOMAIN, job_id).attempt == 1


@QUICK
@given(schedule=SCHEDULES)
def test_a_freed_slot_is_taken_by_one_request_only(schedule: list[int]) -> None:
    table = a_table()
    table.registry.install(a_shop(feature_limits=limits(concurrent_jobs=1)))
    first = table.jobs.create(DOMAIN, an_order())

    results = interleave(
        table.client.client,
        [
            lambda own: jobs_of(table, own).cancel(DOMAIN, first.job_id),
            lambda own: jobs_of(table, own).create(DOMAIN, an_order()),
            lambda own: jobs_of(table, own).create(DOMAIN, an_order()),
        ],
        schedule,
    )

    made = [result for result in results[1:] if isinstance(result, Job)]
    assert len(made) <= 1
    assert table.active_jobs() == {job.job_id for job in made}


@QUICK
@given(schedule=SCHEDULES)
def test_a_job_is_never_created_within_an_old_plan(schedule: list[int]) -> None:
    table = a_table()
    table.registry.install(a_shop())

    created, _ = interleave(
        table.client.client,
        [
            lambda own: jobs_of(table, own).create(DOMAIN, an_order()),
            lambda own: Registry(own, table.name).change_plan(DOMAIN, Plan.FREE, BillingState.SUSPENDED),
        ],
        schedule,
    )

    if isinstance(created, Exception):
        assert isinstance(created, UnavailableError | BillingInactiveError)
        assert table.active_jobs() == set()
    else:
        assert table.active_jobs() == {created.job_id}
