"""What is stored of each delivery: the tests of tests/unit/jira/test_issue_writer.py, on the real engine."""

from tests.unit.jira.test_issue_writer import *  # noqa: F403
