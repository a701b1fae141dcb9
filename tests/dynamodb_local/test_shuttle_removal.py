"""Removals of shops: the tests of tests/unit/shuttle/test_removal.py, on the real engine."""

from tests.unit.shuttle.test_removal import *  # noqa: F403
