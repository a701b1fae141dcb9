"""The fixtures that Shuttle's tests share."""

from tests.support.shuttle import shuttle_table

__all__ = ["shuttle_table"]
