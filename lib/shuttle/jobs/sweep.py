"""Runs the scheduled sweep, with its metrics and its log line."""

from typing import Any

from lib.platform import contract, errors, metrics
from lib.platform.log import Logger
from lib.platform.wording import counted
from lib.shuttle.catalogue.events import Publisher
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.messages import JobQueue
from lib.shuttle.keys import Key
from lib.shuttle.repository import Skip


def run(jobs: Jobs, queue: JobQueue, publisher: Publisher, logger: Logger) -> dict[str, Any]:
    """Complete, for all shops, what a crash or a lost message left; the answer counts it.

    Jobs that lost their worker or never got their file fail, the messages of exports that no worker started are sent again,
    and stored events are published.

    Raises:
        PermanentError: some rows can't be processed, such as those of a later release. All others are.
        SwitchboardError: the table, the queue or the bus can't be reached or refuses.
    """
    not_swept = set[Key]()

    def skip(row: Key, error: errors.PermanentError) -> None:
        if row not in not_swept:  # a queued job is read twice
            logger.error("row_not_swept", error, row=str(row))
        not_swept.add(row)

    try:
        given_up = dict(jobs.sweep(skip))
        for failure, count in given_up.items():
            if count:
                metrics.count(contract.JOB_GIVEN_UP, count, failure=failure)
        exports_sent = _send_exports(jobs, queue, skip)
    finally:  # events do not wait until the jobs are right
        events_published = publisher.publish_left(skip)
    if not_swept:
        raise errors.PermanentError(f"{counted(len(not_swept), 'row')} could not be swept")
    metrics.count(contract.JOB_SWEEP)
    logger.info("jobs_swept", given_up=given_up, exports_sent=exports_sent, events_published=events_published)
    return {"given_up": given_up, "exports_sent": exports_sent, "events_published": events_published}


def _send_exports(jobs: Jobs, queue: JobQueue, skip: Skip) -> int:
    sent = 0
    for job in jobs.waiting_exports(skip):
        queue.start_export(job)
        sent += 1
    return sent
