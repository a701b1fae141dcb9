"""Markers, and which issue is the created one."""

import pytest

from lib.approvals.issue_tracker import FoundIssue, choose, is_dry, marker_of

HASH = "a" * 64
MARKER = marker_of("sess-1", HASH)


def test_a_marker_is_derived_from_session_and_draft_and_is_a_valid_label() -> None:
    assert marker_of("sess-1", HASH) == MARKER
    assert MARKER.label not in {marker_of("sess-2", HASH).label, marker_of("sess-1", "b" * 64).label}
    assert MARKER.label.startswith("switchboard-")
    assert len(MARKER.label) <= 255
    assert " " not in MARKER.label


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([], None),
        ([("PROJ-2", True), ("PROJ-10", True)], "PROJ-2"),
        ([("PROJ-2", False), ("PROJ-10", True)], "PROJ-10"),  # a copy has the label and not the property
        ([("PROJ-10", False)], "PROJ-10"),
    ],
)
def test_the_created_issue_is_the_oldest_one_with_the_property(found, chosen) -> None:
    issues = [FoundIssue(key, has_property) for key, has_property in found]
    for order in (issues, issues[::-1]):
        assert getattr(choose(order), "key", None) == chosen


@pytest.mark.parametrize(("key", "dry"), [("PROJ-DRY7", True), ("PROJ-7", False), ("DRY-7", False)])
def test_the_key_of_a_dry_run_is_recognized_by_its_number(key, dry) -> None:
    assert is_dry(key) is dry
