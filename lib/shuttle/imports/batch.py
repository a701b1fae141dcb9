"""A batch of the job queue (:mod:`lib.shuttle.jobs.messages`): each message starts a job."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from lib.platform import clock, contract, errors, metrics, sqs_batch
from lib.platform.log import Logger
from lib.platform.sqs_batch import Record
from lib.shuttle.jobs.job import JobKind, JobStatus
from lib.shuttle.jobs.lifecycle import JobBusyError
from lib.shuttle.jobs.messages import JobToRun, read_jobs


class Runner(Protocol):
    """Runs the jobs of one kind."""

    def run(self, domain: str, job_id: str, seconds_left: Callable[[], float]) -> JobStatus:
        """Run a job to its end and return its status."""


Runners = Mapping[JobKind, Runner]


def run(messages: Sequence[Record], runners: Runners, seconds_left: Callable[[], float], logger: Logger) -> dict[str, Any]:
    """Run the jobs that ``messages`` start; the answer names the messages that SQS delivers again."""
    return sqs_batch.answer(message for message in messages if not _has_run(message, runners, seconds_left, logger))


def _has_run(message: Record, runners: Runners, seconds_left: Callable[[], float], logger: Logger) -> bool:
    try:
        for job in read_jobs(message.body):
            _run_job(job, runners[job.kind], seconds_left, logger)
    except JobBusyError as error:
        logger.warning("import_busy", reason=str(error))
        return False
    except errors.SwitchboardError as error:
        logger.error("import_failed", error, messages=[message.id])
    except Exception as error:  # an internal error: the message ends in the dead-letter queue, and the other messages are run
        logger.defect("import_failed", error, messages=[message.id])
    else:
        return True
    metrics.count(contract.IMPORT_FAILED)
    return False


def _run_job(job: JobToRun, runner: Runner, seconds_left: Callable[[], float], logger: Logger) -> None:
    started = clock.monotonic()
    status = runner.run(job.shop_domain, job.job_id, seconds_left)
    seconds = clock.monotonic() - started
    metrics.count(contract.IMPORT_RUN, status=status.value)
    metrics.milliseconds(contract.IMPORT_DURATION_MS, seconds * 1000)
    about = {"shop_domain": job.shop_domain, "job_id": job.job_id, "kind": job.kind.value}
    logger.info("import_run", **about, status=status.value, seconds=round(seconds, 3))
