"""Every way to read issues: the tests of tests/unit/jira/test_issue_reader.py, on the real engine."""

from tests.unit.jira.test_issue_reader import *  # noqa: F403
