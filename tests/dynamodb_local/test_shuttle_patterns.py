"""Every access pattern of Shuttle: the tests of tests/integration/shuttle/test_access_patterns.py, on the real engine."""

from tests.integration.shuttle.test_access_patterns import *  # noqa: F403
