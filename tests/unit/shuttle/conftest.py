"""The fixtures of Shuttle's unit tests."""

import pytest

from lib.platform.log import Logger
from lib.platform.queues import Queue
from lib.shuttle.api.blueprint import shuttle_blueprint
from lib.shuttle.api.services import Services
from lib.shuttle.catalogue.versions import PendingEvent
from lib.shuttle.imports.uploads import Uploads
from lib.shuttle.jobs.messages import JobQueue
from lib.shuttle.removal import ShopObjects
from lib.web import application
from tests.support.aws.multipart_s3 import MultipartS3
from tests.support.aws.sqs import RecordingSqs
from tests.support.shuttle.api import FlaskApi
from tests.support.shuttle.builders import ShuttleTable, a_shop, shuttle_table
from tests.support.shuttle.catalogues import Imports

__all__ = ["shuttle_table"]


@pytest.fixture
def sqs() -> RecordingSqs:
    """The job queue, in memory."""
    return RecordingSqs()


@pytest.fixture
def published() -> list[PendingEvent]:
    """The events that the API published."""
    return []


@pytest.fixture
def api(shuttle_table: ShuttleTable, sqs: RecordingSqs, published: list[PendingEvent]) -> FlaskApi:
    """Shuttle's HTTP API over a table and a bucket in memory."""
    logger = Logger("shuttle")
    bucket = MultipartS3()
    uploads, objects = Uploads(bucket, "imports", logger), ShopObjects(bucket, "imports")
    app = application.make_app("shuttle", logger)
    services = Services(
        dynamodb=shuttle_table.client,
        table_name=shuttle_table.name,
        uploads=lambda: uploads,
        objects=lambda: objects,
        queue=lambda: JobQueue(Queue(sqs, "https://sqs.example/jobs")),
        publish=published.append,
        logger=logger,
    )
    app.register_blueprint(shuttle_blueprint(services))
    return FlaskApi(app.test_client())


@pytest.fixture
def imports(shuttle_table: ShuttleTable) -> Imports:
    """The imports of one shop."""
    shuttle_table.registry.install(a_shop())
    return Imports(shuttle_table)
