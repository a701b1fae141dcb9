"""Runs a job for the workers of imports and exports: starts it, watches time and cancellation, and handles errors.

::

    start ─► work ─► finish          the work ends the job, whatever its file contains
               │
               ├─ the job was cancelled, or another worker has it ─► stop, write nothing
               └─ any other error ─► release the job, raise: the queue delivers the message again
"""

import contextlib
from collections.abc import Callable

from lib.platform import clock, errors
from lib.shuttle.imports.files import Failure, UnreadableFileError
from lib.shuttle.jobs.job import Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError

#: How often progress is written, and with it, how often the worker notices that the job was cancelled.
REPORT_EVERY_SECONDS = 3.0
#: The part of the function's time that is reserved for writing the report and the end of the job.
RESERVE_SECONDS = 20.0


def run(jobs: Jobs, domain: str, job_id: str, work: Callable[[Job], Outcome]) -> JobStatus:
    """Start a job, have ``work`` end it, and return its status. A repeated delivery of a job that has ended does nothing.

    Raises:
        JobBusyError: another worker has the job: deliver again later.
        NotFoundError: there is no such job.
        SwitchboardError: a temporary error; the job is released: deliver again.
    """
    try:
        job = jobs.start(domain, job_id)
        return _run_started(jobs, job, work).status
    except IllegalTransitionError as error:
        return error.current  # ended before, or cancelled in the meantime
    except TakenOverError:
        return JobStatus.PROCESSING  # by another worker, who ends it


def _run_started(jobs: Jobs, job: Job, work: Callable[[Job], Outcome]) -> Outcome:
    try:
        return work(job)
    except (IllegalTransitionError, TakenOverError):
        raise
    except Exception:
        # Whatever the error is, the next delivery must not wait for the lease to end; the lease is the fallback.
        with contextlib.suppress(errors.SwitchboardError):
            jobs.release(job)
        raise


class Watch:
    """Stops a worker that runs out of time or no longer has its job, and reports its progress.

    Attributes:
        rows_read, rows_failed, bytes_read: how far the worker got; it sets them.
    """

    def __init__(
        self, jobs: Jobs, job: Job, seconds_left: Callable[[], float], monotonic: clock.Monotonic = clock.monotonic
    ) -> None:
        self.rows_read = 0
        self.rows_failed = 0
        self.bytes_read = 0
        self._jobs = jobs
        self._job = job
        self._seconds_left = seconds_left
        self._monotonic = monotonic
        self._reported_at = monotonic()
        self._has_failed = False

    def check(self) -> None:
        """Called wherever the worker may be for long.

        Raises:
            UnreadableFileError: DEADLINE_EXCEEDED.
            IllegalTransitionError: the job has ended: it was cancelled.
            TakenOverError: another worker has it.
            SwitchboardError: two reports in a row failed. One may: the work so far is worth more than the report.
        """
        if self._seconds_left() < RESERVE_SECONDS:
            raise UnreadableFileError(Failure.DEADLINE_EXCEEDED, "Time ran out before the job was done. Split the file.")
        if self._monotonic() - self._reported_at >= REPORT_EVERY_SECONDS:
            self._reported_at = self._monotonic()
            self._report()

    def on_read(self, bytes_read: int) -> None:
        """Record ``bytes_read``, and check as :meth:`check` does."""
        self.bytes_read = bytes_read
        self.check()

    def _report(self) -> None:
        try:
            self._jobs.progress(self._job, rows_read=self.rows_read, rows_failed=self.rows_failed, bytes_read=self.bytes_read)
        except (errors.RetryableError, errors.AmbiguousError):
            if self._has_failed:
                raise
            self._has_failed = True
        else:
            self._has_failed = False
