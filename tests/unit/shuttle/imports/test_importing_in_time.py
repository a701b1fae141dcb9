"""No file keeps an import worker busy unchecked: time and cancellation are checked where bytes are read."""

import contextlib
import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from lib.platform import errors
from lib.platform.log import Logger
from lib.shuttle.entities import Column, Schema, Shop
from lib.shuttle.imports.files import READ_BYTES, ByteStream, UnreadableFileError
from lib.shuttle.imports.spool import spool
from lib.shuttle.imports.worker import Importer
from lib.shuttle.jobs.job import FileFormat, Job, JobKind, JobMode, JobStatus, Outcome
from lib.shuttle.jobs.running import RESERVE_SECONDS
from lib.shuttle.jobs.transitions import IllegalTransitionError
from tests.support.shuttle.builders import DOMAIN, NOON, a_shop

JOB_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
MB = 1_000_000
GZIP_WITH_A_NAME = b"\x1f\x8b\x08\x08" + bytes(6)

#: Files without a row for a long time: each has many times READ_BYTES, or is read byte by byte.
FILES_WITHOUT_ROWS: dict[str, tuple[bytes, FileFormat]] = {
    "csv of blank lines": (b"sku\n" + b"\n" * MB, FileFormat.CSV),
    "csv of blank lines before its header": (b"\n" * MB, FileFormat.CSV),
    "csv of one long cell": (b"sku\n" + b"x" * 900_000, FileFormat.CSV),
    "csv of one cell of many lines": (b'sku\n"' + b"\n" * 900_000, FileFormat.CSV),
    "json lines of blank lines": (b"\n" * MB, FileFormat.JSONL),
    "json lines of one long token": (b'{"sku": "' + b"x" * 900_000, FileFormat.JSONL),
    "json of blanks": (b" " * MB, FileFormat.JSON),
    "json array of blanks": (b"[" + b" \n" * MB, FileFormat.JSON),
    "json with blanks behind its end": (b"[]" + b" " * MB, FileFormat.JSON),
    "json of one long token": (b'[{"sku": "' + b"x" * 900_000, FileFormat.JSON),
    "gzip of blank lines": (gzip.compress(b"sku\n" + b"\n" * MB), FileFormat.CSV),
    "gzip of many empty members": (gzip.compress(b"") * 50_000, FileFormat.CSV),
    "gzip with a long name": (GZIP_WITH_A_NAME + b"x" * 100_000, FileFormat.CSV),
    "gzip with long padding": (gzip.compress(b"sku\n") + bytes(100_000), FileFormat.CSV),
}
every_file = pytest.mark.parametrize(("content", "file_format"), FILES_WITHOUT_ROWS.values(), ids=FILES_WITHOUT_ROWS.keys())


@every_file
def test_at_most_one_piece_is_read_between_two_checks(content: bytes, file_format: FileFormat, tmp_path: Path) -> None:
    bucket, taken, most = Worker(content, file_format), 0, 0

    def check(_: int) -> None:
        nonlocal taken, most
        taken, most = bucket.source.tell(), max(most, bucket.source.tell() - taken)

    with contextlib.suppress(UnreadableFileError):
        spool(bucket, "uploads/a", tmp_path, check)

    assert most <= READ_BYTES


@every_file
def test_an_import_stops_at_the_first_check_after_its_time(content: bytes, file_format: FileFormat) -> None:
    worker = Worker(content, file_format)
    worker.seconds_left = lambda: RESERVE_SECONDS + 3 - worker.checks

    worker.run()

    assert worker.outcome is not None
    assert worker.outcome.failure == "DEADLINE_EXCEEDED"
    assert worker.checks == 4


@every_file
def test_a_cancelled_import_stops_within_five_seconds(content: bytes, file_format: FileFormat) -> None:
    worker = Worker(content, file_format, is_cancelled=True)
    worker.monotonic = lambda: float(worker.checks)  # a second from check to check

    assert worker.run() is JobStatus.CANCELLED
    assert worker.outcome is None
    assert worker.checks == 3


def test_a_failed_report_of_progress_does_not_stop_an_import() -> None:
    worker = Worker(b"{}\n" * 5_000, FileFormat.JSONL, failing_reports=1)
    worker.monotonic = lambda: float(worker.checks)

    worker.run()

    assert (worker.outcome is not None, worker.released) == (True, 0)


