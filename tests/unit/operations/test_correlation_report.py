"""The correlation of a whole project, from its stored rows and as the pure function builds it."""

from datetime import UTC, datetime, timedelta

import pytest

from lib.jira.correlation import Window
from lib.jira.correlation_store import CorrelationStore
from lib.operations.correlation_report import Counts, NamedIssue, correlate, report_project
from lib.platform import errors
from lib.platform.dynamodb import Table
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import NOW, TABLE, make_reader, make_store
from tests.support.jira.correlation import commit, delivery, issue

HISTORY = timedelta(days=90)


@pytest.fixture
def table():
    return FakeTable()


def push(table, *commits):
    CorrelationStore(table, TABLE, history=HISTORY, now=lambda: NOW).record_commits(commits)


def report(table, project="OPS", **options):
    options = {"now": lambda: NOW, **options}
    return report_project(project, make_reader(table), Table(table, TABLE), **options)


def test_issues_and_commits_of_a_project_each_get_their_place(table):
    store = make_store(table)
    for key in ("OPS-1", "OPS-2", "OPS-10", "WEB-1"):
        store.record(delivery(key))
    push(table, commit("a", "OPS-1", "OPS-10"), commit("b", "OPS-1", "OPS-99"), commit("c", "OPS-99"), commit("d", "WEB-1"))
    found = report(table)
    assert found.matched == (NamedIssue("OPS-1", ("a", "b")), NamedIssue("OPS-10", ("a",)))
    assert found.issues_without_commits == ("OPS-2",)
    assert found.commits_without_issues == ("c",)
    assert found.unknown_issues == (NamedIssue("OPS-99", ("b", "c")),)
    assert found.counts == Counts(
        issues=3, commits=3, matched_issues=2, issues_without_commits=1, commits_without_issues=1, unknown_issues=1
    )


def test_a_commit_of_a_former_key_belongs_to_the_current_one(table):
    store = make_store(table)
    store.record(delivery("OPS-1"))
    push(table, commit("a", "OPS-1"))
    store.record(delivery("DEV-5", 2, moved_from="OPS-1"))
    found = report(table)
    assert (found.matched, found.unknown_issues) == ((NamedIssue("DEV-5", ("a",)),), ())


def test_a_commit_of_a_deleted_issue_names_an_unknown_one(table):
    store = make_store(table)
    store.record(delivery("OPS-1"))
    store.record(delivery("OPS-1", 2, deleted=True))
    push(table, commit("a", "OPS-1"))
    found = report(table)
    assert (found.matched, found.unknown_issues) == ((), (NamedIssue("OPS-1", ("a",)),))


def test_an_expired_commit_does_not_count(table):
    make_store(table).record(delivery("OPS-1"))
    push(table, commit("a", "OPS-1"))
    assert report(table, now=lambda: NOW + HISTORY).issues_without_commits == ("OPS-1",)


def test_a_window_selects_commits_and_issues_without_commits():
    issues = [issue("OPS-1", 1), issue("OPS-2", 5), issue("WEB-1", 5)]
    commits = [commit("a", "OPS-1", made=4), commit("b", "OPS-1", made=5), commit("c", "OPS-9", made=4)]
    found = correlate("OPS", issues, commits, Window(start=datetime(2026, 3, 5, tzinfo=UTC)))
    assert found.matched == (NamedIssue("OPS-1", ("b",)),)
    assert found.issues_without_commits == ("OPS-2",)  # WEB-1 is of another project
    assert (found.unknown_issues, found.counts.commits) == ((), 1)


def test_commits_that_name_no_issue_have_none():
    assert correlate("OPS", [], [commit("a")]).commits_without_issues == ("a",)


def test_the_report_as_json_has_a_list_for_each_group():
    value = correlate("OPS", [issue("OPS-1")], [commit("a", "OPS-1")]).to_json()
    assert value["matched"] == ({"issue_key": "OPS-1", "commits": ("a",)},)
    assert value["counts"]["matched_issues"] == 1


def test_a_project_key_is_checked(table):
    with pytest.raises(errors.InvalidInputError):
        report(table, "ops")
