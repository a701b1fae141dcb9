"""What storing and reading issues cost: the tests of tests/unit/jira/test_costs.py, on the real engine."""

from tests.unit.jira.test_costs import *  # noqa: F403
