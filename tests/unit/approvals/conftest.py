"""The fixture that the tests of the approvals share."""

from tests.support.approvals_desk import desk

__all__ = ["desk"]
