"""What the workers of imports and exports have in common: a job's life around its work, its watch, and its folder on disk.

::

    start ─► work ─► finish          the work ends the job, whatever its file contains
               │
               ├─ the job was cancelled, or another worker has it ─► stop, write nothing
               └─ any other error ─► release the job, raise: the queue delivers the message again
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lib.platform import clock, errors
from lib.shuttle.imports.files import Failure, UnreadableFileError
from lib.shuttle.jobs.job import Job, JobStatus, Outcome
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError

#: How often progress is written, and with it, how often the worker notices that the job was cancelled.
REPORT_EVERY_SECONDS = 4.0
#: The part of the function's time that is reserved for writing the report and the end of the job.
RESERVE_SECONDS = 20.0

_FOLDER_PREFIX = "shuttle-job-"
_LEFT_AFTER_SECONDS = 60.0


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
    """Stops a worker whose time runs out or who no longer has its job, and reports its progress.

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

    def check(self) -> None:
        """Called wherever the worker may be for long.

        Raises:
            UnreadableFileError: DEADLINE_EXCEEDED.
            IllegalTransitionError: the job has ended: it was cancelled.
            TakenOverError: another worker has it.
        """
        if self._seconds_left() < RESERVE_SECONDS:
            raise UnreadableFileError(Failure.DEADLINE_EXCEEDED, "Time ran out before the job was done. Split the file.")
        if self._monotonic() - self._reported_at >= REPORT_EVERY_SECONDS:
            self._reported_at = self._monotonic()
            self._jobs.progress(self._job, rows_read=self.rows_read, rows_failed=self.rows_failed, bytes_read=self.bytes_read)

    def on_read(self, bytes_read: int) -> None:
        """As :meth:`check`, for a worker that reads its upload."""
        self.bytes_read = bytes_read
        self.check()


@contextlib.contextmanager
def job_folder() -> Iterator[Path]:
    """A folder for the files of one job, removed afterwards.

    A worker that was killed leaves its folder behind, and the function's disk is kept: so those without a lock, which only a
    running worker has, are removed first.
    """
    _remove_left_folders(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_FOLDER_PREFIX) as name:
        lock = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(lock)


def _remove_left_folders(parent: Path) -> None:
    for folder in parent.glob(f"{_FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):  # removed at the same moment, or locked
            is_new = time.time() - folder.stat().st_mtime < _LEFT_AFTER_SECONDS  # perhaps not locked yet
            if is_new:
                continue
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
