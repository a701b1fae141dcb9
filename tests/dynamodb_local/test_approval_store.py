"""Sessions, drafts and decisions: the tests of tests/unit/approvals/test_store.py, on the real engine."""

from tests.unit.approvals.test_store import *  # noqa: F403
