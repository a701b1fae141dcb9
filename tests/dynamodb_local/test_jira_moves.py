"""The commits of moved issues: the tests of tests/unit/jira/test_moves.py, on the real engine."""

from tests.unit.jira.test_moves import *  # noqa: F403
