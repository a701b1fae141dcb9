"""The imports function: the worker behind Shuttle's job queue, and the scheduled sweep.

::

    POST …/jobs ─► job QUEUED, links ─► the shop uploads ─► bucket ─► queue ─► this function: the import runs
    order       ─► queue ─► this function: the export runs
    schedule    ─► sweep: jobs that lost their worker or never got their file fail; lost messages and events are sent
"""

from typing import Any

from lib.platform import aws, errors, gc_tuning, invocation
from lib.platform.environment.imports import ImportsEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.platform.sqs_batch import read_batch
from lib.shuttle.catalogue.events import Publisher
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.exports import Exporter
from lib.shuttle.imports import batch
from lib.shuttle.imports.batch import Runners
from lib.shuttle.imports.files import S3Objects
from lib.shuttle.imports.leftovers import cleaning_up
from lib.shuttle.imports.worker import Importer
from lib.shuttle.jobs import sweep
from lib.shuttle.jobs.job import JobKind
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.messages import JobQueue
from lib.shuttle.repository import Repository

_environment = ImportsEnvironment.read()
_logger = Logger("imports")
_dynamodb = aws.make_client("dynamodb")
_jobs = Jobs(_dynamodb, _environment.shuttle_table_name)
_objects = S3Objects(aws.make_client("s3", read_timeout_seconds=10), _environment.import_bucket_name)
_repository = Repository(_dynamodb, _environment.shuttle_table_name)
_queue = JobQueue(Queue(aws.make_client("sqs"), _environment.job_queue_url))
_publisher = Publisher(
    _dynamodb,
    _environment.shuttle_table_name,
    aws.make_client("events"),
    _environment.event_bus_name,
    bucket=_environment.import_bucket_name,
)
_catalogues = CatalogueStore(_dynamodb, _environment.shuttle_table_name)
_runners: Runners = {
    JobKind.IMPORT: Importer(
        repository=_repository,
        jobs=_jobs,
        catalogues=_catalogues,
        objects=_objects,
        publisher=_publisher,
        logger=_logger,
    ),
    JobKind.EXPORT: Exporter(_repository, _jobs, _catalogues, _objects),
}


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run the jobs of a batch of the job queue, or sweep (``{"mode": "sweep"}``).

    Raises:
        InvalidInputError: the event is neither.
        SwitchboardError: the sweep failed; the next one continues.
    """
    with invocation.run(_logger, context):
        if isinstance(event, dict) and event.get("mode") == "sweep":
            return sweep.run(_jobs, _queue, _publisher, _logger)
        if isinstance(event, dict) and isinstance(event.get("Records"), list):
            runners = cleaning_up(_runners, _repository, _objects)
            return batch.run(read_batch(event), runners, invocation.seconds_left(context), _logger)
        raise errors.InvalidInputError("the event is neither a batch of the job queue nor a sweep")


gc_tuning.end()
