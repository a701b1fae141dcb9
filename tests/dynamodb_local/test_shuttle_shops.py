"""Shops that change: the tests of tests/integration/shuttle/test_shops.py, on the real engine."""

from tests.integration.shuttle.test_shops import *  # noqa: F403
