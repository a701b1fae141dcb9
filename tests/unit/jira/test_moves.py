"""The commits of a moved issue: they follow it, also if a message is lost, and cost nothing once they are there."""

from itertools import permutations

import pytest

from tests.support.jira.builders import TABLE, make_reader
from tests.support.jira.moves import Mover, stored

MOVE, BEFORE, AFTER = "move", "commit before", "commit after"


def correlation(table, mover):
    return stored(lambda key: table.items[key, "CORRELATION"], sorted(set(mover.path)))


@pytest.mark.parametrize("order", [*permutations((MOVE, BEFORE, AFTER))], ids=", ".join)
def test_a_commit_under_the_former_key_belongs_to_the_moved_issue(jira_issues, order):
    mover = Mover(jira_issues, TABLE, ("OPS-60", "DEV-60"))
    acts = {MOVE: lambda: mover.arrive(1), BEFORE: lambda: mover.push(0, "OPS-60"), AFTER: lambda: mover.push(1, "OPS-60")}
    for key in mover.arrive(0):
        mover.links.recompute(key)
    for name in order:
        for key in acts[name]():
            mover.links.recompute(key)
    assert correlation(jira_issues, mover) == mover.expected(2)


def test_the_sweep_moves_the_commits_if_the_message_of_a_move_was_lost(jira_issues):
    mover = Mover(jira_issues, TABLE, ("OPS-60", "DEV-60", "GOLD-60"))
    mover.arrive(0)
    mover.push(0, "OPS-60")
    mover.links.recompute("OPS-60")
    mover.arrive(1)
    mover.arrive(2)
    for key in list(mover.links.not_current(make_reader(jira_issues).by_project("GOLD"))):
        mover.links.recompute(key)
    assert correlation(jira_issues, mover) == mover.expected(1)
    assert not [row for _, row in jira_issues.items if row.startswith("MOVED#")]


def test_a_crash_between_the_rows_and_the_result_is_found_by_the_sweep(jira_issues):
    mover = Mover(jira_issues, TABLE, ("OPS-60", "DEV-60"))
    for position in (0, 1):
        for key in mover.arrive(position):
            mover.links.recompute(key)
    mover.push(0, "OPS-60")

    def crash():
        if ("DEV-60", "CORRELATION") not in jira_issues.items:
            raise ConnectionError

    jira_issues.before_write = crash
    with pytest.raises(ConnectionError):
        mover.links.recompute("OPS-60")
    assert list(mover.links.not_current(make_reader(jira_issues).by_project("DEV"))) == ["DEV-60"]


def test_the_next_recompute_finds_the_moved_commit(jira_issues):
    mover = Mover(jira_issues, TABLE, ("OPS-60", "DEV-60"))
    for key in (*mover.arrive(0), *mover.arrive(1), *mover.push(0, "OPS-60")):
        mover.links.recompute(key)
    assert [key for key, row in jira_issues.items if row.startswith("COMMIT#")] == ["DEV-60"]
    jira_issues.calls.clear()
    assert [result.issue_key for result in mover.links.recompute("OPS-60")] == ["OPS-60", "DEV-60"]
    assert [operation for operation, _ in jira_issues.calls] == ["query", "put_item"] * 2
    assert [result.issue_key for result in mover.links.recompute("DEV-60")] == ["DEV-60"]


def test_an_issue_that_comes_back_while_its_commits_are_moved_loses_none(jira_issues):
    """Two recomputes at the same time: one copies to the new key, another brings the copy back, the first one deletes."""
    mover = Mover(jira_issues, TABLE, ("OPS-60", "DEV-60", "OPS-60"))
    for act in (lambda: mover.arrive(0), lambda: mover.push(0, "OPS-60"), lambda: mover.arrive(1)):
        act()

    def come_back():
        if ("DEV-60", f"COMMIT#{0:039x}c") in jira_issues.items:
            jira_issues.before_write = lambda: None
            mover.arrive(2)
            mover.links.recompute("DEV-60")

    jira_issues.before_write = come_back
    mover.links.recompute("OPS-60")
    assert correlation(jira_issues, mover) == mover.expected(1)


def test_moves_in_a_circle_end(jira_issues):
    mover = Mover(jira_issues, TABLE, ("OPS-60", "DEV-60", "OPS-60"))
    mover.arrive(1)
    mover.arrive(2)
    head = jira_issues.items["DEV-60", "HEAD"]
    jira_issues.put_item(TableName=TABLE, Item=head | {"issue_key": {"S": "OPS-60"}, "moved_to": {"S": "DEV-60"}})
    mover.push(0, "OPS-60")
    assert {result.state for result in mover.links.recompute("OPS-60")} == {"moved"}


def test_a_project_stays_known_after_its_last_issue_moved_away(jira_issues):
    mover = Mover(jira_issues, TABLE, ("OPS-60", "DEV-60"))
    reader = make_reader(jira_issues)
    mover.arrive(0)
    mover.arrive(1)
    assert [reader.project_is_known(project) for project in ("OPS", "DEV", "GOLD")] == [True, True, False]
    assert (list(reader.by_project("OPS")), [issue.issue_key for issue in reader.by_project("DEV")]) == ([], ["DEV-60"])
