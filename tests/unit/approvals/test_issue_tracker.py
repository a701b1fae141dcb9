"""Markers, and which issue is the one that was created."""

import pytest

from lib.approvals.issue_tracker import FoundIssue, choose, is_dry, marker_of

HASH = "a" * 64


def test_a_marker_follows_from_session_and_draft_alone_and_is_a_label_that_jira_takes() -> None:
    marker = marker_of("sess-1", HASH)
    assert marker == marker_of("sess-1", HASH)
    assert marker.label not in {marker_of("sess-2", HASH).label, marker_of("sess-1", "b" * 64).label}
    assert marker.label.startswith("switchboard-")
    assert len(marker.label) <= 255
    assert " " not in marker.label


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([], None),
        ([("PROJ-2", True), ("PROJ-10", True)], "PROJ-2"),
        ([("PROJ-2", False), ("PROJ-10", True)], "PROJ-10"),  # a copy has the label and not the property
        ([("PROJ-10", False)], "PROJ-10"),
    ],
)
def test_the_issue_with_the_property_is_the_one_and_of_several_the_oldest(found, chosen) -> None:
    issues = [FoundIssue(key, has_property) for key, has_property in found]
    for order in (issues, issues[::-1]):
        assert getattr(choose(order), "key", None) == chosen


@pytest.mark.parametrize(("key", "dry"), [("PROJ-DRY7", True), ("PROJ-7", False), ("DRY-7", False)])
def test_a_dry_runs_key_is_told_by_its_number(key, dry) -> None:
    assert is_dry(key) is dry
