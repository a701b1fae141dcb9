"""One world for each process that runs these tests: a flow's every run has keys of its own."""

from collections.abc import Iterator

import pytest

from tests.support.fault_world import World, fault_world


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with fault_world() as made:
        yield made
