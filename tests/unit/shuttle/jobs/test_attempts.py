"""How often a job is started: by three workers at most, and at once after a release."""

import pytest

from lib.platform.contract import JOB_LEASE
from lib.shuttle.jobs.job import Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import WORKER_LOST, JobBusyError
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop, an_order


@pytest.fixture
def job_id(shuttle_table: ShuttleTable) -> str:
    """A queued job of an installed shop."""
    shuttle_table.registry.install(a_shop())
    return shuttle_table.jobs.create(DOMAIN, an_order()).job_id


def lose_worker(table: ShuttleTable, job_id: str) -> Job:
    """Start the job and let the worker's lease end."""
    job = table.jobs.start(DOMAIN, job_id)
    table.clock.advance(seconds=JOB_LEASE.total_seconds())
    return job


def test_a_third_worker_may_start_a_job(shuttle_table: ShuttleTable, job_id: str) -> None:
    lose_worker(shuttle_table, job_id)
    lose_worker(shuttle_table, job_id)

    assert shuttle_table.jobs.start(DOMAIN, job_id).attempt == 3


def test_a_fourth_worker_finds_the_job_failed(shuttle_table: ShuttleTable, job_id: str) -> None:
    for _ in range(3):
        lose_worker(shuttle_table, job_id)

    with pytest.raises(IllegalTransitionError):
        shuttle_table.jobs.start(DOMAIN, job_id)

    job = shuttle_table.repository.job(DOMAIN, job_id)
    assert (job.status, job.failure, job.attempt) == (JobStatus.FAILED, WORKER_LOST, 3)
    assert shuttle_table.active_jobs() == set()


def test_a_job_is_busy_until_its_lease_is_over(shuttle_table: ShuttleTable, job_id: str) -> None:
    shuttle_table.jobs.start(DOMAIN, job_id)
    shuttle_table.clock.advance(seconds=JOB_LEASE.total_seconds() - 1)

    with pytest.raises(JobBusyError):
        shuttle_table.jobs.start(DOMAIN, job_id)


def test_a_released_job_can_be_started_at_once(shuttle_table: ShuttleTable, job_id: str) -> None:
    shuttle_table.jobs.release(shuttle_table.jobs.start(DOMAIN, job_id))

    assert shuttle_table.jobs.start(DOMAIN, job_id).attempt == 2


def test_releases_count_as_attempts(shuttle_table: ShuttleTable, job_id: str) -> None:
    for _ in range(3):
        shuttle_table.jobs.release(shuttle_table.jobs.start(DOMAIN, job_id))

    with pytest.raises(IllegalTransitionError):
        shuttle_table.jobs.start(DOMAIN, job_id)


def test_a_worker_that_was_replaced_can_not_release(shuttle_table: ShuttleTable, job_id: str) -> None:
    lost = lose_worker(shuttle_table, job_id)
    shuttle_table.jobs.start(DOMAIN, job_id)

    with pytest.raises(TakenOverError):
        shuttle_table.jobs.release(lost)
    with pytest.raises(JobBusyError):
        shuttle_table.jobs.start(DOMAIN, job_id)


def test_a_job_that_has_ended_can_not_be_released(shuttle_table: ShuttleTable, job_id: str) -> None:
    job = shuttle_table.jobs.start(DOMAIN, job_id)
    shuttle_table.jobs.finish(job, Outcome(rows_read=1))

    with pytest.raises(IllegalTransitionError):
        shuttle_table.jobs.release(job)
