"""The fixtures of Shuttle's unit tests."""

from tests.support.shuttle.builders import shuttle_table

__all__ = ["shuttle_table"]
