"""The life of a job: made within the plan's limits, taken up, getting on, ended, each change conditional and metered.

What ends a job also frees its slot and meters it, in one transaction, so that each happens once whatever crashes,
repeats or comes at the same time::

    worker: finish ─┐
    shop:   cancel ─┼─► the first transaction stands; the others are told IllegalTransitionError, and write nothing
    sweep:  give up ┘

What this module does not do: read files (:mod:`lib.shuttle.imports.worker`) or list jobs (:mod:`lib.shuttle.repository`).
"""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NoReturn

from lib.platform import clock, errors
from lib.shuttle import transactions, ulids
from lib.shuttle.entities import UsageCounters, from_item
from lib.shuttle.imports.files import Failure
from lib.shuttle.jobs import limits, metering, transitions
from lib.shuttle.jobs.job import JOB_KEPT, Job, JobStatus, JobSummary, Outcome
from lib.shuttle.jobs.limits import JobOrder
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from lib.shuttle.repository import Repository
from lib.shuttle.validation import whole_second

#: How long a worker may hold a job: Lambda's longest run, and a minute.
LEASE = timedelta(minutes=16)
#: A PROCESSING job this old lost its worker, and the queue did not bring it back.
LOST_AFTER = timedelta(hours=1)
#: A QUEUED job this old never got its file: upload links last an hour.
UNUSED_AFTER = timedelta(hours=24)

WORKER_LOST = "WORKER_LOST"
_LOST_TOO_OFTEN = "The import was begun too often and never ended. Look at the file, or make it smaller."


class JobBusyError(errors.RetryableError):
    """Another worker has the job, and its lease is not over."""


