"""Deletes what reaches the import bucket after its shop was removed (:mod:`lib.shuttle.removal`).

The shop's links stay valid for an hour, so a file may arrive after the removal; and a worker in the middle of a call may store
results that no transaction completes. In both cases the job is not found here: its objects are deleted, and the message is
done.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lib.platform import errors
from lib.shuttle import keys
from lib.shuttle.imports.batch import Runner, Runners
from lib.shuttle.imports.files import PrunableObjects
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.repository import Repository


def cleaning_up(runners: Runners, repository: Repository, objects: PrunableObjects) -> Runners:
    """``runners``, each as a :class:`CleaningUp`."""
    return {kind: CleaningUp(runner, repository, objects) for kind, runner in runners.items()}


@dataclass(frozen=True, slots=True)
class CleaningUp:
    """Runs jobs with ``runner``, and deletes the objects of a job that was removed with its shop."""

    runner: Runner
    repository: Repository
    objects: PrunableObjects

    def run(self, domain: str, job_id: str, seconds_left: Callable[[], float]) -> JobStatus:
        """Run a job to its end and return its status, CANCELLED if its shop was removed.

        Raises:
            NotFoundError: the shop exists, but has no such job.
        """
        try:
            return self.runner.run(domain, job_id, seconds_left)
        except errors.NotFoundError:
            if self._is_installed(domain):
                raise
        for prefix in keys.object_prefixes(domain):
            for each in self.objects.list(prefix):
                if job_id in each.key:  # the shop may be installed again at this moment
                    self.objects.delete(each.key)
        return JobStatus.CANCELLED

    def _is_installed(self, domain: str) -> bool:
        try:
            self.repository.shop(domain)
        except errors.NotFoundError:
            return False
        return True
