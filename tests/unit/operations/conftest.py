"""The fixtures that the tests of the operators' readers share."""

from tests.support.approvals.stores import stores

__all__ = ["stores"]