def test_two_failed_reports_in_a_row_release_an_import() -> None:
    worker = Worker(b"{}\n" * 5_000, FileFormat.JSONL, failing_reports=2)
    worker.monotonic = lambda: float(worker.checks)

    with pytest.raises(errors.UnavailableError):
        worker.run()

    assert (worker.outcome, worker.released) == (None, 1)


def test_the_time_is_checked_every_500_rows() -> None:
    worker = Worker(b"{}\n" * 5_000, FileFormat.JSONL)

    worker.run()

    assert worker.outcome is not None
    assert worker.outcome.rows_read == 5_000
    assert worker.checks >= 10


def test_a_temporary_error_releases_the_job() -> None:
    worker = Worker(b"sku\nA1\n", FileFormat.CSV)
    worker.monotonic = _raise(errors.ConnectionLostError("could not read the upload"))

    with pytest.raises(errors.ConnectionLostError):
        worker.run()

    assert (worker.released, worker.outcome) == (1, None)


def test_an_internal_error_is_raised_even_if_the_release_fails() -> None:
    worker = Worker(b"sku\nA1\n", FileFormat.CSV)
    worker.monotonic = _raise(ZeroDivisionError("a defect"))
    worker.release_error = errors.UnavailableError("could not release the job")

    with pytest.raises(ZeroDivisionError):
        worker.run()

    assert worker.released == 1


@dataclass
class Worker:
    """One import, with a job, a shop, a bucket and clocks that are this object itself."""

    content: bytes
    file_format: FileFormat
    is_cancelled: bool = False
    failing_reports: int = 0
    seconds_left: Callable[[], float] = lambda: 900.0
    monotonic: Callable[[], float] = lambda: 0.0
    checks: int = 0
    released: int = 0
    release_error: Exception | None = None
    outcome: Outcome | None = None
    source: BinaryIO = field(default_factory=io.BytesIO)
    reports: list[bytes] = field(default_factory=list)

    def run(self) -> JobStatus:
        parts: Any = self
        importer = Importer(
            repository=parts,
            jobs=parts,
            catalogues=parts,
            objects=parts,
            publisher=parts,
            logger=Logger("imports"),
            monotonic=self.monotonic,
        )
        return importer.run(DOMAIN, JOB_ID, self._seconds_left)

    def _seconds_left(self) -> float:
        self.checks += 1
        return self.seconds_left()

    # Jobs

    def start(self, domain: str, job_id: str) -> Job:
        return Job(
            shop_domain=domain,
            job_id=job_id,
            kind=JobKind.IMPORT,
            mode=JobMode.NEW_ONLY,
            file_format=self.file_format,
            status=JobStatus.PROCESSING,
            status_since=NOON,
            created_at=NOON,
            expires_at=NOON,
            attempt=1,
            lease_until=NOON,
        )

    def progress(self, job: Job, **counters: int) -> bool:
        if self.failing_reports:
            self.failing_reports -= 1
            raise errors.UnavailableError("the table is unavailable")
        if self.is_cancelled:
            raise IllegalTransitionError(JobStatus.CANCELLED, JobStatus.PROCESSING)
        return True

    def release(self, job: Job) -> None:
        self.released += 1
        if self.release_error:
            raise self.release_error

    def finish(self, job: Job, outcome: Outcome, *, also: object = ()) -> None:
        self.outcome = outcome

    # Catalogues

    def current(self, domain: str) -> None:
        return None

    # Repository

    def shop(self, domain: str) -> Shop:
        return a_shop(domain)

    def current_schema(self, domain: str) -> Schema:
        return Schema(
            shop_domain=domain, version=1, columns=(Column(name="sku", max_length=MB),), created_at=NOON, key_columns=("sku",)
        )

    # Objects

    def open(self, key: str) -> ByteStream:
        self.source = io.BytesIO(self.content)
        return self.source

    def put(self, key: str, body: BinaryIO, content_type: str) -> None:
        self.reports.append(body.read())


def _raise(error: Exception) -> Callable[[], float]:
    def fail() -> float:
        raise error

    return fail
