"""The life of a job: the tests of tests/integration/shuttle/test_jobs.py, on the real engine."""

from tests.integration.shuttle.test_jobs import *  # noqa: F403