class Jobs:
    """Changes jobs in the Shuttle table.

    Every method raises a SwitchboardError if the table can't be reached or refuses.

    Args:
        client: a DynamoDB client, or a tenant's (:mod:`lib.shuttle.tenancy`).
        table_name: the Shuttle table.
        now: the clock.
        sleep: waits between tries of a transaction that met another.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        now: clock.Clock = clock.utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._now = now
        self._sleep = sleep
        self._repository = Repository(client, table_name, now)

    def create(self, domain: str, order: JobOrder) -> Job:
        """Make a job within the plan's limits. The same order again, within 24 hours, is answered with the same job.

        Raises:
            NotFoundError: there is no such shop.
            InvalidInputError: the client token was used for another order.
            LimitExceededError, BillingInactiveError, PayloadTooLargeError: the shop may not.
            UnavailableError: the shop's plan changed at the same moment; try again.
        """
        shop = self._repository.shop(domain)
        limits.admit(shop, order)
        now = self._now()
        job = Job(
            shop_domain=shop.shop_domain,
            job_id=ulids.new(now),
            kind=order.kind,
            mode=order.mode,
            file_format=order.file_format,
            status=JobStatus.QUEUED,
            status_since=now,
            created_at=now,
            expires_at=whole_second(now + JOB_KEPT),
            file_bytes=order.file_bytes,
        )
        refusals = self._transact(limits.statements(shop, order, job, now), "make the job")
        if not refusals:
            return job
        by_position = {refusal.position: refusal.standing for refusal in refusals}
        if limits.TOKEN_POSITION in by_position:
            return self._made_before(domain, order, by_position[limits.TOKEN_POSITION] or {})
        raise limits.refusal(shop, by_position.keys())

    def keep_upload(self, job: Job, upload_id: str) -> Job:
        """Record the multipart upload of a queued job. Of several at once, the first is kept.

        The job returned is as stored: with another upload, or in another status, ``upload_id`` was not recorded.

        Raises:
            NotFoundError: there is no such job.
        """
        return _standing(self._apply(transitions.keep_upload(job, upload_id), "record the upload").item)

    def start(self, domain: str, job_id: str) -> Job:
        """Take a job up, or over from a worker whose lease is over. The job returned is what its worker may write to.

        Raises:
            NotFoundError: there is no such job.
            IllegalTransitionError: it has ended, or ends here because its workers were lost once too often.
            JobBusyError: another worker has it.
        """
        now = self._now()
        applied = self._apply(transitions.start(domain, job_id, now, now + LEASE), "take up the job")
        job = _standing(applied.item)
        if applied.accepted:
            return job
        if job.status is not JobStatus.PROCESSING:
            raise IllegalTransitionError(job.status, JobStatus.PROCESSING)
        if job.lease_until is None or job.lease_until > now or not self.give_up(job, WORKER_LOST, _LOST_TOO_OFTEN):
            raise JobBusyError("another worker has the job")
        raise IllegalTransitionError(JobStatus.FAILED, JobStatus.PROCESSING)

    def progress(self, job: Job, *, rows_read: int, rows_failed: int, bytes_read: int) -> bool:
        """Record how far the worker got. False if that is not further than what stands.

        Raises:
            IllegalTransitionError: the job has ended: it was cancelled.
            TakenOverError: another worker has it.
        """
        applied = self._apply(transitions.progress(job, rows_read, rows_failed, bytes_read), "record progress")
        if not applied.accepted:
            _require_held(job, _standing(applied.item))
        return applied.accepted

    def release(self, job: Job) -> None:
        """Give the job back unfinished after a passing error, so that the next delivery may take it over at once.

        Raises:
            IllegalTransitionError: the job has ended.
            TakenOverError: another worker has it.
        """
        applied = self._apply(transitions.release(job, self._now()), "release the job")
        if not applied.accepted:
            _require_held(job, _standing(applied.item))

    def finish(self, job: Job, outcome: Outcome) -> None:
        """End the job, well or badly, and meter it. Saying so twice is the same as once.

        Raises:
            IllegalTransitionError: it has ended in another way.
            TakenOverError: another worker has it.
        """
        change = transitions.finish(job, outcome, self._now())
        refusal = self._end(job.shop_domain, job.job_id, change, metering.of(outcome))
        if refusal is None:
            return
        standing = _standing(refusal.standing)
        if standing.status is outcome.status and standing.attempt == job.attempt:
            return  # our own write stood, and its answer was lost
        _raise_lost(standing, outcome.status)

    def cancel(self, domain: str, job_id: str) -> Job:
        """Call the job off; its worker, if it has one, stops at its next report. Cancelling twice is the same as once.

        Raises:
            NotFoundError: there is no such job.
            IllegalTransitionError: it has completed or failed.
        """
        change = transitions.cancel(domain, job_id, self._now())
        refusal = self._end(domain, job_id, change, UsageCounters(jobs_cancelled=1))
        if refusal is None:
            return self._repository.job(domain, job_id)
        job = _standing(refusal.standing)
        if job.status is not JobStatus.CANCELLED:
            raise IllegalTransitionError(job.status, JobStatus.CANCELLED)
        return job

    def give_up(self, stale: Job | JobSummary, failure: str, failure_detail: str) -> bool:
        """Fail a job that nobody works on any more. False if it moved on meanwhile."""
        change = transitions.give_up(stale, self._now(), failure, failure_detail)
        return self._end(stale.shop_domain, stale.job_id, change, UsageCounters(jobs_failed=1)) is None

    def sweep(self) -> Mapping[str, int]:
        """Fail every job that lost its worker or never got its file, over all shops; how many, by failure code."""
        now = self._now()
        rules = (
            (JobStatus.PROCESSING, LOST_AFTER, WORKER_LOST, "The import stopped without an end. Start it again."),
            (JobStatus.QUEUED, UNUSED_AFTER, Failure.UPLOAD_MISSING, "No file was uploaded within a day. Start it again."),
        )
        return {
            failure: sum(self.give_up(stale, failure, detail) for stale in self._repository.stale_jobs(status, now - after))
            for status, after, failure, detail in rules
        }

    def _made_before(self, domain: str, order: JobOrder, standing: Mapping[str, Any]) -> Job:
        if standing.get("Fingerprint") != {"S": order.fingerprint()}:
            raise errors.InvalidInputError("the client token was used for another order")
        return self._repository.job(domain, standing["JobId"]["S"])

    def _end(
        self, domain: str, job_id: str, change: transactions.Update, metered: UsageCounters
    ) -> transactions.Refusal | None:
        """End a job, free its slot and meter it, or nothing of the three."""
        now = self._now()
        refusals = self._transact(
            [
                change,
                limits.free_slot(domain, job_id),
                metering.daily(domain, now, metered),
                metering.monthly(domain, now, metered),
            ],
            "end the job",
        )
        return refusals[0] if refusals else None

    def _apply(self, change: transactions.Update, doing: str) -> transactions.Applied:
        return transactions.apply(self._client, self._table_name, change, doing, sleep=self._sleep)

    def _transact(self, statements: list[transactions.Statement], doing: str) -> tuple[transactions.Refusal, ...]:
        return transactions.transact(self._client, self._table_name, statements, doing, sleep=self._sleep)


def _standing(item: Mapping[str, Any] | None) -> Job:
    """The job that stands in the table after a change was tried."""
    if item is None:
        raise errors.NotFoundError("the job is not there")
    return from_item(Job, item)


def _require_held(job: Job, standing: Job) -> None:
    if standing.status is not JobStatus.PROCESSING or standing.attempt != job.attempt:
        _raise_lost(standing, JobStatus.PROCESSING)


def _raise_lost(standing: Job, wanted: JobStatus) -> NoReturn:
    if standing.status.is_final:
        raise IllegalTransitionError(standing.status, wanted)
    raise TakenOverError("another worker has the job by now")
