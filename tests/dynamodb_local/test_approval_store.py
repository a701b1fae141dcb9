"""Sessions, drafts and decisions: the tests of tests/unit/approvals/test_repository.py, on the real engine."""

from tests.unit.approvals.test_repository import *  # noqa: F403
