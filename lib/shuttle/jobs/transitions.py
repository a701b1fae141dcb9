"""Which status of a job may follow which, and the statement that changes it.

::

    QUEUED ──► PROCESSING ──┬─► COMPLETED
      │          │  ▲       ├─► FAILED
      │          └──┘       └─► CANCELLED
      └─► FAILED, CANCELLED

PROCESSING follows itself when a worker was lost and the next takes over: the attempt goes up, and what the lost one still
writes is refused. Every change is conditional on the status it leaves, so that of two at once one wins and the other gets
the row as it is. Pure: :mod:`lib.shuttle.jobs.lifecycle` sends the statements.
"""

from collections.abc import Mapping
from datetime import datetime

from lib.platform import clock, errors
from lib.platform.dynamodb import Condition, Update, number
from lib.shuttle import items, keys
from lib.shuttle.items import Attributes
from lib.shuttle.jobs.job import Job, JobStatus, JobSummary, Outcome

#: How many workers may start a job before it fails.
MAX_ATTEMPTS = 3

LEGAL: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.PROCESSING, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.PROCESSING: frozenset({JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}

_QUEUED: Attributes = {":queued": {"S": JobStatus.QUEUED.value}}
_PROCESSING: Attributes = {":processing": {"S": JobStatus.PROCESSING.value}}


class IllegalTransitionError(errors.InvalidInputError):
    """The job can't go from its current status to the wanted one."""

    code = "illegal_transition"

    def __init__(self, current: JobStatus, wanted: JobStatus) -> None:
        super().__init__(f"a job that is {current} can't become {wanted}")
        self.current = current
        self.wanted = wanted


class TakenOverError(errors.PermanentError):
    """Another worker has taken over the job; this one must stop and write nothing more."""


def start(domain: str, job_id: str, now: datetime, lease_until: datetime) -> Update:
    """A worker starts the job: it is queued, or its last worker's lease has ended and attempts are left."""
    return Update(
        key=keys.job(domain, job_id).attributes(),
        sets=_status(job_id, JobStatus.PROCESSING, now)
        | {"LeaseUntil": items.value_to_attribute(lease_until)}
        | _counters(0, 0, 0),
        adds={"Attempt": number(1)},
        condition=Condition(
            expression="#Status = :queued OR (#Status = :processing AND #LeaseUntil <= :now AND #Attempt < :attempts)",
            values=_QUEUED | _PROCESSING | {":now": {"S": clock.canonical(now)}, ":attempts": number(MAX_ATTEMPTS)},
        ),
    )


def record_upload(job: Job, upload_id: str) -> Update:
    """Record the multipart upload of the job's file, if the job is queued and its upload is still the one in ``job``."""
    is_unchanged = "attribute_not_exists(#UploadId)" if job.upload_id is None else "#UploadId = :former"
    former: Attributes = {} if job.upload_id is None else {":former": {"S": job.upload_id}}
    return Update(
        key=job.key().attributes(),
        sets={"UploadId": {"S": upload_id}},
        condition=Condition(expression=f"#Status = :queued AND {is_unchanged}", values=_QUEUED | former),
    )


def progress(job: Job, rows_read: int, rows_failed: int, bytes_read: int) -> Update:
    """Record how far the worker got. A late or repeated report of fewer rows is refused."""
    return Update(
        key=job.key().attributes(),
        sets=_counters(rows_read, rows_failed, bytes_read),
        condition=_held(job, " AND #RowsRead < :RowsRead"),
    )


def release(job: Job, now: datetime) -> Update:
    """End the worker's lease, so that the next worker may take over at once."""
    return Update(key=job.key().attributes(), sets={"LeaseUntil": items.value_to_attribute(now)}, condition=_held(job))


def finish(job: Job, outcome: Outcome, now: datetime) -> Update:
    """The job's worker ends it. Every field of the outcome is one of the job."""
    return Update(
        key=job.key().attributes(),
        sets=_status(job.job_id, outcome.status, now) | items.to_attributes(outcome),
        removes=("LeaseUntil",),
        condition=_held(job),
    )


def cancel(domain: str, job_id: str, now: datetime) -> Update:
    """Cancel the job, unless it has ended."""
    sources = [status for status, targets in LEGAL.items() if JobStatus.CANCELLED in targets]
    values: Attributes = {f":from{number}": {"S": status.value} for number, status in enumerate(sources)}
    return Update(
        key=keys.job(domain, job_id).attributes(),
        sets=_status(job_id, JobStatus.CANCELLED, now),
        removes=("LeaseUntil",),
        condition=Condition(expression=f"#Status IN ({', '.join(values)})", values=values),
    )


def give_up(stale: JobSummary, now: datetime, failure: str, failure_detail: str) -> Update:
    """Fail a job that has lost its worker, if its status has not been set again since ``stale`` was read.

    Raises:
        IllegalTransitionError: FAILED can't follow that status.
    """
    if JobStatus.FAILED not in LEGAL[stale.status]:
        raise IllegalTransitionError(stale.status, JobStatus.FAILED)
    return Update(
        key=stale.key().attributes(),
        sets=_status(stale.job_id, JobStatus.FAILED, now) | _failure(failure, failure_detail),
        removes=("LeaseUntil",),
        condition=Condition(
            expression="#Status = :left AND #StatusSince = :since",
            values={":left": {"S": stale.status.value}, ":since": {"S": clock.canonical(stale.status_since)}},
        ),
    )


def _held(job: Job, more: str = "") -> Condition:
    """The worker still has the job: it was not ended or taken over."""
    return Condition(
        expression="#Status = :processing AND #Attempt = :attempt" + more,
        values=_PROCESSING | {":attempt": number(job.attempt)},
    )


def _status(job_id: str, status: JobStatus, now: datetime) -> Attributes:
    """The status and its time, with the job's place in GSI1."""
    since = {"Status": {"S": status.value}, "StatusSince": items.value_to_attribute(now)}
    return since | keys.jobs_by_status(job_id, status, now).attributes()


def _counters(rows_read: int, rows_failed: int, bytes_read: int) -> Attributes:
    return {"RowsRead": number(rows_read), "RowsFailed": number(rows_failed), "BytesRead": number(bytes_read)}


def _failure(failure: str | None, detail: str | None) -> Attributes:
    given = {"Failure": failure, "FailureDetail": detail}
    return {name: {"S": text} for name, text in given.items() if text is not None}
