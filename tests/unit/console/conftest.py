"""A console for the tests of the pages."""

import pytest

from tests.support.console.client import ConsoleClient, console_client
from tests.support.operations.deployment import Deployment


@pytest.fixture
def client(deployment: Deployment) -> ConsoleClient:
    """A browser at a console that may change the deployment."""
    return console_client(deployment, allow_writes=True)
