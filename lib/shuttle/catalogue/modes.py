"""What an import does with each row, by its mode. Pure: :mod:`.merging` runs the same decisions in SQL, generated from these.

=================================  ==================  =========  =============  ================
row                                OVERWRITE_EXISTING  NEW_ONLY   NEW_AND_DRAFT  WIPE_AND_RESTORE
=================================  ==================  =========  =============  ================
only in the catalogue              kept                kept       kept           removed
only in the file                   added               added      added          added
in both, different, a draft        replaced            skipped    replaced       replaced
in both, different, not a draft    replaced            skipped    skipped        replaced
in both, equal, a draft            unchanged           skipped    unchanged      unchanged
in both, equal, not a draft        unchanged           skipped    skipped        unchanged
=================================  ==================  =========  =============  ================

A row is a draft if the catalogue says so: the status in the file does not matter.
"""

import enum
from collections.abc import Sequence

from lib.shuttle.jobs.job import JobMode


class Change(enum.IntEnum):
    """What happens to a row. The numbers are stored in the catalogue's files."""

    KEPT = 0
    ADDED = 1
    REPLACED = 2
    UNCHANGED = 3
    SKIPPED = 4
    REMOVED = 5


def decide(mode: JobMode, *, in_file: bool, in_catalogue: bool, is_draft: bool, is_equal: bool) -> Change:
    """What happens to a row that is in the file, in the catalogue or in both; the last two count only if it is in both."""
    if not in_file:
        return Change.REMOVED if mode is JobMode.WIPE_AND_RESTORE else Change.KEPT
    if not in_catalogue:
        return Change.ADDED
    if mode is JobMode.NEW_ONLY or (mode is JobMode.NEW_AND_DRAFT and not is_draft):
        return Change.SKIPPED
    return Change.UNCHANGED if is_equal else Change.REPLACED


def decide_in_sql(mode: JobMode, *, in_file: str, in_catalogue: str, is_draft: str, is_equal: str) -> str:
    """:func:`decide` as an expression in SQL; the arguments are conditions in SQL, none of them ever NULL."""
    conditions = {"in_file": in_file, "in_catalogue": in_catalogue, "is_draft": is_draft, "is_equal": is_equal}
    return _branch(mode, tuple(conditions.items()), {})


def _branch(mode: JobMode, conditions: Sequence[tuple[str, str]], known: dict[str, bool]) -> str:
    """The decision once the values of ``known`` are known. A condition that makes no difference is left out."""
    if not conditions:
        return str(decide(mode, **known).value)
    (name, condition), *rest = conditions
    yes, no = (_branch(mode, rest, known | {name: value}) for value in (True, False))
    return yes if yes == no else f"CASE WHEN {condition} THEN {yes} ELSE {no} END"
