"""Which commits belong to which issues, and the record of a run."""

import json
from datetime import UTC, datetime

import pytest

from lib.jira.correlation import CommitTally, Match, Unknown, Window, correlate_issue, match
from lib.jira.run_records import RunRecords, correlation_entry, run_record
from tests.support.jira.builders import NOW
from tests.support.jira.correlation import commit, issue


def test_issues_and_commits_are_matched_by_key():
    found = match(
        [issue("OPS-1"), issue("OPS-2"), issue("OPS-3"), issue("OPS-4", deleted=True)],
        [
            commit("a", "OPS-1", "OPS-2"),
            commit("b", "OPS-1"),
            commit("c"),
            commit("d", "OPS-4", "OPS-9"),
            commit("e", "OPS-2", "OPS-9"),
        ],
    )
    assert found.matches == (Match("OPS-1", "a"), Match("OPS-1", "b"), Match("OPS-2", "a"), Match("OPS-2", "e"))
    assert found.issues_without_commits == ("OPS-3",)
    assert found.commits_without_issues == ("c",)
    assert found.commits_naming_unknown_issues == (Unknown("d", ("OPS-4", "OPS-9")), Unknown("e", ("OPS-9",)))
    summary = found.summary
    assert (summary.issues, summary.commits, summary.matches) == (3, 5, 4)
    assert (summary.issues_without_commits, summary.commits_without_issues, summary.commits_naming_unknown_issues) == (1, 1, 2)


def test_the_order_and_repetition_of_the_input_do_not_matter():
    issues = [issue("OPS-1"), issue("OPS-2")]
    commits = [commit("b", "OPS-1"), commit("a", "OPS-1", "OPS-9"), commit("c")]
    assert match(issues, commits) == match(issues[::-1] * 2, commits[::-1] * 2)


def test_a_commit_that_comes_in_parts_belongs_to_every_issue():
    found = match([issue("OPS-1"), issue("OPS-2")], [commit("a", "OPS-1"), commit("a", "OPS-2"), commit("a")])
    assert found.matches == (Match("OPS-1", "a"), Match("OPS-2", "a"))
    assert (found.issues_without_commits, found.commits_without_issues, found.summary.commits) == ((), (), 1)


def test_a_window_filters_commits_and_issues_without_commits():
    issues = [issue("OPS-1", 1), issue("OPS-2", 5), issue("OPS-3", 9)]
    commits = [
        commit("early", "OPS-1", made=4),
        commit("in", "OPS-1", made=5),
        commit("late", "OPS-3", made=6),
        commit("none", made=9),
    ]
    window = Window(datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 6, 12, tzinfo=UTC))
    found = match(issues, commits, window)
    assert found.matches == (Match("OPS-1", "in"),)
    assert found.issues_without_commits == ("OPS-2",)
    assert found.commits_without_issues == ()
    assert found.summary.commits == 1


def test_empty_input_has_no_matches():
    assert match([], []).summary.matches == 0


@pytest.mark.parametrize(
    ("known", "commits", "state"),
    [
        (issue("OPS-1"), [commit("a" * 40, "OPS-1")], "matched"),
        (issue("OPS-1"), [], "without_commits"),
        (issue("OPS-1", deleted=True), [commit("a" * 40, "OPS-1")], "unknown"),
        (None, [commit("a" * 40, "OPS-1")], "unknown"),
    ],
)
def test_the_state_of_one_issue(known, commits, state):
    assert correlate_issue("OPS-1", known, tally(*commits)).state == state


def tally(*commits):
    counted = CommitTally()
    for each in commits:
        counted.add(each)
    return counted


def test_a_commit_that_names_a_former_key_belongs_to_the_issue():
    issues = [
        issue("OPS-1", moved_to="DEV-1"),
        issue("DEV-1", moved_to="GOLD-1"),
        issue("GOLD-1"),
        issue("WEB-1", moved_to="GONE-1"),
    ]
    found = match(issues, [commit("a", "OPS-1"), commit("b", "DEV-1", "GOLD-1"), commit("c", "WEB-1")])
    assert found.matches == (Match("GOLD-1", "a"), Match("GOLD-1", "b"))
    assert found.issues_without_commits == ()
    assert found.commits_naming_unknown_issues == (Unknown("c", ("WEB-1",)),)


def test_moves_in_a_circle_end():
    found = match([issue("OPS-1", moved_to="DEV-1"), issue("DEV-1", moved_to="OPS-1")], [commit("a", "OPS-1")])
    assert found.commits_naming_unknown_issues == (Unknown("a", ("OPS-1",)),)


def test_a_former_key_has_the_current_key_and_no_commits():
    result = correlate_issue("OPS-1", issue("OPS-1", moved_to="DEV-1"), tally(commit("a", "OPS-1")))
    assert (result.state, result.moved_to, result.commits) == ("moved", "DEV-1", ())


class Bucket:
    def __init__(self):
        self.objects = {}

    def put_object(self, *, Bucket, Key, Body, ContentType):  # noqa: N803
        assert Key not in self.objects
        self.objects[Key] = json.loads(Body)


def test_a_run_record_is_in_phoenix_time_and_has_all_fields():
    bucket = Bucket()
    entry = correlation_entry(correlate_issue("OPS-1", issue("OPS-1"), tally(commit("a" * 40, "OPS-1"))))
    name = RunRecords(lambda: bucket, "artifacts", git_sha="abc1234", now=lambda: NOW).write("correlation", "run-1", [entry])
    assert name.startswith("runs/correlation/2026-03-01/")
    assert bucket.objects[name] == {
        "run_id": "run-1",
        "git_sha": "abc1234",
        "generated_at": "2026-03-01T05:00:00.000-07:00",
        "timezone": "America/Phoenix",
        "issues": [{"issue_key": "OPS-1", "state": "matched", "commits": ["a" * 40]}],
    }


def test_two_records_of_one_run_and_instant_do_not_collide():
    records = RunRecords(Bucket, "artifacts", git_sha="abc1234", now=lambda: NOW)
    assert records.write("correlation", "run-1", []) != records.write("correlation", "run-1", [])


@pytest.mark.parametrize("broken", [{"issue_key": "ops"}, {"state": "matched"}, {"issue_key": "OPS-1", "state": "odd"}])
def test_a_record_that_breaks_the_schema_is_a_defect(broken):
    with pytest.raises(ValueError, match="data"):
        run_record("run-1", "abc1234", NOW, [broken])
