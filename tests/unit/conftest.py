"""The deployment that the tests of the command line, the console and what they read share."""

from collections.abc import Iterator

import pytest

from lib.operations import dead_letters
from tests.support.aws.moto_inside import moto_inside
from tests.support.operations.deployment import Deployment


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """An empty deployment in an AWS inside this process."""
    monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)
    with moto_inside(monkeypatch):
        yield Deployment()
