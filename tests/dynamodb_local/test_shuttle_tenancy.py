"""A tenant's reach: the tests of tests/integration/shuttle/test_tenancy.py, on the real engine."""

from tests.integration.shuttle.test_tenancy import *  # noqa: F403
