"""The fixture that the tests of the approvals share."""

from tests.support.approvals.service import desk

__all__ = ["desk"]
