"""The fixtures that the tests of the approvals share."""

from tests.support.approvals.previews import long_draft, world
from tests.support.approvals.stores import stores

__all__ = ["long_draft", "stores", "world"]
