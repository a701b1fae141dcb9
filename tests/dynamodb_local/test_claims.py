"""Claims from state to state, and on bad lines: the tests of tests/unit/platform/test_claims.py, on the real engine."""

from tests.unit.platform.test_claims import *  # noqa: F403
