"""The import worker: starts a job, checks its file, and ends the job, whatever the file contains.

::

    start ─► schema ─► spool the upload to disk ─► check … progress every few seconds … ─► report ─► finish

The time and the progress are checked at every read of the file and twice a second while the engine works.

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
from pathlib import Path

from lib.platform import clock, errors
from lib.shuttle import keys
from lib.shuttle.engine import Engine
from lib.shuttle.entities import NO_KEY, Schema, Shop
from lib.shuttle.imports import reports
from lib.shuttle.imports.checking import CheckedFile, check
from lib.shuttle.imports.files import MAX_TEXT_BYTES, Failure, Objects, UnreadableFileError
from lib.shuttle.imports.reports import ErrorReport
from lib.shuttle.imports.spool import Spooled, spool
from lib.shuttle.job_folder import job_folder
from lib.shuttle.jobs.job import Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from lib.shuttle.repository import Repository

#: How often progress is written, and with it, how often the worker notices that the job was cancelled.
REPORT_EVERY_SECONDS = 5.0
#: The part of the function's time that is reserved for writing the report and the end of the job.
RESERVE_SECONDS = 20.0


@dataclass(slots=True)
class _Found:
    """What is known of a file so far."""

    schema: Schema | None = None
    spooled: Spooled | None = None
    checked: CheckedFile | None = None
    bytes_read: int = 0
    failure: UnreadableFileError | None = None

    def outcome(self) -> Outcome:
        report = self.checked.report if self.checked else ErrorReport()
        return Outcome(
            rows_read=self.checked.rows_read if self.checked else 0,
            rows_failed=self.checked.rows_failed if self.checked else 0,
            bytes_read=self.bytes_read,
            errors=report.summary,
            has_report=bool(report),
            schema_version=self.schema.version if self.schema else None,
            delimiter=self.checked.delimiter if self.checked else None,
            encoding=self.spooled.encoding if self.spooled else None,
            failure=self.failure.failure if self.failure else None,
            failure_detail=self.failure.detail if self.failure else None,
        )


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
        found = _Found()
        with job_folder() as folder:
            try:
                self._check(job, folder, found, self._watch(job, found, seconds_left))
            except UnreadableFileError as error:
                found.failure = error
        if found.checked and found.checked.report:
            report = found.checked.report.as_csv()
            self._objects.put(keys.report_object(job.shop_domain, job.job_id), report, reports.CONTENT_TYPE)
        return found.outcome()

    def _check(self, job: Job, folder: Path, found: _Found, watch: Callable[[], None]) -> None:
        """Read and check the file of ``job``.

        Raises:
            UnreadableFileError: it is malformed, has no valid row, or exceeds the plan's limits.
        """

        def on_read(bytes_read: int) -> None:
            found.bytes_read = bytes_read
            watch()

        shop = self._repository.shop(job.shop_domain)
        found.schema = self._schema(job)
        upload = keys.upload_object(job.shop_domain, job.job_id)
        found.spooled = spool(self._objects, upload, folder, on_read, min(MAX_TEXT_BYTES, shop.limits.max_file_bytes * 10))
        found.bytes_read = found.spooled.bytes_read
        if found.bytes_read > shop.limits.max_file_bytes:
            allowed = f"The plan allows files of up to {shop.limits.max_file_bytes} bytes. Split the file."
            raise UnreadableFileError(Failure.FILE_TOO_LARGE, allowed)
        delimiter = job.delimiter or shop.settings.csv_delimiter
        with Engine(folder, watch) as engine:
            found.checked = check(
                engine,
                found.spooled,
                job.file_format,
                found.schema,
                on_read,
                delimiter=delimiter,
                max_rows=shop.limits.max_rows,
            )
            _refuse_useless(found.checked, shop)

    def _schema(self, job: Job) -> Schema:
        try:
            schema = self._repository.current_schema(job.shop_domain)
        except errors.NotFoundError as error:
            raise UnreadableFileError(Failure.NO_SCHEMA, "The shop has no schema yet. Save one first.") from error
        if not schema.key_columns:
            raise UnreadableFileError(Failure.NO_KEY, NO_KEY)
        return schema

    def _watch(self, job: Job, found: _Found, seconds_left: Callable[[], float]) -> Callable[[], None]:
        """The callback that reports progress, and stops the work when time runs out or the worker no longer has the job."""
        reported_at = self._monotonic()

        def watch() -> None:
            nonlocal reported_at
            if seconds_left() < RESERVE_SECONDS:
                raise UnreadableFileError(Failure.DEADLINE_EXCEEDED, "Time ran out. Split the file.")
            if self._monotonic() - reported_at >= REPORT_EVERY_SECONDS:
                reported_at = self._monotonic()
                outcome = found.outcome()
                self._jobs.progress(
                    job, rows_read=outcome.rows_read, rows_failed=outcome.rows_failed, bytes_read=outcome.bytes_read
                )

        return watch


def _refuse_useless(checked: CheckedFile, shop: Shop) -> None:
    if checked.rows_read > shop.limits.max_rows:
        detail = f"The plan allows {shop.limits.max_rows} rows per file. Split the file."
        raise UnreadableFileError(Failure.TOO_MANY_ROWS, detail)
    if checked.rows_read == 0:
        raise UnreadableFileError(Failure.EMPTY_FILE, "The file has no rows.")
    if checked.rows_failed == checked.rows_read:
        raise UnreadableFileError(Failure.NO_VALID_ROW, "No row is valid. The error report says why.")
