"""Every access pattern of Shuttle: the tests of tests/unit/shuttle/test_access_patterns.py, on the real engine."""

from tests.unit.shuttle.test_access_patterns import *  # noqa: F403
