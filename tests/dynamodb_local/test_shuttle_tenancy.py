"""A tenant's reach: the tests of tests/unit/shuttle/test_tenancy.py, on the real engine."""

from tests.unit.shuttle.test_tenancy import *  # noqa: F403
