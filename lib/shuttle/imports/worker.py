"""The import worker: starts a job, checks its file row by row, and ends the job, for any content of the file.

::

    start ─► schema ─► open ─► rows … progress every few seconds … ─► report ─► finish

The time and the progress are checked at every read of the file and every 500 rows: a file may have no rows for a long time
(blank lines, empty gzip members), and checking a row takes longer the more columns the schema has.

What happens when something goes wrong:

* the file can't be read or checked: FAILED with a code (:class:`~lib.shuttle.imports.files.Failure`);
* time runs out: FAILED, DEADLINE_EXCEEDED. A file is not resumed: a gzip can't be entered in the middle, and files of the
  plans' sizes take a fraction of the time allowed (docs/adr/0063);
* the job is cancelled: the next progress report is refused, and the worker stops;
* the table or the bucket is unavailable for a moment: the job is released and the error raised, so that the queue delivers
  the message again;
* the worker crashes: the next delivery takes over when the lease has ended, three times at most; then the sweep.
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
from lib.shuttle.imports.row_validation import RowValidator
from lib.shuttle.jobs.job import FileFormat, Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from lib.shuttle.repository import Repository

#: How often progress is written, and with it, how often the worker notices that the job was cancelled.
REPORT_EVERY_SECONDS = 5.0
#: How often, in rows, the time is checked; it is checked at every read of the file as well.
CHECK_EVERY_ROWS = 500
#: The part of the function's time that is reserved for writing the report and the end of the job.
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
        """Run a job to its end and return its status. A repeated delivery of a job that has ended does nothing.

        ``seconds_left`` returns how long the function may still run.

        Raises:
            JobBusyError: another worker has the job: deliver again later.
            NotFoundError: there is no such job.
            SwitchboardError: a temporary error; the job is released: deliver again.
        """
        try:
            job = self._jobs.start(domain, job_id)
            outcome = self._work(job, seconds_left)
        except IllegalTransitionError as error:
            return error.current  # ended before, or cancelled in the meantime
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
            # Whatever the error is, the next delivery must not wait for the lease to end; the lease is the fallback.
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
            raise UnreadableFileError(Failure.UPLOAD_MISSING, "The file is missing. Upload it again.") from error
        return UploadText(source, on_read, min(MAX_TEXT_BYTES, shop.limits.max_file_bytes * 10))

    def _watch(self, job: Job, tally: Tally, seconds_left: Callable[[], float]) -> OnRead:
        """Make the callback that reports progress, and stops reading when time runs out or the worker no longer has the job."""
        reported_at = self._monotonic()

        def on_read(bytes_read: int) -> None:
            nonlocal reported_at
            tally.bytes_read = bytes_read
            if seconds_left() < RESERVE_SECONDS:
                raise UnreadableFileError(
                    Failure.DEADLINE_EXCEEDED, f"Time ran out after {tally.rows_read} rows. Split the file."
                )
            if self._monotonic() - reported_at >= REPORT_EVERY_SECONDS:
                reported_at = self._monotonic()
                self._jobs.progress(job, rows_read=tally.rows_read, rows_failed=tally.rows_failed, bytes_read=bytes_read)

        return on_read


class _Check:
    """Checks one file's rows against the schema and the plan, and counts them."""

    def __init__(self, schema: Schema, shop: Shop, file_format: FileFormat, tally: Tally, report: ErrorReport) -> None:
        self._rows = RowValidator(schema)
        self._shop = shop
        self._format = file_format
        self._tally = tally
        self._report = report

    def check(self, text: UploadText, on_read: OnRead) -> None:
        """Read ``text`` to its end.

        Raises:
            UnreadableFileError: it is malformed, has no valid row, or exceeds the plan's limits.
        """
        try:
            for row in read_rows(text, self._format, self._shop.settings.csv_delimiter or ","):
                self._count(row)
                if self._tally.rows_read % CHECK_EVERY_ROWS == 0:
                    on_read(text.bytes_read)
        finally:
            self._tally.bytes_read = text.bytes_read
        if text.bytes_read > self._shop.limits.max_file_bytes:
            raise UnreadableFileError(
                Failure.FILE_TOO_LARGE, f"The plan allows files of up to {self._shop.limits.max_file_bytes} bytes."
            )
        if self._tally.rows_read == 0:
            raise UnreadableFileError(Failure.EMPTY_FILE, "The file has no rows.")
        if self._tally.rows_failed == self._tally.rows_read:
            raise UnreadableFileError(Failure.NO_VALID_ROW, "No row is valid. The error report says why.")

    def _count(self, row: dict[str, Any]) -> None:
        if self._tally.rows_read == self._shop.limits.max_rows:
            raise UnreadableFileError(Failure.TOO_MANY_ROWS, f"The plan allows {self._shop.limits.max_rows} rows per file.")
        if self._tally.rows_read == 0 and self._format is FileFormat.CSV:
            self._rows.check_header(row)
        self._tally.rows_read += 1
        found = self._rows.check(row)
        if found:
            self._tally.rows_failed += 1
            self._report.add(self._tally.rows_read, found)
