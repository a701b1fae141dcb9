"""Uploads by link: how a file is split into parts, one multipart upload per job, and what happens to an expired one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.platform import errors
from lib.platform.log import Logger
from lib.shuttle.imports.uploads import MAX_PARTS, MIN_PART_BYTES, MultipartUpload, Part, SingleUpload, Uploads, part_sizes
from lib.shuttle.jobs.job import Job
from tests.support.aws.multipart_s3 import MultipartS3, s3_error
from tests.support.observability.log_lines import LogLines
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop, an_order

LARGE = 20_000_000


@given(st.integers(1, 5 * 1024**4))
def test_a_file_is_split_into_at_most_a_thousand_parts(file_bytes: int) -> None:
    sizes = part_sizes(file_bytes)

    assert sum(sizes) == file_bytes
    assert len(sizes) <= MAX_PARTS
    assert set(sizes[:-1]) <= {sizes[0]}
    assert len(sizes) == 1 or sizes[0] >= MIN_PART_BYTES
    assert 0 < sizes[-1] <= sizes[0]


class World:
    """A shop, its jobs, and the import bucket."""

    def __init__(self, table: ShuttleTable) -> None:
        table.registry.install(a_shop())
        self.table = table
        self.s3 = MultipartS3()
        self.uploads = Uploads(self.s3, "imports", Logger("shuttle"))

    def order(self, file_bytes: int = LARGE) -> Job:
        """A job, made or, of the same size, the one that was made before."""
        return self.table.jobs.create(DOMAIN, an_order(client_token="once", file_bytes=file_bytes))

    def stored(self) -> Job:
        return self.table.repository.job(DOMAIN, self.order().job_id)

    def begin(self, jobs: Any = None) -> SingleUpload | MultipartUpload | None:
        return self.uploads.begin(self.order(), jobs or self.table.jobs)

    def begin_in_parts(self) -> MultipartUpload:
        begun = self.begin()
        assert isinstance(begun, MultipartUpload)
        return begun

    def complete(self, upload_id: str) -> None:
        self.uploads.complete(self.stored(), upload_id, [Part(1, "etag")])


@pytest.fixture
def world(shuttle_table: ShuttleTable) -> World:
    return World(shuttle_table)


# One job, one upload


def test_a_small_file_needs_no_multipart_upload(world: World) -> None:
    assert isinstance(world.uploads.begin(world.order(10), world.table.jobs), SingleUpload)
    assert world.s3.began == []


def test_a_repeated_order_gets_the_same_upload(world: World) -> None:
    assert world.begin_in_parts() == world.begin_in_parts()
    assert world.s3.began == [world.stored().upload_id]


def test_the_second_of_two_requests_aborts_its_own_upload(world: World) -> None:
    job = world.order()
    first = world.begin_in_parts()

    second = world.uploads.begin(job, world.table.jobs)  # read before the first recorded its upload

    assert second == first
    assert (len(world.s3.began), list(world.s3.open)) == (2, [first.upload_id])


def test_an_expired_upload_is_replaced_once(world: World) -> None:
    expired = world.begin_in_parts()
    world.s3.open.clear()

    assert world.begin_in_parts() == world.begin_in_parts() != expired
    assert len(world.s3.began) == 2


def test_one_of_two_requests_replaces_an_expired_upload(world: World) -> None:
    world.begin_in_parts()
    world.s3.open.clear()
    job = world.stored()

    assert world.uploads.begin(job, world.table.jobs) == world.uploads.begin(job, world.table.jobs)
    assert list(world.s3.open) == [world.stored().upload_id]


def test_a_completed_upload_is_not_replaced(world: World) -> None:
    world.complete(world.begin_in_parts().upload_id)

    assert world.begin() is None
    assert len(world.s3.began) == 1


def test_a_job_cancelled_in_the_meantime_gets_no_upload(world: World) -> None:
    job = world.order()
    world.table.jobs.cancel(DOMAIN, job.job_id)

    assert world.uploads.begin(job, world.table.jobs) is None
    assert (len(world.s3.began), world.s3.open) == (1, {})


def test_an_upload_that_could_not_be_recorded_is_aborted(world: World) -> None:
    with pytest.raises(errors.ThrottledError):
        world.begin(Refusing(errors.ThrottledError("could not record the upload")))

    assert (len(world.s3.began), world.s3.open) == (1, {})


def test_an_upload_that_may_be_recorded_stays_open(world: World) -> None:
    with pytest.raises(errors.ConnectionLostError):
        world.begin(Refusing(errors.ConnectionLostError("could not record the upload")))

    assert len(world.s3.open) == 1


class Refusing:
    """Jobs that can't record an upload."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def record_upload(self, job: Job, upload_id: str) -> Job:
        raise self._error


# Aborted and completed


def test_the_upload_of_a_cancelled_job_is_aborted_once(world: World) -> None:
    world.begin_in_parts()
    job = world.table.jobs.cancel(DOMAIN, world.stored().job_id)

    world.uploads.abort(job)
    world.uploads.abort(job)

    assert world.s3.open == {}


def test_a_failed_abort_is_logged(world: World) -> None:
    lines = LogLines("shuttle")
    world.begin_in_parts()
    world.s3.failures["abort_multipart_upload"] = s3_error("AccessDenied", 403)

    world.uploads.abort(world.stored())

    assert lines.only("upload_abort_failed")["job_id"] == world.stored().job_id


def test_completing_is_idempotent(world: World) -> None:
    upload_id = world.begin_in_parts().upload_id

    world.complete(upload_id)
    world.complete(upload_id)

    assert world.s3.objects == {f"uploads/{DOMAIN}/{world.stored().job_id}"}


def test_an_upload_that_expired_can_not_be_completed(world: World) -> None:
    upload_id = world.begin_in_parts().upload_id
    world.s3.open.clear()

    with pytest.raises(errors.InvalidInputError, match="no such upload"):
        world.complete(upload_id)


def test_another_jobs_upload_can_not_be_completed(world: World) -> None:
    world.begin_in_parts()
    another = world.s3.create_multipart_upload(Key=f"uploads/{DOMAIN}/{world.stored().job_id}")["UploadId"]

    with pytest.raises(errors.InvalidInputError, match="no such upload"):
        world.complete(another)
    assert another in world.s3.open


@pytest.mark.parametrize("code", ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"])
def test_wrong_parts_are_an_error_of_the_caller(world: World, code: str) -> None:
    upload_id = world.begin_in_parts().upload_id
    world.s3.failures["complete_multipart_upload"] = s3_error(code)

    with pytest.raises(errors.InvalidInputError, match=code):
        world.complete(upload_id)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [("SlowDown", 503, errors.ThrottledError), ("AccessDenied", 403, errors.AccessDeniedError)],
)
def test_errors_of_s3_are_not_errors_of_the_caller(
    world: World, code: str, status: int, kind: type[errors.SwitchboardError]
) -> None:
    upload_id = world.begin_in_parts().upload_id
    world.s3.failures["complete_multipart_upload"] = s3_error(code, status)

    with pytest.raises(kind):
        world.complete(upload_id)


@pytest.mark.parametrize(("number", "etag"), [(0, "x"), (MAX_PARTS + 1, "x"), (1, ""), (1, "x" * 201)])
def test_an_invalid_part_is_refused(number: int, etag: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        Part(number, etag)
