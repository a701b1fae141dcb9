"""One import or export, and what an index includes of it.

A job validates its own values, so that neither a caller nor a stored row can bring in a wrong one. Which status may follow
which is decided in :mod:`lib.shuttle.jobs.transitions`.
"""

import enum
from dataclasses import dataclass
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
    """What GSI1 and StatusIndex include of a Job: only what a status change changes, so that progress costs no index write."""

    shop_domain: str
    job_id: str
    kind: JobKind
    mode: JobMode | None = None
    status: JobStatus
    status_since: datetime
    created_at: datetime
    expires_at: datetime
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(JobSummary):
    """One import or export.

    ``attempt`` counts the workers that started it; only the latest may write to it. ``lease_until`` is when the next may
    take it over. Counters belong to the latest attempt. ``upload_id`` is the one multipart upload of its file. ``failure``
    is a code (docs/runbooks/jobs.md lists them) and ``failure_detail`` a sentence for the shop.
    """

    file_format: FileFormat
    file_bytes: int | None = None
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
        counters = (self.attempt, self.rows_read, self.rows_failed, self.bytes_read, self.file_bytes or 0)
        require(min(counters) >= 0, "a counter is below zero")
        require(self.rows_failed <= self.rows_read, "more rows failed than were read")

    @property
    def rows_valid(self) -> int:
        """How many of the rows read had no error."""
        return self.rows_read - self.rows_failed

    def key(self) -> keys.Key:  # noqa: D102
        return keys.job(self.shop_domain, self.job_id)

    def index_keys(self) -> tuple[keys.Key, ...]:  # noqa: D102
        return (keys.jobs_by_status(self.job_id, self.status, self.status_since),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a worker. ``failure`` is a code, set only if the job failed; ``schema_version`` that of the schema."""

    rows_read: int = 0
    rows_failed: int = 0
    bytes_read: int = 0
    errors: tuple[ErrorSummary, ...] = ()
    has_report: bool = False
    schema_version: int | None = None
    failure: str | None = None
    failure_detail: str | None = None

    @property
    def status(self) -> JobStatus:
        """The status that the job ends in."""
        return JobStatus.COMPLETED if self.failure is None else JobStatus.FAILED
