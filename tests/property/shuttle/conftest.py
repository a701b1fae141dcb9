"""The fixtures that Shuttle's tests share."""

from tests.support.shuttle.builders import shuttle_table

__all__ = ["shuttle_table"]
