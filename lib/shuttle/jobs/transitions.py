"""Which status of a job may follow which, and the statement that changes it.

::

    QUEUED ──► PROCESSING ──┬─► COMPLETED
      │          │  ▲       ├─► FAILED
      │          └──┘       └─► CANCELLED
      └─► FAILED, CANCELLED

PROCESSING follows itself when a worker was lost and the next takes over: the attempt goes up, and what the lost one still
writes is refused. Every change is conditional on the status it leaves, so that of two at once one wins and the other is
told what stood there. Pure: :mod:`lib.shuttle.jobs.lifecycle` runs the statements.
"""

from collections.abc import Mapping
from datetime import datetime

from lib.platform import clock, errors
from lib.shuttle import items, keys
from lib.shuttle.jobs.job import Job, JobStatus, JobSummary, Outcome
from lib.shuttle.transactions import Condition, Update

#: How many workers may take a job up before it is given up.
MAX_ATTEMPTS = 3

LEGAL: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.PROCESSING, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.PROCESSING: frozenset({JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}


class IllegalTransitionError(errors.InvalidInputError):
    """The job can't go from the status it has to the one wanted."""

    code = "illegal_transition"

    def __init__(self, current: JobStatus, wanted: JobStatus) -> None:
        super().__init__(f"a job that is {current} can't become {wanted}")
        self.current = current
        self.wanted = wanted


class TakenOverError(errors.PermanentError):
    """Another worker has the job by now; this one must stop and write nothing more."""


def sources(target: JobStatus) -> tuple[JobStatus, ...]:
    """The statuses that ``target`` may follow."""
    return tuple(status for status, targets in LEGAL.items() if target in targets)


def start(domain: str, job_id: str, now: datetime, lease_until: datetime) -> Update:
    """A worker takes the job up: it is queued, or its last worker's lease is over and attempts are left."""
    return Update(
        key=keys.job(domain, job_id),
        sets=_status(job_id, JobStatus.PROCESSING, now)
        | {
            "LeaseUntil": items.value_to_attribute(lease_until),
            "RowsRead": {"N": "0"},
            "RowsFailed": {"N": "0"},
            "BytesRead": {"N": "0"},
        },
        adds={"Attempt": {"N": "1"}},
        condition=Condition(
            expression=("#Status = :queued OR (#Status = :processing AND #LeaseUntil <= :now AND #Attempt < :attempts)"),
            values={
                ":queued": {"S": JobStatus.QUEUED.value},
                ":processing": {"S": JobStatus.PROCESSING.value},
                ":now": {"S": clock.canonical(now)},
                ":attempts": {"N": str(MAX_ATTEMPTS)},
            },
        ),
    )


def keep_upload(job: Job, upload_id: str) -> Update:
    """Record the multipart upload of the job's file, if the job is queued and its upload is still the one in ``job``."""
    is_unchanged = "attribute_not_exists(#UploadId)" if job.upload_id is None else "#UploadId = :former"
    former: dict[str, items.Attributes] = {} if job.upload_id is None else {":former": {"S": job.upload_id}}
    return Update(
        key=job.key(),
        sets={"UploadId": {"S": upload_id}},
        condition=Condition(
            expression=f"#Status = :queued AND {is_unchanged}", values={":queued": {"S": JobStatus.QUEUED.value}} | former
        ),
    )


def progress(job: Job, rows_read: int, rows_failed: int, bytes_read: int) -> Update:
    """The worker got further. Never back: a late or repeated report of fewer rows is refused."""
    return Update(
        key=job.key(),
        sets={"RowsRead": _number(rows_read), "RowsFailed": _number(rows_failed), "BytesRead": _number(bytes_read)},
        condition=_held(job, " AND #RowsRead < :RowsRead"),
    )


def release(job: Job, now: datetime) -> Update:
    """The worker gives the job back unfinished, so that the next may take it over at once."""
    return Update(key=job.key(), sets={"LeaseUntil": items.value_to_attribute(now)}, condition=_held(job))


def finish(job: Job, outcome: Outcome, now: datetime) -> Update:
    """The worker that has the job ends it."""
    return Update(
        key=job.key(),
        sets=_status(job.job_id, outcome.status, now)
        | {
            "RowsRead": _number(outcome.rows_read),
            "RowsFailed": _number(outcome.rows_failed),
            "BytesRead": _number(outcome.bytes_read),
            "Errors": items.value_to_attribute(outcome.errors),
            "HasReport": {"BOOL": outcome.has_report},
        }
        | ({} if outcome.schema_version is None else {"SchemaVersion": _number(outcome.schema_version)})
        | _failure(outcome.failure, outcome.failure_detail),
        removes=("LeaseUntil",),
        condition=_held(job),
    )


def cancel(domain: str, job_id: str, now: datetime) -> Update:
    """Somebody calls the job off, wherever it is before its end."""
    froms = sources(JobStatus.CANCELLED)
    return Update(
        key=keys.job(domain, job_id),
        sets=_status(job_id, JobStatus.CANCELLED, now),
        removes=("LeaseUntil",),
        condition=Condition(
            expression=f"#Status IN ({', '.join(f':from{number}' for number in range(len(froms)))})",
            values={f":from{number}": {"S": status.value} for number, status in enumerate(froms)},
        ),
    )


def give_up(stale: Job | JobSummary, now: datetime, failure: str, failure_detail: str) -> Update:
    """Nobody works on the job any more: it fails, if it is still in the very stay in its status that ``stale`` shows.

    Raises:
        IllegalTransitionError: FAILED can't follow that status.
    """
    if JobStatus.FAILED not in LEGAL[stale.status]:
        raise IllegalTransitionError(stale.status, JobStatus.FAILED)
    return Update(
        key=keys.job(stale.shop_domain, stale.job_id),
        sets=_status(stale.job_id, JobStatus.FAILED, now) | _failure(failure, failure_detail),
        removes=("LeaseUntil",),
        condition=Condition(
            expression="#Status = :left AND #StatusSince = :since",
            values={":left": {"S": stale.status.value}, ":since": {"S": clock.canonical(stale.status_since)}},
        ),
    )


def _held(job: Job, more: str = "") -> Condition:
    """The worker still has the job: nobody ended it or took it over."""
    return Condition(
        expression="#Status = :processing AND #Attempt = :attempt" + more,
        values={":processing": {"S": JobStatus.PROCESSING.value}, ":attempt": _number(job.attempt)},
    )


def _status(job_id: str, status: JobStatus, now: datetime) -> dict[str, items.Attributes]:
    """The attributes that say where a job stands, its place in GSI1 with them."""
    return {
        "Status": {"S": status.value},
        "StatusSince": items.value_to_attribute(now),
    } | keys.jobs_by_status(job_id, status, now).attributes()


def _failure(failure: str | None, detail: str | None) -> dict[str, items.Attributes]:
    given = {"Failure": failure, "FailureDetail": detail}
    return {name: {"S": text} for name, text in given.items() if text is not None}


def _number(value: int) -> items.Attributes:
    return {"N": str(value)}
