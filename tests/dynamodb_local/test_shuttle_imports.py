"""Imports from their start to their end: the tests of tests/integration/shuttle/test_import_worker.py, on the real engine."""

from tests.integration.shuttle.test_import_worker import *  # noqa: F403
