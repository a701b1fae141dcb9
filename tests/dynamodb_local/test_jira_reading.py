"""Every way to read issues: the tests of tests/unit/test_jira_reading.py, on the real engine."""

from tests.unit.test_jira_reading import *  # noqa: F403
