"""The life of a job: the tests of tests/unit/shuttle/jobs/test_lifecycle.py, on the real engine."""

from tests.unit.shuttle.jobs.test_lifecycle import *  # noqa: F403
