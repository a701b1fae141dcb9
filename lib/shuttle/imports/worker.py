"""The import worker: takes a job up, checks its file row by row, and ends the job, whatever is in the file.

::

    start ─► schema ─► open ─► rows … progress every few seconds … ─► report ─► finish

The time and the progress are checked at every read of the file and every 500 rows: a file may hold no rows for a long time
(blank lines, empty gzip members), and a row of three bytes may take as long as a schema has columns.

How each thing that can go wrong ends:

* the file can't be read or checked: FAILED with a code (:class:`~lib.shuttle.imports.files.Failure`);
* time runs out: FAILED, DEADLINE_EXCEEDED. A file is not resumed: a gzip can't be entered in the middle, and the plans'
  sizes take a fraction of the time allowed (docs/adr/0063);
* somebody cancels: the next progress report is refused, and the worker stops;
* the store is out of reach for a moment: the job is released and the error raised, so that the queue delivers again;
* the worker dies: the next delivery takes over when the lease is over, three times at most; then the sweep.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lib.platform import clock, errors
from lib.shuttle import keys
from lib.shuttle.entities import Schema, Shop
from lib.shuttle.imports import reports
from lib.shuttle.imports.files import MAX_TEXT_BYTES, Failure, Objects, OnRead, UnreadableFileError, UploadText
from lib.shuttle.imports.parsing import read_rows
from lib.shuttle.imports.reports import ErrorReport
from lib.shuttle.imports.row_validation import RowChecker
from lib.shuttle.jobs.job import FileFormat, Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from lib.shuttle.repository import Repository

#: How often progress is written, and with it whether the job was cancelled is learned.
REPORT_EVERY_SECONDS = 5.0
#: How often, in rows, the time is checked; it is checked at every read of the file as well.
CHECK_EVERY_ROWS = 500
#: What must be left of the function's time to write the report and the end.
RESERVE_SECONDS = 20.0


@dataclass(slots=True)
class Tally:
    """How far reading got."""

    rows_read: int = 0
    rows_failed: int = 0
    bytes_read: int = 0


class Importer:
    """Runs import jobs.

    Args:
        repository: reads the table.
        jobs: changes jobs.
        objects: the import bucket.
        monotonic: seconds that never go backwards.
    """

    def __init__(
        self, repository: Repository, jobs: Jobs, objects: Objects, monotonic: clock.Monotonic = clock.monotonic
    ) -> None:
        self._repository = repository
        self._jobs = jobs
        self._objects = objects
        self._monotonic = monotonic

    def run(self, domain: str, job_id: str, seconds_left: Callable[[], float]) -> JobStatus:
        """Run a job to its end, and tell which end it has. A delivery of a job that ended already does nothing.

        ``seconds_left`` tells how long the function may still run.

        Raises:
            JobBusyError: another worker has the job: deliver again later.
            NotFoundError: there is no such job.
            SwitchboardError: a passing error; the job is released: deliver again.
        """
        try:
            job = self._jobs.start(domain, job_id)
            outcome = self._work(job, seconds_left)
        except IllegalTransitionError as error:
            return error.current  # ended before, or cancelled meanwhile
        except TakenOverError:
            return JobStatus.PROCESSING  # by another worker, who ends it
        return outcome.status

    def _work(self, job: Job, seconds_left: Callable[[], float]) -> Outcome:
        try:
            outcome = self._outcome(job, seconds_left)
            self._jobs.finish(job, outcome)
        except (IllegalTransitionError, TakenOverError):
            raise
        except Exception:
            # Whatever it is, the next delivery must not wait for the lease to end; the lease is the fallback.
            with contextlib.suppress(errors.SwitchboardError):
                self._jobs.release(job)
            raise
        return outcome

    def _outcome(self, job: Job, seconds_left: Callable[[], float]) -> Outcome:
        tally, report = Tally(), ErrorReport()
        schema: Schema | None = None
        failure: UnreadableFileError | None = None
        try:
            shop, schema = self._repository.shop(job.shop_domain), self._schema(job)
            on_read = self._watch(job, tally, seconds_left)
            text = self._open(job, shop, on_read)
            _Check(schema, shop, job.file_format, tally, report).check(text, on_read)
        except UnreadableFileError as error:
            failure = error
        if report:
            self._objects.put(keys.report_object(job.shop_domain, job.job_id), report.as_csv(), reports.CONTENT_TYPE)
        return Outcome(
            rows_read=tally.rows_read,
            rows_failed=tally.rows_failed,
            bytes_read=tally.bytes_read,
            errors=report.summary(),
            has_report=bool(report),
            schema_version=schema.version if schema else None,
            failure=failure.failure if failure else None,
            failure_detail=failure.detail if failure else None,
        )

    def _schema(self, job: Job) -> Schema:
        try:
            return self._repository.current_schema(job.shop_domain)
        except errors.NotFoundError as error:
            raise UnreadableFileError(Failure.NO_SCHEMA, "The shop has no schema yet. Save one first.") from error

    def _open(self, job: Job, shop: Shop, on_read: OnRead) -> UploadText:
        try:
            source = self._objects.open(keys.upload_object(job.shop_domain, job.job_id))
        except errors.NotFoundError as error:
            raise UnreadableFileError(Failure.UPLOAD_MISSING, "The file is not there. Upload it again.") from error
        return UploadText(source, on_read, min(MAX_TEXT_BYTES, shop.limits.max_file_bytes * 10))

    def _watch(self, job: Job, tally: Tally, seconds_left: Callable[[], float]) -> OnRead:
        """Make the callback that reports progress, and stops reading when time is up or another worker has the job."""
        reported_at = self._monotonic()

        def on_read(bytes_read: int) -> None:
            nonlocal reported_at
            tally.bytes_read = bytes_read
            if seconds_left() < RESERVE_SECONDS:
                raise UnreadableFileError(
                    Failure.DEADLINE_EXCEEDED, f"There was no time for more than {tally.rows_read} rows. Split the file."
                )
            if self._monotonic() - reported_at >= REPORT_EVERY_SECONDS:
                reported_at = self._monotonic()
                self._jobs.progress(job, rows_read=tally.rows_read, rows_failed=tally.rows_failed, bytes_read=bytes_read)

        return on_read


class _Check:
    """Checks one file's rows against the schema and the plan, counting as it goes."""

    def __init__(self, schema: Schema, shop: Shop, file_format: FileFormat, tally: Tally, report: ErrorReport) -> None:
        self._rows = RowChecker(schema)
        self._shop = shop
        self._format = file_format
        self._tally = tally
        self._report = report

    def check(self, text: UploadText, on_read: OnRead) -> None:
        """Read ``text`` to its end.

        Raises:
            UnreadableFileError: it can't be read on, has no row or no valid one, or passes the plan's limits.
        """
        try:
            for row in read_rows(text, self._format, self._shop.settings.csv_delimiter):
                self._count(row)
                if self._tally.rows_read % CHECK_EVERY_ROWS == 0:
                    on_read(text.bytes_read)
        finally:
            self._tally.bytes_read = text.bytes_read
        if text.bytes_read > self._shop.limits.max_file_bytes:
            raise UnreadableFileError(
                Failure.FILE_TOO_LARGE, f"The plan takes files of up to {self._shop.limits.max_file_bytes} bytes."
            )
        if self._tally.rows_read == 0:
            raise UnreadableFileError(Failure.EMPTY_FILE, "The file has no rows.")
        if self._tally.rows_failed == self._tally.rows_read:
            raise UnreadableFileError(Failure.NO_VALID_ROW, "Not one row is valid. The error report says why.")

    def _count(self, row: dict[str, Any]) -> None:
        if self._tally.rows_read == self._shop.limits.max_rows:
            raise UnreadableFileError(Failure.TOO_MANY_ROWS, f"The plan takes {self._shop.limits.max_rows} rows a file.")
        if self._tally.rows_read == 0 and self._format is FileFormat.CSV:
            self._rows.check_header(row)
        self._tally.rows_read += 1
        found = self._rows.check(row)
        if found:
            self._tally.rows_failed += 1
            self._report.add(self._tally.rows_read, found)
