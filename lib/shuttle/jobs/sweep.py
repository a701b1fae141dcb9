"""Runs the scheduled sweep, with its metrics and its log line."""

from typing import Any

from lib.platform import contract, metrics
from lib.platform.log import Logger
from lib.shuttle.catalogue.events import Publisher
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.messages import JobQueue


def run(jobs: Jobs, queue: JobQueue, publisher: Publisher, logger: Logger) -> dict[str, Any]:
    """Complete, for all shops, what a crash or a lost message left; the answer counts it.

    Jobs that lost their worker or never got their file fail, the messages of exports that no worker started are sent again,
    and stored events are published.
    """
    try:
        given_up = dict(jobs.sweep())
        for failure, count in given_up.items():
            if count:
                metrics.count(contract.JOB_GIVEN_UP, count, failure=failure)
        exports_sent = _send_exports(jobs, queue)
    finally:  # events do not wait until the jobs are right
        events_published = publisher.publish_left()
    metrics.count(contract.JOB_SWEEP)
    logger.info("jobs_swept", given_up=given_up, exports_sent=exports_sent, events_published=events_published)
    return {"given_up": given_up, "exports_sent": exports_sent, "events_published": events_published}


def _send_exports(jobs: Jobs, queue: JobQueue) -> int:
    sent = 0
    for job in jobs.waiting_exports():
        queue.start_export(job)
        sent += 1
    return sent
