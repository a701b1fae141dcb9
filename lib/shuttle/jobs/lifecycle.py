"""The life of a job: created within the plan's limits, started, in progress, ended; each change conditional and metered.

One transaction ends a job, frees its slot, meters it, moves the catalogue and stores the event about it. So each happens once,
in spite of crashes, repeats and races::

    worker: finish ─┐
    shop:   cancel ─┼─► the first transaction wins; the others get IllegalTransitionError and write nothing
    sweep:  give up ┘

This module does not read files (:mod:`lib.shuttle.imports.worker`) or list jobs (:mod:`lib.shuttle.repository`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn

from lib.platform import clock, errors
from lib.platform.contract import JOB_KEPT, JOB_LEASE
from lib.platform.dynamodb import Item, Statement, Table, Update
from lib.shuttle import ulids
from lib.shuttle.catalogue import events
from lib.shuttle.catalogue.versions import CatalogueMovedError, PendingEvent
from lib.shuttle.entities import UsageCounters, from_item
from lib.shuttle.imports.files import Failure
from lib.shuttle.jobs import limits, metering, transitions
from lib.shuttle.jobs.job import Job, JobKind, JobStatus, JobSummary, Outcome
from lib.shuttle.jobs.limits import JobOrder
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from lib.shuttle.repository import Repository, Skip, fail
from lib.shuttle.validation import whole_second

#: A job this long in PROCESSING lost its worker, and the queue did not deliver it again.
LOST_AFTER = timedelta(hours=1)
#: A job this long in QUEUED never got its file: upload links last an hour.
UNUSED_AFTER = timedelta(hours=24)

#: An export this long in QUEUED may have lost its message.
RESENT_AFTER = timedelta(minutes=10)

WORKER_LOST = "WORKER_LOST"
_LOST_TOO_OFTEN = "The job was started too often and never finished. Make its file smaller."
_STOPPED = "The job stopped before it finished. Start it again."
_NO_UPLOAD = "No file was uploaded within a day. Start it again."
_NOT_STARTED = "The export was not started within a day. Start it again."

_JOB_POSITION = 0
"""The position of the job's own change in the transaction that ends it."""


class JobBusyError(errors.RetryableError):
    """Another worker has the job, and its lease has not ended."""


