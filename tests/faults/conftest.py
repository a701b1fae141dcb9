"""One world for each file of these tests. Every run of a flow uses its own keys. Patches end with the file."""

from collections.abc import Iterator

import pytest

from tests.support.faults.world import World, fault_world


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with fault_world() as made:
        yield made
