"""The fixtures that Shuttle's tests share."""

import pytest

from tests.support.cloud import Cloud
from tests.support.shuttle.api import ShuttleApi
from tests.support.shuttle.builders import shuttle_table

__all__ = ["shuttle_table"]


@pytest.fixture(scope="session")
def api(cloud: Cloud) -> ShuttleApi:
    """Shuttle's HTTP API in the local cloud."""
    return ShuttleApi(cloud)
