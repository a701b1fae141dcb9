"""The imports function: the worker behind Shuttle's job queue, and the scheduled sweep.

::

    POST …/jobs ─► job QUEUED, links ─► the shop uploads ─► bucket ─► queue ─► this function: the import runs
    schedule    ─► sweep: jobs that lost their worker or never got their file fail
"""

from typing import Any

from lib.platform import aws, errors, gc_tuning
from lib.platform.environment import ImportsEnvironment
from lib.platform.log import Logger
from lib.platform.sqs_batch import read_batch
from lib.shuttle.imports import batch
from lib.shuttle.imports.files import S3Objects
from lib.shuttle.imports.worker import Importer
from lib.shuttle.jobs import sweep
from lib.shuttle.jobs.job import JobKind
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.repository import Repository

_environment = ImportsEnvironment.read()
_logger = Logger("imports")
_dynamodb = aws.make_client("dynamodb")
_jobs = Jobs(_dynamodb, _environment.shuttle_table_name)
_objects = S3Objects(aws.make_client("s3", read_timeout_seconds=10), _environment.import_bucket_name)
_repository = Repository(_dynamodb, _environment.shuttle_table_name)
_runners = {JobKind.IMPORT: Importer(_repository, _jobs, _objects)}


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run the imports of a batch of the job queue, or sweep (``{"mode": "sweep"}``).

    Raises:
        InvalidInputError: the event is neither.
    """
    _logger.start_run(str(context.aws_request_id))
    if isinstance(event, dict) and event.get("mode") == "sweep":
        return sweep.run(_jobs, _logger)
    if isinstance(event, dict) and isinstance(event.get("Records"), list):
        return batch.run(read_batch(event), _runners, lambda: context.get_remaining_time_in_millis() / 1000, _logger)
    raise errors.InvalidInputError("the event is neither a batch of the job queue nor a sweep")


gc_tuning.end()
