"""The messages of the job queue: sends them, and reads which jobs they start.

======================  =======================================================  ===================
sender                  message                                                  what it starts
======================  =======================================================  ===================
the import bucket       S3's event about an uploaded file                        its import
an order, the sweep     ``{"export": {"shop_domain": …, "job_id": …}}``          the export
======================  =======================================================  ===================

A message may be delivered twice, or be lost: starting a job is idempotent, and the sweep sends that of an export again.
"""

import json
from dataclasses import dataclass
from urllib.parse import unquote_plus

from lib.platform import errors, fields
from lib.platform.queues import Queue
from lib.shuttle import keys
from lib.shuttle.jobs.job import JobKind, JobSummary


@dataclass(frozen=True, slots=True)
class JobToRun:
    """A job that a message starts."""

    kind: JobKind
    shop_domain: str
    job_id: str


class JobQueue:
    """Sends to the job queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def start_export(self, job: JobSummary) -> None:
        """Have a worker run an export.

        Raises:
            SwitchboardError: the queue can't be reached or refuses.
        """
        self._queue.send(json.dumps({"export": {"shop_domain": job.shop_domain, "job_id": job.job_id}}))


def read_jobs(body: str) -> list[JobToRun]:
    """The jobs that a message of the job queue starts. S3's test event, sent when its notifications are set up, starts none.

    Raises:
        InvalidInputError: it is not a message of the queue.
    """
    message = fields.read_object(body, "the message")
    if "export" in message:
        given = fields.require_members(message["export"], {"shop_domain", "job_id"}, name="export")
        domain, job_id = (fields.require_text(given[name], name) for name in ("shop_domain", "job_id"))
        return [JobToRun(JobKind.EXPORT, keys.shop_domain(domain), keys.job_id(job_id))]
    if message.get("Event") == "s3:TestEvent":
        return []
    try:
        names = [unquote_plus(record["s3"]["object"]["key"]) for record in message["Records"]]
    except (KeyError, TypeError, AttributeError):  # AttributeError: a key that is not a text
        raise errors.InvalidInputError("the message is not an event of the import bucket") from None
    return [JobToRun(JobKind.IMPORT, *keys.parse_upload_object(name)) for name in names]
