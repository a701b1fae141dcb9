"""A deployment in an AWS inside this process, for the tests of the pages."""

from collections.abc import Iterator

import pytest

from tests.support.aws.moto_inside import moto_inside
from tests.support.operations.deployment import Deployment


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """An empty deployment."""
    with moto_inside(monkeypatch):
        yield Deployment()
