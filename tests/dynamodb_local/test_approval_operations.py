"""Operations, their outcomes and the audit trail: the tests of tests/unit/approvals/test_operations.py, on the real engine."""

from tests.unit.approvals.test_operations import *  # noqa: F403
