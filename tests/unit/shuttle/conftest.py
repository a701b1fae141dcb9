"""The fixtures of Shuttle's unit tests."""

import pytest

from lib.platform.log import Logger
from lib.shuttle.api import ShuttleApi
from lib.shuttle.imports.uploads import Uploads
from lib.web import application
from tests.support.aws.multipart_s3 import MultipartS3
from tests.support.shuttle.api import FlaskApi
from tests.support.shuttle.builders import ShuttleTable, shuttle_table

__all__ = ["shuttle_table"]


@pytest.fixture
def api(shuttle_table: ShuttleTable) -> FlaskApi:
    """Shuttle's HTTP API over a table and a bucket in memory."""
    logger = Logger("shuttle")
    uploads = Uploads(MultipartS3(), "imports", logger)
    app = application.make_app("shuttle", logger)
    app.register_blueprint(ShuttleApi(shuttle_table.client, shuttle_table.name, lambda: uploads, logger).blueprint())
    return FlaskApi(app.test_client())
