"""What is stored of each delivery: the tests of tests/unit/test_jira_store.py, on the real engine."""

from tests.unit.test_jira_store import *  # noqa: F403
