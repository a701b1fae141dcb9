"""Runs the scheduled sweep, with its metrics and its log line."""

from typing import Any

from lib.platform import contract, metrics
from lib.platform.log import Logger
from lib.shuttle.jobs.lifecycle import Jobs


def run(jobs: Jobs, logger: Logger) -> dict[str, Any]:
    """Fail the jobs of all shops that lost their worker or never got their file; the answer counts them by failure code."""
    given_up = dict(jobs.sweep())
    for failure, count in given_up.items():
        if count:
            metrics.count(contract.JOB_GIVEN_UP, count, failure=failure)
    metrics.count(contract.JOB_SWEEP)
    logger.info("jobs_swept", given_up=given_up)
    return {"given_up": given_up}
