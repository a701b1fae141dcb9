"""The fixtures of Shuttle's tests in the local cloud."""

import pytest

from tests.support.cloud import Cloud
from tests.support.shuttle.api import ShuttleApi


@pytest.fixture(scope="session")
def api(cloud: Cloud) -> ShuttleApi:
    """Shuttle's HTTP API in the local cloud."""
    return ShuttleApi(cloud)
