"""The fixture that the tests of the import worker share."""

from tests.support.shuttle.importer import world

__all__ = ["world"]
