"""docs/database-schema.md lists exactly the access patterns of Shuttle, by method and index."""

import inspect
import re
from pathlib import Path

from lib.platform.contract import SHUTTLE
from lib.shuttle.repository import Repository

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "database-schema.md"
ROW = re.compile(
    r"^\| [^|]+ \| `(?P<method>\w+)` \| (?P<index>\w+) \| (?P<condition>`[^|]+`[^|]*) \| (?P<cost>\d[^|]*) \|$", re.M
)


def documented() -> dict[str, str]:
    """The index of each method in the document's table, which also states a condition and a cost."""
    return {row["method"]: row["index"] for row in ROW.finditer(DOCUMENT.read_text(encoding="utf-8"))}


def test_exactly_the_methods_that_read_are_documented() -> None:
    methods = {name for name, _ in inspect.getmembers(Repository, inspect.isfunction) if not name.startswith("_")}

    assert documented().keys() == methods


def test_every_index_serves_a_documented_pattern() -> None:
    assert set(documented().values()) == {"table", *(index.name for index in SHUTTLE.indexes)}
