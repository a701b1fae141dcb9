"""The Shuttle function: the HTTP API of shops and their jobs. Jobs run in handlers/imports.py."""

import functools
from typing import Any

from lib.platform import aws, gc_tuning
from lib.platform.environment.shuttle import ShuttleEnvironment
from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.shuttle.api.blueprint import shuttle_blueprint
from lib.shuttle.api.services import Services
from lib.shuttle.catalogue.events import Publisher
from lib.shuttle.catalogue.versions import PendingEvent
from lib.shuttle.imports.uploads import Uploads
from lib.shuttle.jobs.messages import JobQueue
from lib.shuttle.removal import ShopObjects
from lib.web import application, wsgi

_environment = ShuttleEnvironment.read()
_logger = Logger("shuttle")
_dynamodb = aws.make_client("dynamodb")


# Most requests need none of these clients; S3's is half of the work of a cold start.
_s3 = aws.lazy_client("s3", read_timeout_seconds=10)
_sqs = aws.lazy_client("sqs")
_events = aws.lazy_client("events")


@functools.cache
def _uploads() -> Uploads:
    return Uploads(_s3(), _environment.import_bucket_name, _logger)


def _objects() -> ShopObjects:
    return ShopObjects(_s3(), _environment.import_bucket_name)


def _job_queue() -> JobQueue:
    return JobQueue(Queue(_sqs(), _environment.job_queue_url))


def _publish(event: PendingEvent) -> None:
    table, bucket = _environment.shuttle_table_name, _environment.import_bucket_name
    Publisher(_dynamodb, table, _events(), _environment.event_bus_name, bucket=bucket).publish([event])


app = application.make_app("shuttle", _logger)
app.register_blueprint(
    shuttle_blueprint(
        Services(
            dynamodb=_dynamodb,
            table_name=_environment.shuttle_table_name,
            uploads=_uploads,
            objects=_objects,
            queue=_job_queue,
            publish=_publish,
            logger=_logger,
        )
    )
)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request.

    Raises:
        InvalidInputError: the event is not an HTTP request.
    """
    return wsgi.respond(app, event, context)


gc_tuning.end()
