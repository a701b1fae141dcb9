"""The Shuttle function: the HTTP API of shops and their jobs, the import worker behind the job queue, and the scheduled sweep.

::

    POST …/jobs ─► job QUEUED, links ─► the shop uploads ─► bucket ─► queue ─► this function again: the import runs
    schedule    ─► sweep: jobs that lost their worker or never got their file fail
"""

import functools
from typing import Any

from lib.platform import aws, errors, gc_tuning
from lib.platform.environment import ShuttleEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.platform.sqs_batch import read_batch
from lib.shuttle.api.blueprint import shuttle_blueprint
from lib.shuttle.api.services import Services
from lib.shuttle.imports.files import S3Objects
from lib.shuttle.imports.uploads import Uploads
from lib.shuttle.jobs import sweep
from lib.shuttle.jobs.job import JobKind
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.messages import JobQueue
from lib.shuttle.removal import ShopObjects
from lib.shuttle.repository import Repository
from lib.web import application, wsgi

_environment = ShuttleEnvironment.read()
_logger = Logger("shuttle")
_dynamodb = aws.make_client("dynamodb")
_jobs = Jobs(_dynamodb, _environment.shuttle_table_name)


# Most requests need neither S3's client, which is half of the work of a cold start, nor the import worker.
_s3 = aws.lazy_client("s3", read_timeout_seconds=10)


@functools.cache
def _uploads() -> Uploads:
    return Uploads(_s3(), _environment.import_bucket_name, _logger)


def _objects() -> ShopObjects:
    return ShopObjects(_s3(), _environment.import_bucket_name)


@functools.cache
def _job_queue() -> JobQueue:
    return JobQueue(Queue(aws.make_client("sqs"), _environment.job_queue_url))


app = application.make_app("shuttle", _logger)
app.register_blueprint(
    shuttle_blueprint(
        Services(
            dynamodb=_dynamodb,
            table_name=_environment.shuttle_table_name,
            uploads=_uploads,
            objects=_objects,
            queue=_job_queue,
            publish=lambda event: event,  # the sweep does
            logger=_logger,
        )
    )
)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request, run the imports of a batch of the job queue, or sweep (``{"mode": "sweep"}``).

    Raises:
        InvalidInputError: the event is none of these.
    """
    if wsgi.form_of(event) is not None:
        return wsgi.respond(app, event, context)
    _logger.start_run(str(context.aws_request_id))
    if isinstance(event, dict) and event.get("mode") == "sweep":
        return sweep.run(_jobs, _logger)
    if isinstance(event, dict) and isinstance(event.get("Records"), list):
        return _run_imports(event, context)
    raise errors.InvalidInputError("the event is not an HTTP request, a batch of the job queue or a sweep")


def _run_imports(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from lib.shuttle.imports import batch  # noqa: PLC0415 - see _s3
    from lib.shuttle.imports.worker import Importer  # noqa: PLC0415

    repository = Repository(_dynamodb, _environment.shuttle_table_name)
    importer = Importer(repository, _jobs, S3Objects(_s3(), _environment.import_bucket_name))
    runners = {JobKind.IMPORT: importer}
    return batch.run(read_batch(event), runners, lambda: context.get_remaining_time_in_millis() / 1000, _logger)


gc_tuning.end()
