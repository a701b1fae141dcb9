"""The commits of moved issues: the tests of tests/unit/test_jira_moves.py, on the real engine."""

from tests.unit.test_jira_moves import *  # noqa: F403
