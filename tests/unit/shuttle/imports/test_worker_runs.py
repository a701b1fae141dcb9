"""What happens to a job during an import: it is started, cancelled, lost, and counted once."""

import itertools
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lib.platform import errors
from lib.shuttle import engine
from lib.shuttle.imports.files import READ_BYTES
from lib.shuttle.job_folder import job_folder
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
    job_id = world.upload(b"sku\n" + b"A1\n" * 300_000)
    world.table.client.forget()
    world.run(job_id)
    seen = progress(world, ":BytesRead")
    assert seen == sorted(seen)
    assert seen[-1] > 800_000
    assert max(later - earlier for earlier, later in itertools.pairwise(seen)) <= 2 * READ_BYTES  # at every second check


def test_progress_is_written_while_the_engine_works(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WAIT_SECONDS", 0.001)
    world.ticking.step = 3.0
    content = b"sku\n" + b"A1\n" * 90_000
    job_id = world.upload(content)
    world.table.client.forget()
    assert world.run(job_id) is JobStatus.COMPLETED
    assert progress(world, ":BytesRead").count(len(content)) > 3


def test_a_cancelled_import_stops_while_the_engine_works(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WAIT_SECONDS", 0.001)
    query = engine.Engine.rows
    queries: list[str] = []

    def cancelled_query(self: engine.Engine, sql: str, parameters: Sequence[object] = ()) -> object:
        queries.append(sql)
        world.table.jobs.cancel(DOMAIN, job_id)
        world.ticking.step = 10.0
        return query(self, sql, parameters)

    monkeypatch.setattr(engine.Engine, "rows", cancelled_query)
    job_id = world.upload(b"sku\n" + b"A1\n" * 90_000)
    assert world.run(job_id) is JobStatus.CANCELLED
    assert len(queries) == 1


def test_no_files_are_left_on_disk(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    world.imported(GOOD_CSV)
    world.imported(b'sku\n"A1\n')
    world.seconds_left = 0
    world.imported(GOOD_CSV)
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_killed_worker_are_removed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that ran out of memory or time leaves its disk to the next run."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned, new = (tmp_path / f"shuttle-job-{name}" for name in ("abandoned", "new"))
    for folder in (abandoned, new):
        folder.mkdir()
        (folder / "upload.txt").write_text("a")
    with job_folder() as running:
        for folder in (abandoned, running):
            ten_seconds_ago = time.time() - 10
            os.utime(folder, (ten_seconds_ago, ten_seconds_ago))
        world.imported(GOOD_CSV)
        assert sorted(tmp_path.iterdir()) == sorted([new, running])


def progress(world: World, counter: str) -> list[int]:
    """What the reports of progress said, in order."""
    updates = (request["ExpressionAttributeValues"] for name, request in world.table.calls if name == "update_item")
    return [int(values[counter]["N"]) for values in updates if counter in values]


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
