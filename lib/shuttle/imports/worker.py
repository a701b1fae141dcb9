"""The import worker: checks the file of a job, merges it into the shop's catalogue, and ends the job.

::

    start ─► schema ─► spool ─► check ─► report ─► [version before ─► merge ─► next version, changes ─► finish] ─► event
                                                        └────────── another import finished first: again ─┘

The next version and the changes are objects that nothing refers to until the transaction that ends the job. So whatever
happens before it, the version before stays the current one.

What happens when something goes wrong:

* the file can't be read, checked or merged: FAILED with a code (:class:`~lib.shuttle.imports.files.Failure`);
* time runs out: FAILED, DEADLINE_EXCEEDED. A file is not resumed: a gzip can't be entered in the middle, and files of the
  plans' sizes take a fraction of the time allowed (docs/adr/0063);
* the job is cancelled: the next progress report is refused, and the worker stops, wherever it is;
* another import moved the catalogue: the file is merged again with the newer version, and only if that has a newer schema
  checked again;
* the table or the bucket is unavailable for a moment: the job is released and the error raised, so that the queue delivers
  the message again;
* the worker crashes: the next delivery takes over when the lease has ended, three times at most; then the sweep.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from lib.platform import clock, errors
from lib.platform.log import Logger
from lib.shuttle import entities, keys, transfers
from lib.shuttle.catalogue import pruning, store
from lib.shuttle.catalogue.merging import BaseFile, Merged, merge, refuse_early
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.catalogue.versions import Catalogue, CatalogueMovedError, PendingEvent
from lib.shuttle.engine import Engine
from lib.shuttle.entities import Schema, Shop
from lib.shuttle.imports import reports
from lib.shuttle.imports.checking import CheckedFile, check
from lib.shuttle.imports.files import MAX_TEXT_BYTES, Failure, PrunableObjects, UnreadableFileError
from lib.shuttle.imports.reports import ErrorReport
from lib.shuttle.imports.spool import Spooled, spool
from lib.shuttle.job_folder import job_folder
from lib.shuttle.jobs import running
from lib.shuttle.jobs.job import Job, JobMode, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.running import Watch
from lib.shuttle.repository import Repository
from lib.shuttle.validation import require

VERSION_TYPE = "application/vnd.apache.parquet"
CHANGES_TYPE = "application/gzip"


class EventPublisher(Protocol):
    """Publishes stored events (:class:`lib.shuttle.catalogue.events.Publisher`)."""

    def publish(self, events: list[PendingEvent], /) -> int:
        """Publish events; how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Runs import jobs.

    Attributes:
        repository: reads the table.
        jobs: changes jobs.
        catalogues: finds the versions of catalogues.
        objects: the import bucket.
        publisher: publishes the events about imports.
        logger: of the function.
        now: the clock.
        monotonic: seconds that never go backwards.
    """

    repository: Repository
    jobs: Jobs
    catalogues: CatalogueStore
    objects: PrunableObjects
    publisher: EventPublisher
    logger: Logger
    now: clock.Clock = clock.utc_now
    monotonic: clock.Monotonic = clock.monotonic

    def run(self, domain: str, job_id: str, seconds_left: Callable[[], float]) -> JobStatus:
        """Run a job to its end and return its status; see :func:`lib.shuttle.jobs.running.run`.

        ``seconds_left`` returns how long the function may still run.
        """
        return running.run(self.jobs, domain, job_id, lambda job: self._work(job, seconds_left))

    def _work(self, job: Job, seconds_left: Callable[[], float]) -> Outcome:
        watch = Watch(self.jobs, job, seconds_left, self.monotonic)
        with job_folder() as folder:
            outcome, event = _Import(self, job, watch, folder).run()
        # The job has ended: what fails now is left to the sweep and to the next import.
        if event is not None:
            self._publish(job, event)
        if outcome.catalogue_version is not None:
            self._prune(job)
        return outcome

    def _publish(self, job: Job, event: PendingEvent) -> None:
        try:
            self.publisher.publish([event])
        except errors.SwitchboardError as error:
            self.logger.error("event_publish_failed", error, shop_domain=job.shop_domain, job_id=job.job_id)

    def _prune(self, job: Job) -> None:
        try:
            pruning.prune(self.catalogues, self.objects, job.shop_domain, self.now)
        except errors.SwitchboardError as error:
            self.logger.error("catalogue_prune_failed", error, shop_domain=job.shop_domain, job_id=job.job_id)


class _Import:
    """One import by one worker. What it found so far is in its attributes, for the outcome."""

    def __init__(self, worker: Importer, job: Job, watch: Watch, folder: Path) -> None:
        self._worker = worker
        self._job = job
        self._watch = watch
        self._folder = folder
        self._schema: Schema | None = None
        self._spooled: Spooled | None = None
        self._file: CheckedFile | None = None

    def run(self) -> tuple[Outcome, PendingEvent | None]:
        """The outcome that ended the job, and the event about it."""
        try:
            shop = self._worker.repository.shop(self._job.shop_domain)
            schema, file = self._checked(shop)
            while True:
                base = self._worker.catalogues.current(self._job.shop_domain)
                if base is not None and base.schema_version > schema.version:
                    schema, file = self._checked(shop)  # an import with a newer schema finished first
                try:
                    return self._merge(shop, schema, file, base)
                except CatalogueMovedError:
                    self._watch.check()
        except UnreadableFileError as error:
            outcome = replace(self._outcome(), failure=error.failure, failure_detail=error.detail)
            return outcome, self._worker.jobs.finish(self._job, outcome)

    def _checked(self, shop: Shop) -> tuple[Schema, CheckedFile]:
        """Check the file against the current schema and the plan, and store the report.

        Raises:
            UnreadableFileError: it is malformed, has no valid row, exceeds the plan's limits or can't be merged.
        """
        job, watch = self._job, self._watch
        schema = self._schema = self._current_schema()
        upload = keys.upload_object(job.shop_domain, job.job_id)
        max_text_bytes = min(MAX_TEXT_BYTES, shop.limits.max_file_bytes * 10)
        self._spooled = spool(self._worker.objects, upload, self._folder, watch.on_read, max_text_bytes)
        watch.bytes_read = self._spooled.bytes_read
        if watch.bytes_read > shop.limits.max_file_bytes:
            raise UnreadableFileError(
                Failure.FILE_TOO_LARGE, f"The plan allows files of up to {shop.limits.max_file_bytes} bytes. Split the file."
            )
        with Engine(self._folder, watch.check) as engine:
            self._file = file = check(
                engine,
                self._spooled,
                job.file_format,
                schema,
                watch.on_read,
                delimiter=job.delimiter or shop.settings.csv_delimiter,
                max_rows=shop.limits.max_rows,
            )
        watch.rows_read, watch.rows_failed = file.rows_read, file.rows_failed
        if file.report:
            report = keys.report_object(job.shop_domain, job.job_id)
            self._worker.objects.put(report, file.report.as_csv(), reports.CONTENT_TYPE)
        _refuse_rows(file, shop.limits.max_rows)
        refuse_early(file, schema, _mode(job), job.duplicate_rule)
        return schema, file

    def _current_schema(self) -> Schema:
        try:
            schema = self._worker.repository.current_schema(self._job.shop_domain)
        except errors.NotFoundError as error:
            raise UnreadableFileError(Failure.NO_SCHEMA, "The shop has no schema yet. Save one first.") from error
        if not schema.key_columns:
            raise UnreadableFileError(Failure.NO_KEY, entities.NO_KEY)
        return schema

    def _merge(
        self, shop: Shop, schema: Schema, file: CheckedFile, base: Catalogue | None
    ) -> tuple[Outcome, PendingEvent | None]:
        """Merge the file with ``base``, and end the job with the version that this makes.

        Raises:
            CatalogueMovedError: another version became the current one. Nothing was written.
        """
        job, worker = self._job, self._worker
        before, max_rows = self._downloaded(base), shop.limits.max_catalogue_rows
        with Engine(self._folder, self._watch.check, keeps_order=False) as engine:
            merged = merge(engine, file, schema, _mode(job), base=before, folder=self._folder, max_rows=max_rows)
        outcome = replace(self._outcome(), counts=merged.counts, changes_key=self._store_changes(merged))
        if job.dry_run:
            return outcome, worker.jobs.finish(job, outcome)
        new = self._store_version(merged, schema, base)
        outcome = replace(outcome, catalogue_version=new.version)
        return outcome, worker.jobs.finish(job, outcome, also=store.replacing(base, new))

    def _downloaded(self, base: Catalogue | None) -> BaseFile | None:
        if base is None:
            return None
        path = self._folder / "base.parquet"
        transfers.download(self._worker.objects, base.object_key, path, self._watch.check)
        return BaseFile(path, base.key_columns)

    def _store_changes(self, merged: Merged) -> str | None:
        if merged.changes is None:
            return None
        key = keys.changes_object(self._job.shop_domain, self._job.job_id, self._job.attempt)
        transfers.upload(self._worker.objects, merged.changes, key, CHANGES_TYPE, self._watch.check)
        return key

    def _store_version(self, merged: Merged, schema: Schema, base: Catalogue | None) -> Catalogue:
        job, version = self._job, base.version + 1 if base else 1
        key = keys.catalogue_object(job.shop_domain, version, job.job_id, job.attempt)
        size = transfers.upload(self._worker.objects, merged.path, key, VERSION_TYPE, self._watch.check)
        return Catalogue(
            shop_domain=job.shop_domain,
            version=version,
            object_key=key,
            rows=merged.rows,
            bytes=size,
            schema_version=schema.version,
            key_columns=schema.key_columns,
            job_id=job.job_id,
            made_at=self._worker.now(),
        )

    def _outcome(self) -> Outcome:
        report = self._file.report if self._file else ErrorReport()
        return Outcome(
            rows_read=self._watch.rows_read,
            rows_failed=self._watch.rows_failed,
            bytes_read=self._watch.bytes_read,
            errors=report.summary,
            has_report=bool(report),
            schema_version=self._schema.version if self._schema else None,
            delimiter=self._file.delimiter if self._file else None,
            encoding=self._spooled.encoding if self._spooled else None,
        )


def _refuse_rows(file: CheckedFile, max_rows: int) -> None:
    if file.rows_read > max_rows:
        raise UnreadableFileError(Failure.TOO_MANY_ROWS, f"The plan allows {max_rows} rows per file. Split the file.")
    if file.rows_read == 0:
        raise UnreadableFileError(Failure.EMPTY_FILE, "The file has no rows. Add at least one.")
    if file.rows_failed == file.rows_read:
        raise UnreadableFileError(Failure.NO_VALID_ROW, "No row is valid. The error report says why.")


def _mode(job: Job) -> JobMode:
    require(job.mode is not None, "an import has a mode")
    assert job.mode is not None  # noqa: S101 - for the type checker
    return job.mode