class Jobs:
    """Changes jobs in the Shuttle table.

    Every method raises a SwitchboardError if the table can't be reached or refuses.

    Args:
        client: a DynamoDB client, or a tenant's (:mod:`lib.shuttle.tenancy`).
        table_name: the Shuttle table.
        now: the clock.
        sleep: waits between tries of a transaction that conflicts with another.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        now: clock.Clock = clock.utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = Table(client, table_name, sleep=sleep)
        self._now = now
        self._repository = Repository(client, table_name, now)

    def create(self, domain: str, order: JobOrder) -> Job:
        """Create a job within the plan's limits. The same order again, within 24 hours, returns the same job.

        Raises:
            NotFoundError: there is no such shop.
            InvalidInputError: the client token was used for another order.
            LimitExceededError, BillingInactiveError, PayloadTooLargeError: the shop's plan does not allow it.
            UnavailableError: the shop's plan changed at the same moment; try again.
        """
        shop = self._repository.shop(domain)
        limits.admit(shop, order)
        now = self._now()
        job = Job(
            shop_domain=shop.shop_domain,
            job_id=ulids.new(now),
            status=JobStatus.QUEUED,
            status_since=now,
            created_at=now,
            expires_at=whole_second(now + JOB_KEPT),
            **order.wanted(),
        )
        refusals = self._table.transact(limits.statements(shop, order, job, now), "create the job")
        if not refusals:
            return job
        by_position = {refusal.position: refusal.item for refusal in refusals}
        if limits.TOKEN_POSITION in by_position:
            return self._created_before(domain, order, by_position[limits.TOKEN_POSITION] or {})
        raise limits.refusal(shop, by_position.keys())

    def record_upload(self, job: Job, upload_id: str) -> Job:
        """Record the multipart upload of a queued job. Of several at once, the first is kept.

        The job returned is as stored: with another upload, or in another status, ``upload_id`` was not recorded.

        Raises:
            NotFoundError: there is no such job.
        """
        applied = self._table.update(transitions.record_upload(job, upload_id), "record the upload")
        return _stored(applied.item, job.shop_domain, job.job_id)

    def start(self, domain: str, job_id: str) -> Job:
        """Start a job, or take it over from a worker whose lease has ended. The job returned is the worker's handle.

        Raises:
            NotFoundError: there is no such job.
            IllegalTransitionError: it has ended, or ends here because too many workers were lost.
            JobBusyError: another worker has it.
        """
        now = self._now()
        applied = self._table.update(transitions.start(domain, job_id, now, now + JOB_LEASE), "start the job")
        job = _stored(applied.item, domain, job_id)
        if applied.accepted:
            return job
        if job.status is not JobStatus.PROCESSING:
            raise IllegalTransitionError(job.status, JobStatus.PROCESSING)
        if job.lease_until is None or job.lease_until > now or not self.give_up(job, WORKER_LOST, _LOST_TOO_OFTEN):
            raise JobBusyError("another worker has the job")
        raise IllegalTransitionError(JobStatus.FAILED, JobStatus.PROCESSING)

    def progress(self, job: Job, *, rows_read: int, rows_failed: int, bytes_read: int) -> bool:
        """Record how far the worker got. False if more rows are recorded already.

        Raises:
            IllegalTransitionError: the job has ended: it was cancelled.
            TakenOverError: another worker has it.
        """
        return self._change_held(job, transitions.progress(job, rows_read, rows_failed, bytes_read), "record progress")

    def release(self, job: Job) -> None:
        """Give the job back unfinished after a temporary error, so that the next delivery may take it over at once.

        Raises:
            IllegalTransitionError: the job has ended.
            TakenOverError: another worker has it.
        """
        self._change_held(job, transitions.release(job, self._now()), "release the job")

    def finish(self, job: Job, outcome: Outcome, *, also: Sequence[Statement] = ()) -> PendingEvent | None:
        """End the job as completed or failed, and meter it. Idempotent. The event returned is stored, to be published.

        ``also`` moves the catalogue in the same transaction (:func:`lib.shuttle.catalogue.store.replacing`).

        Raises:
            IllegalTransitionError: it has ended in another way.
            TakenOverError: another worker has it.
            CatalogueMovedError: the job could end, but a statement of ``also`` was refused.
        """
        now = self._now()
        event = events.completed(job, outcome, now)
        change = transitions.finish(job, outcome, now)
        refused = self._end(job.shop_domain, job.job_id, change, metering.of(outcome), [*also, *_stored_events(event)])
        if not refused:
            return event
        if _JOB_POSITION not in refused:
            raise CatalogueMovedError("another version of the catalogue became the current one")
        stored = _stored(refused[_JOB_POSITION], job.shop_domain, job.job_id)
        if stored.status is not outcome.status or stored.attempt != job.attempt:
            _raise_lost(stored, outcome.status)
        return None  # our own write succeeded, and its answer was lost: the sweep publishes the event

    def cancel(self, domain: str, job_id: str) -> Job:
        """Cancel the job. Its worker, if any, stops at its next report. Idempotent.

        Raises:
            NotFoundError: there is no such job.
            IllegalTransitionError: it has completed or failed.
        """
        change = transitions.cancel(domain, job_id, self._now())
        refused = self._end(domain, job_id, change, UsageCounters(jobs_cancelled=1))
        if not refused:
            return self._repository.job(domain, job_id)
        job = _stored(refused[_JOB_POSITION], domain, job_id)
        if job.status is not JobStatus.CANCELLED:
            raise IllegalTransitionError(job.status, JobStatus.CANCELLED)
        return job

    def give_up(self, stale: JobSummary, failure: str, failure_detail: str) -> bool:
        """Fail a job that has lost its worker. False if its status was set again in the meantime."""
        now = self._now()
        event = events.failed(stale, failure, failure_detail, now)
        change = transitions.give_up(stale, now, failure, failure_detail)
        return not self._end(stale.shop_domain, stale.job_id, change, UsageCounters(jobs_failed=1), _stored_events(event))

    def sweep(self, skip: Skip = fail) -> Mapping[str, int]:
        """Fail every job, of all shops, that lost its worker or never got its file. Returns how many, by failure code.

        ``skip`` receives the rows that can't be failed.
        """
        now = self._now()
        given_up = {WORKER_LOST: 0, Failure.UPLOAD_MISSING.value: 0}
        for status, after in ((JobStatus.PROCESSING, LOST_AFTER), (JobStatus.QUEUED, UNUSED_AFTER)):
            for stale in self._repository.stale_jobs(status, now - after, skip):
                failure, detail = _why_given_up(stale)
                try:
                    given_up[failure] += self.give_up(stale, failure, detail)
                except errors.PermanentError as error:
                    skip(stale.key(), error)
        return given_up

    def waiting_exports(self, skip: Skip = fail) -> Iterator[JobSummary]:
        """The exports of all shops that have waited so long for a worker that their message may be lost."""
        waiting = self._repository.stale_jobs(JobStatus.QUEUED, self._now() - RESENT_AFTER, skip)
        return (job for job in waiting if job.kind is JobKind.EXPORT)

    def _created_before(self, domain: str, order: JobOrder, request: Item) -> Job:
        if request.get("Fingerprint") != {"S": order.fingerprint()}:
            raise errors.InvalidInputError("the client token was used for another order")
        return self._repository.job(domain, request["JobId"]["S"])

    def _change_held(self, job: Job, change: Update, doing: str) -> bool:
        """Change a job that the worker must still have. False if it has it but the change was refused."""
        applied = self._table.update(change, doing)
        if not applied.accepted:
            stored = _stored(applied.item, job.shop_domain, job.job_id)
            if stored.status is not JobStatus.PROCESSING or stored.attempt != job.attempt:
                _raise_lost(stored, JobStatus.PROCESSING)
        return applied.accepted

    def _end(
        self,
        domain: str,
        job_id: str,
        change: Update,
        metered: UsageCounters,
        also: Sequence[Statement] = (),
    ) -> Mapping[int, Item | None]:
        """End a job, free its slot, meter it and ``also``, all or nothing. Returns the refused positions and their rows."""
        now = self._now()
        statements = [
            change,
            limits.free_slot(domain, job_id),
            metering.daily(domain, now, metered),
            metering.monthly(domain, now, metered),
            *also,
        ]
        return {refusal.position: refusal.item for refusal in self._table.transact(statements, "end the job")}


def _stored_events(event: PendingEvent | None) -> list[Statement]:
    return [events.statement(event)] if event else []


def _why_given_up(stale: JobSummary) -> tuple[str, str]:
    if stale.status is JobStatus.PROCESSING:
        return WORKER_LOST, _STOPPED
    if stale.kind is JobKind.EXPORT:
        return WORKER_LOST, _NOT_STARTED
    return Failure.UPLOAD_MISSING.value, _NO_UPLOAD


def _stored(item: Item | None, domain: str, job_id: str) -> Job:
    """The job's row after an attempted change."""
    if item is None:
        raise errors.NotFoundError(f"the job {job_id} of {domain} does not exist")
    return from_item(Job, item)


def _raise_lost(stored: Job, wanted: JobStatus) -> NoReturn:
    if stored.status.is_final:
        raise IllegalTransitionError(stored.status, wanted)
    raise TakenOverError("another worker has taken over the job")
