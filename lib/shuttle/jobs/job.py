"""An import or export job, and the part of it that an index includes.

A job validates its own values, so that neither a caller nor a stored row can bring in a wrong one. Which status may follow
which is decided in :mod:`lib.shuttle.jobs.transitions`.
"""

import enum
from dataclasses import dataclass, fields
from datetime import datetime

from lib.shuttle import keys
from lib.shuttle.validation import require, require_instants


class JobKind(enum.StrEnum):
    """The direction in which a job moves rows."""

    IMPORT = "IMPORT"
    EXPORT = "EXPORT"


class JobMode(enum.StrEnum):
    """What an import does with rows that the shop already has."""

    OVERWRITE_EXISTING = "OVERWRITE_EXISTING"
    NEW_ONLY = "NEW_ONLY"
    NEW_AND_DRAFT = "NEW_AND_DRAFT"
    WIPE_AND_RESTORE = "WIPE_AND_RESTORE"


class FileFormat(enum.StrEnum):
    """The format of a job's file. Each may be gzipped."""

    CSV = "CSV"
    JSON = "JSON"
    JSONL = "JSONL"


class DuplicateRule(enum.StrEnum):
    """What an import does with a key that is in its file more than once."""

    LAST = "last"
    """The last of these rows counts."""
    REFUSE = "refuse"
    """The file is refused."""


class JobStatus(enum.StrEnum):
    """The state of a job."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether no other status can follow."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSummary:
    """How often an error occurs in a file, and the first rows (from 1, without the header) that have it."""

    code: str
    count: int
    first_rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """The part of a Job that GSI1 and StatusIndex include: only what a status change changes, so that progress costs no index
    write."""

    shop_domain: str
    job_id: str
    kind: JobKind
    mode: JobMode | None = None
    status: JobStatus
    status_since: datetime
    created_at: datetime
    expires_at: datetime
    failure: str | None = None
    dry_run: bool = False

    def key(self) -> keys.Key:
        """The primary key of the job."""
        return keys.job(self.shop_domain, self.job_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What an import did, or in a dry run would do, to the catalogue.

    ``added``, ``replaced``, ``unchanged`` and ``skipped`` count rows of the file, ``removed`` rows of the catalogue, and
    ``duplicates`` rows of the file that a later row with the same key replaced.
    """

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    skipped: int = 0
    removed: int = 0
    duplicates: int = 0

    def __post_init__(self) -> None:
        require(min(getattr(self, field.name) for field in fields(self)) >= 0, "a counter is below zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(JobSummary):
    """One import or export.

    Attributes:
        file_bytes: the announced size of an import's file.
        delimiter: of a CSV file: as ordered, and once the job has ended as it was used.
        encoding: of an import's file, as it was detected.
        columns: those that an export contains; empty for all.
        gzip: whether an export is compressed.
        version: the version that an export was ordered of; None for the current one.
        changed_since: the version that the rows of an export differ from; None for all rows.
        upload_id: the one multipart upload of an import's file.
        attempt: how many workers started it; only the latest may write to it.
        lease_until: when the next worker may take it over.
        schema_version: that of the schema which the file was checked against.
        rows_read: counted by the latest attempt, as ``rows_failed`` and ``bytes_read`` are.
        counts: what the import did to the catalogue.
        catalogue_version: the version that an import made, or an export contains.
        changes_key: the object with the changed rows.
        result_key: the object that an export made.
        failure_detail: a sentence for the shop; ``failure`` is a code (docs/runbooks/jobs.md lists them).
    """

    file_format: FileFormat
    file_bytes: int | None = None
    duplicate_rule: DuplicateRule = DuplicateRule.LAST
    delimiter: str | None = None
    encoding: str | None = None
    columns: tuple[str, ...] = ()
    gzip: bool = False
    version: int | None = None
    changed_since: int | None = None
    upload_id: str | None = None
    attempt: int = 0
    lease_until: datetime | None = None
    schema_version: int | None = None
    rows_read: int = 0
    rows_failed: int = 0
    bytes_read: int = 0
    failure_detail: str | None = None
    errors: tuple[ErrorSummary, ...] = ()
    has_report: bool = False
    counts: Counts = Counts()
    catalogue_version: int | None = None
    changes_key: str | None = None
    result_key: str | None = None

    def __post_init__(self) -> None:
        keys.shop_domain(self.shop_domain)
        keys.job_id(self.job_id)
        require_instants(self.status_since, self.created_at, self.expires_at)
        require((self.mode is not None) == (self.kind is JobKind.IMPORT), "an import has a mode, an export has none")
        require(
            (self.failure is not None) == (self.status is JobStatus.FAILED), "a failure is for FAILED jobs only, which need one"
        )
        require(
            (self.lease_until is not None) == (self.status is JobStatus.PROCESSING),
            "a lease is for PROCESSING jobs only, which need one",
        )
        require(not self.dry_run or self.kind is JobKind.IMPORT, "only an import can be a dry run")
        counters = (self.attempt, self.rows_read, self.rows_failed, self.bytes_read, self.file_bytes or 0)
        require(min(counters) >= 0, "a counter is below zero")
        require(self.rows_failed <= self.rows_read, "more rows failed than were read")

    @property
    def rows_valid(self) -> int:
        """How many of the rows read had no error."""
        return self.rows_read - self.rows_failed

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return (keys.jobs_by_status(self.job_id, self.status, self.status_since),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a worker; its fields are those of Job. ``failure`` is set only if the job failed."""

    rows_read: int = 0
    rows_failed: int = 0
    bytes_read: int = 0
    errors: tuple[ErrorSummary, ...] = ()
    has_report: bool = False
    schema_version: int | None = None
    delimiter: str | None = None
    encoding: str | None = None
    counts: Counts = Counts()
    catalogue_version: int | None = None
    changes_key: str | None = None
    result_key: str | None = None
    failure: str | None = None
    failure_detail: str | None = None

    @property
    def status(self) -> JobStatus:
        """The status that the job ends in."""
        return JobStatus.COMPLETED if self.failure is None else JobStatus.FAILED
