"""One world for each file of these tests: a flow's every run has keys of its own. What it patches must not outlast it."""

from collections.abc import Iterator

import pytest

from tests.support.faults.world import World, fault_world


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with fault_world() as made:
        yield made
