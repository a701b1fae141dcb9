"""What happens to a job during an import: it is started, cancelled, lost, and counted once."""

import itertools

import pytest

from lib.platform import errors
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.lifecycle import JobBusyError
from tests.support.shuttle.builders import DOMAIN
from tests.support.shuttle.importer import GOOD_CSV, World


def test_usage_is_metered_once(world: World) -> None:
    job_id = world.upload(GOOD_CSV)
    world.run(job_id)
    assert world.run(job_id) is JobStatus.COMPLETED  # a duplicate delivery
    today = world.table.clock().date()
    (usage,) = world.table.repository.daily_usage(DOMAIN, today, today)
    assert (usage.imports, usage.jobs_completed, usage.rows_read, usage.bytes_read) == (1, 1, 2, len(GOOD_CSV))


def test_progress_is_written_every_few_seconds(world: World) -> None:
    world.ticking.step = 3.0
    seen: list[int] = []
    job_id = world.upload(b"sku\n" + b"A1\n" * 3_000)
    world.table.client.forget()
    world.run(job_id)
    for name, request in world.table.calls:
        if name == "update_item" and ":RowsRead" in request["ExpressionAttributeValues"]:
            seen.append(int(request["ExpressionAttributeValues"][":RowsRead"]["N"]))
    assert seen == sorted(seen)
    assert seen[-1] > 2_000
    assert max(later - earlier for earlier, later in itertools.pairwise(seen)) <= 1_000  # a report at every second check


def test_a_cancelled_import_stops_at_its_next_report(world: World) -> None:
    world.ticking.step = 10.0
    job_id = world.upload(b"sku\n" + b"A1\n" * 50_000)
    world.objects.during_read = lambda: world.table.jobs.cancel(DOMAIN, job_id)
    assert world.run(job_id) is JobStatus.CANCELLED
    job = world.job(job_id)
    assert (job.status, job.rows_read, job.has_report) == (JobStatus.CANCELLED, 0, False)


def test_an_import_that_runs_out_of_time_fails(world: World) -> None:
    world.seconds_left = 19.0
    job = world.imported(b"sku\n" + b"A1\n" * 600)
    assert (job.status, job.failure, job.rows_read) == (JobStatus.FAILED, "DEADLINE_EXCEEDED", 0)


def test_the_delivery_after_a_temporary_error_takes_over_at_once(world: World) -> None:
    def broken() -> None:
        raise errors.ConnectionLostError("could not read the upload: the connection broke")

    job_id = world.upload(GOOD_CSV)
    world.objects.during_read = broken
    with pytest.raises(errors.ConnectionLostError):
        world.run(job_id)
    world.objects.during_read = lambda: None
    assert world.run(job_id) is JobStatus.COMPLETED
    assert world.job(job_id).attempt == 2


def test_a_second_delivery_waits_while_a_worker_has_the_job(world: World) -> None:
    job_id = world.upload(GOOD_CSV)
    world.table.jobs.start(DOMAIN, job_id)
    with pytest.raises(JobBusyError):
        world.run(job_id)


def test_a_job_that_loses_three_workers_fails(world: World) -> None:
    job_id = world.upload(GOOD_CSV)
    for _ in range(3):
        world.table.jobs.start(DOMAIN, job_id)
        world.table.clock.advance(minutes=17)
    assert world.run(job_id) is JobStatus.FAILED
    assert world.job(job_id).failure == "WORKER_LOST"
    assert world.table.active_jobs() == set()


def test_a_worker_that_was_replaced_writes_nothing(world: World) -> None:
    world.ticking.step = 10.0
    job_id = world.upload(b"sku\n" + b"A1\n" * 5_000)

    def another_takes_over() -> None:
        world.table.clock.advance(minutes=17)
        world.objects.during_read = lambda: None
        world.table.jobs.start(DOMAIN, job_id)

    world.objects.during_read = another_takes_over
    assert world.run(job_id) is JobStatus.PROCESSING
    assert (world.job(job_id).attempt, world.job(job_id).rows_read) == (2, 0)
