"""The fixture that the tests of the approvals share."""

from tests.support.approvals.stores import stores

__all__ = ["stores"]
