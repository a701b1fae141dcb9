"""Differences of two versions, and the moves that versions report."""

import gzip
import json
from typing import Any

import pytest

from lib.jira import snapshot_codec
from lib.jira.issues import IssueFields, Stamp
from lib.jira.items import Issue, Version
from lib.operations.issue_versions import Comparison, Difference, Move, compare, differences, moves_of
from lib.platform import errors

FIRST, SECOND = "2026-03-01T12:01:00.000000Z", "2026-03-01T12:02:00.000000Z"


def a_version(at: str = FIRST, body: object = None, **changes: Any) -> Version:
    values: dict[str, Any] = {
        "issue_key": "OPS-1",
        "issue_id": "1",
        "stamp": Stamp(at, 1, at),
        "event_type": "jira:issue_updated",
        "received_at": at,
        "fields": IssueFields(summary="door", status="To Do"),
        "deleted": False,
        "moved_to": None,
        "stored_snapshot": None if body is None else json.dumps(body),
        "snapshot_object": None,
    }
    return Version(**values | changes)


class Reader:
    """Has some versions."""

    def __init__(self, *versions: Version) -> None:
        self._versions = {version.stamp.version_at: version for version in versions}

    def version(self, issue_key: str, version_at: str) -> Version | None:
        return self._versions.get(version_at)


def compared(older: Version, newer: Version, objects: dict[str, bytes] | None = None) -> Comparison:
    reader: Any = Reader(older, newer)
    return compare(reader, (objects or {}).__getitem__, "OPS-1", FIRST, SECOND)


@pytest.mark.parametrize(
    ("older", "newer", "found"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1.5}, [("a", "1", "1.5")]),
        ({"a": {"b": ["x", "y"]}}, {"a": {"b": ["x"]}}, [("a.b[1]", "y", None)]),
        ({"a": None}, {"a": "x"}, [("a", None, "x")]),
        ({"a": True}, {"a": "true"}, []),
        ({"b": 1, "a": 2}, {}, [("a", "2", None), ("b", "1", None)]),
    ],
)
def test_differences_are_named_by_path(older: Any, newer: Any, found: list[tuple[str, str | None, str | None]]) -> None:
    assert differences(older, newer) == tuple(Difference(*each) for each in found)


def test_at_most_200_differences_are_shown() -> None:
    assert len(differences({}, {f"field{number}": number for number in range(1000)})) == 200


def test_the_state_and_the_json_are_compared_the_older_first() -> None:
    older = a_version(FIRST, {"issue": {"fields": {"priority": {"name": "Low"}, "votes": 1}}})
    fields = IssueFields(summary="door", status="Done", fix_versions=("1", "2"))
    newer = a_version(SECOND, {"fields": {"priority": {"name": "High"}}}, fields=fields, deleted=True)

    found = compared(older, newer)

    assert found.state == (
        Difference("deleted", "false", "true"),
        Difference("fix_versions", None, "1, 2"),
        Difference("status", "To Do", "Done"),
    )
    # A delivery without a field says nothing of it.
    assert found.snapshot == (Difference("fields.priority.name", "Low", "High"),)
    assert found.problem == ""


def test_a_large_snapshot_is_read_from_the_bucket() -> None:
    older = a_version(FIRST, snapshot_object="snapshots/one")
    objects = {"snapshots/one": gzip.compress(json.dumps({"issue": {"fields": {"x": 1}}}).encode())}

    assert compared(older, a_version(SECOND, {"fields": {"x": 2}}), objects).snapshot == (Difference("fields.x", "1", "2"),)


def test_a_snapshot_that_is_too_large_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_codec, "MAX_BYTES", 10)
    objects = {"one": gzip.compress(b'{"fields": {"x": 1}}')}

    found = compared(a_version(FIRST, snapshot_object="one"), a_version(SECOND, {"fields": {"x": 2}}), objects)

    assert (found.snapshot, found.problem) == ((), "the snapshot has more than 10 bytes")


@pytest.mark.parametrize("snapshot", ["", '{"fields": 1}'])
def test_a_snapshot_that_is_not_an_issue_has_no_differences(snapshot: str) -> None:
    found = compared(a_version(FIRST, stored_snapshot=snapshot), a_version(SECOND, {"fields": {"x": 2}}))

    assert (found.snapshot, found.problem) == ((), "")


@pytest.mark.parametrize(("snapshot", "problem"), [("x", "can't be read"), ("[]", "not a"), ("[" * 100_000, "recursion")])
def test_a_snapshot_that_is_not_json_is_a_problem_and_reports_no_move(snapshot: str, problem: str) -> None:
    unreadable = a_version(FIRST, stored_snapshot=snapshot)

    found = compared(unreadable, a_version(SECOND, {"fields": {"x": 2}}))

    assert (found.snapshot, problem in found.problem) == ((), True), found.problem
    assert moves_of(Issue("OPS-1", "1", Stamp(SECOND, 2, "x"), IssueFields()), [unreadable]) == ()


def test_integers_of_any_length_are_compared() -> None:
    """Python converts at most 4,300 digits. A webhook with more is stored."""
    older, newer = (f'{{"fields": {{"votes": {digit * 5000}}}}}' for digit in "12")

    found = compared(a_version(FIRST, stored_snapshot=older), a_version(SECOND, stored_snapshot=newer))

    assert found.snapshot == (Difference("fields.votes", "1" * 5000, "2" * 5000),)
    assert found.problem == ""


def test_a_version_that_is_not_kept_is_named() -> None:
    reader: Any = Reader(a_version(FIRST))

    with pytest.raises(errors.NotFoundError, match=f"with the time '{SECOND}' is kept"):
        compare(reader, lambda _: b"", "OPS-1", SECOND, FIRST)


def test_a_damaged_snapshot_is_a_problem_and_reports_no_move() -> None:
    damaged = a_version(FIRST, stored_snapshot=b"\x01damaged")

    found = compared(damaged, a_version(SECOND, {"fields": {"x": 2}}))

    assert (found.snapshot, "the snapshot is damaged" in found.problem) == ((), True)
    assert moves_of(Issue("OPS-1", "1", Stamp(SECOND, 2, "x"), IssueFields()), [damaged]) == ()


def test_moves_are_found_once_the_latest_first() -> None:
    item = {"field": "Key", "fromString": "OLD-9", "toString": "OPS-1"}
    arrived = a_version(FIRST, {"changelog": {"items": [item]}})
    left = a_version(SECOND, deleted=True, moved_to="DEV-1")
    issue = Issue("OPS-1", "1", Stamp(SECOND, 2, "x"), IssueFields(), deleted=True, moved_to="DEV-1")

    assert moves_of(issue, [left, arrived]) == (Move("OPS-1", "DEV-1", SECOND), Move("OLD-9", "OPS-1", FIRST))
