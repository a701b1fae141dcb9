"""What storing and reading issues cost: the tests of tests/unit/test_jira_costs.py, on the real engine."""

from tests.unit.test_jira_costs import *  # noqa: F403
