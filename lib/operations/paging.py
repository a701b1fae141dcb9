"""Pages of lists, each with the cursor of the next one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

Row = TypeVar("Row")

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, and where the next ones begin: a text for a URL, empty at the end."""

    rows: tuple[Row, ...]
    cursor: str = ""


def page_of(rows: Iterator[Row], cursor_of: Callable[[Row], str], size: int = PAGE_SIZE) -> Page[Row]:
    """The first ``size`` rows. ``cursor_of`` is the cursor of the rows after the last one."""
    found = tuple(islice(rows, size + 1))
    return Page(found[:size], cursor_of(found[size - 1]) if len(found) > size else "")
