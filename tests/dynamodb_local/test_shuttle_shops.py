"""Shops that change: the tests of tests/unit/shuttle/test_shops.py, on the real engine."""

from tests.unit.shuttle.test_shops import *  # noqa: F403
