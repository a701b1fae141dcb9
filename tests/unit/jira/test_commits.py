"""Commits that name issues: what is read from a push or a pull request, and which keys count."""

import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from lib.jira.commits import (
    MAX_ISSUES_PER_COMMIT,
    MAX_LINKS_PER_PUSH,
    MAX_LOOKUPS_PER_PUSH,
    Commit,
    candidates,
    commit_items,
    keep_known,
    keys_named,
)
from lib.jira.correlation import MAX_COMMITS_IN_RESULT
from lib.jira.correlation_store import CorrelationStore
from lib.jira.issues import IssueFields, Observation, Stamp
from lib.jira.items import head_item
from lib.jira.tasks import Task, read_task
from lib.platform import errors
from tests.support.dynamodb.fake_table import FakeTable, before_next_write, item_bytes
from tests.support.jira.builders import NOW, TABLE

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("OPS-7 fix the disk", ("OPS-7",)),
        ("fix (OPS-7), [WEB-12]: OPS-7 again.", ("OPS-7", "WEB-12")),
        ("feature/OPS-7-login", ("OPS-7",)),
        ("feature/OPS-7_login and OPS-7_2", ("OPS-7",)),
        ("OPS-7_WEB-2 _GOLD-3 1_OPS-9", ("OPS-7", "WEB-2", "GOLD-3", "OPS-9")),
        ("bugfix_OPS-7", ("BUGFIX_OPS-7",)),
        ("ops-7-login and Ops-8", ("OPS-7", "OPS-8")),
        ("課題OPS-7を修正", ("OPS-7",)),
        ("XOPS-7 and OPS-7x and OPS-07 and OPS-0 and 1OPS-7", ("XOPS-7",)),
        ("UTF-8 and SHA-256", ("UTF-8", "SHA-256")),
        ("A1_B-3", ("A1_B-3",)),
        ("x" * 100 + "_OPS-7", ("OPS-7",)),
        ("", ()),
    ],
)
def test_any_character_but_letters_and_digits_ends_a_key(text: str, keys: tuple[str, ...]) -> None:
    assert keys_named(text) == keys


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("A_B-1", ("A_B-1", "B-1")),
        ("FIX_2_OPS-1", ("FIX_2_OPS-1", "OPS-1")),
        ("FIX__OPS-1", ("FIX__OPS-1", "OPS-1")),
        ("OPS-1", ("OPS-1",)),
    ],
)
def test_a_name_with_underscores_may_mean_shorter_keys(named: str, meant: tuple[str, ...]) -> None:
    assert candidates(named) == meant


def commit(*keys: str, number: int = 0) -> Commit:
    return Commit(f"{number:039x}1", "o/r", "t", "2026-03-01T12:00:00.000000Z", keys)


@pytest.mark.parametrize(
    ("known", "linked"),
    [({"OPS", "BUGFIX_OPS"}, [("BUGFIX_OPS-1",)]), ({"OPS"}, [("OPS-1",)]), ({"BUGFIX"}, [])],
)
def test_the_longest_key_of_a_known_project_counts(known: set[str], linked: list[tuple[str, ...]]) -> None:
    for configured, stored in ((known, set()), (set(), known)):
        links = keep_known([commit("BUGFIX_OPS-1")], configured, stored.__contains__)
        assert [each.issue_keys for each in links.commits] == linked


def test_each_project_is_looked_up_once_and_a_configured_one_never() -> None:
    asked = []

    def look_up(project: str) -> bool:
        asked.append(project)
        return project == "WEB"

    commits = [commit("OPS-7", "UTF-8"), commit("UTF-16", "WEB-1"), commit("UTF-32")]
    links = keep_known(commits, {"OPS"}, look_up)
    assert [each.issue_keys for each in links.commits] == [("OPS-7",), ("WEB-1",)]
    assert asked == ["UTF", "WEB"]


def test_lookups_beyond_the_limit_are_counted() -> None:
    asked: list[str] = []

    def look_up(project: str) -> bool:
        asked.append(project)
        return False

    names = [f"P{number}-1" for number in range(MAX_LOOKUPS_PER_PUSH + 7)]
    links = keep_known([commit(*names, "OPS-1")], {"OPS"}, look_up)
    assert (len(asked), links.not_checked) == (MAX_LOOKUPS_PER_PUSH, 7)
    assert links.commits[0].issue_keys == ("OPS-1",)


def test_keys_of_a_commit_beyond_the_limit_are_counted() -> None:
    links = keep_known([commit(*(f"OPS-{n}" for n in range(1, MAX_ISSUES_PER_COMMIT + 4)))], {"OPS"}, bool)
    assert (len(links.commits[0].issue_keys), links.left_out) == (MAX_ISSUES_PER_COMMIT, 3)


def test_links_of_a_push_beyond_the_limit_are_counted() -> None:
    keys = [f"OPS-{number}" for number in range(1, MAX_ISSUES_PER_COMMIT + 1)]
    count = MAX_LINKS_PER_PUSH // MAX_ISSUES_PER_COMMIT
    links = keep_known([commit(*keys, number=number) for number in range(count + 1)], {"OPS"}, bool)
    assert (len(links.commits), links.left_out) == (count, MAX_ISSUES_PER_COMMIT)


def test_a_commit_survives_the_queue() -> None:
    sent = Task(commits=(commit("OPS-7", "A_B-1"),))
    assert read_task(sent.to_body()) == sent


@pytest.mark.parametrize("change", [{"sha": "no hash"}, {"issue_keys": None}, {"committed_at": "soon"}, {"issue_keys": [1]}])
def test_a_commit_of_a_queue_message_is_checked(change: dict[str, object]) -> None:
    body = json.loads(Task(commits=(commit("OPS-7"),)).to_body())
    body["commits"][0].update(change)
    with pytest.raises(errors.InvalidInputError):
        read_task(json.dumps(body))


def test_a_commit_has_one_row_per_issue_without_an_address() -> None:
    named = Commit(SHA, "o/r", "OPS-7 OPS-8", "2026-03-01T12:00:00.000000Z", ("OPS-7", "OPS-8"))
    assert [(item["issue_key"]["S"], item["updated_at"]["S"]) for item in commit_items(named, NOW)] == [
        ("OPS-7", f"COMMIT#{SHA}"),
        ("OPS-8", f"COMMIT#{SHA}"),
    ]


# --- stored and recomputed ---


def test_a_push_and_an_issue_meet_whichever_comes_first() -> None:
    head = head_item(Observation("OPS-7", "1", Stamp("2026-03-01T12:00:00.000000Z", 1, "d"), "e", IssueFields("s")))
    for first, second in (("head", "commit"), ("commit", "head")):
        table = FakeTable()
        links = CorrelationStore(table, TABLE, now=lambda: NOW)
        write: dict[str, Callable[[], object]] = {
            "head": partial(table.put_item, TableName=TABLE, Item=head),
            "commit": partial(links.record_commits, [commit("OPS-7")]),
        }
        write[first]()
        write[second]()
        assert links.recompute("OPS-7")[0].state == "matched"
        stored = table.items["OPS-7", "CORRELATION"]
        assert stored["commits"] == {"L": [{"S": commit().sha}]}
        assert (stored["generated_at"], stored["timezone"]) == (
            {"S": "2026-03-01T05:00:00.000-07:00"},
            {"S": "America/Phoenix"},
        )


def test_many_commits_are_written_25_at_a_time() -> None:
    table = FakeTable()
    commits = [Commit(f"{n:040x}", "o/r", "t", "2026-03-01T12:00:00.000000Z", ("OPS-7", "OPS-8")) for n in range(30)]
    for _ in range(2):
        assert CorrelationStore(table, TABLE).record_commits(commits) == ("OPS-7", "OPS-8")
    assert len(table.items) == 60


class Throttled(FakeTable):
    """Leaves everything of its first batches unprocessed."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.batches = batches

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.batches -= 1
        return {"UnprocessedItems": RequestItems} if self.batches >= 0 else super().batch_write_item(RequestItems=RequestItems)


def test_unprocessed_commits_are_sent_once_more() -> None:
    waits: list[float] = []
    commits = [commit("OPS-7")]
    once, twice = Throttled(1), Throttled(2)
    CorrelationStore(once, TABLE, sleep=waits.append).record_commits(commits)
    assert (len(once.items), waits) == (1, [0.5])
    with pytest.raises(errors.ThrottledError):
        CorrelationStore(twice, TABLE, sleep=waits.append).record_commits(commits)


def test_a_recompute_clears_hints_that_a_crash_left() -> None:
    table = FakeTable()
    head = head_item(Observation("OPS-7", "1", Stamp("2026-03-02", 1, "d"), "e", IssueFields("s", fix_versions=("1", "2"))))
    table.put_item(TableName=TABLE, Item=head)
    for version, second in (("2", "2026-03-02"), ("left", "2026-03-01"), ("on its way", "2026-03-03")):
        hint = {"fix_version": version, "version_at": second, "idempotency_key": "d"}
        item = {name: {"S": value} for name, value in hint.items()} | {"event_at": {"N": "1"}}
        key = {"issue_key": {"S": "OPS-7"}, "updated_at": {"S": f"FIXVERSION#{version}"}}
        table.put_item(TableName=TABLE, Item={**key, **item})
    CorrelationStore(table, TABLE).recompute("OPS-7")
    assert sorted(name for _, name in table.items if "#" in name) == ["FIXVERSION#2", "FIXVERSION#on its way"]


def test_an_overtaken_recompute_reads_again() -> None:
    table = FakeTable()
    slow, quick = (CorrelationStore(table, TABLE, now=lambda: NOW) for _ in range(2))

    def overtake() -> None:
        quick.record_commits([commit("OPS-7")])
        quick.recompute("OPS-7")

    before_next_write(table, overtake)  # the slow one has read that there is no commit, and is about to write so
    assert slow.recompute("OPS-7")[0].commit_count == 1
    assert len(table.items["OPS-7", "CORRELATION"]["commits"]["L"]) == 1


def test_a_recompute_does_not_replace_a_result_made_after_a_reset() -> None:
    """The result is deleted and made again meanwhile, as by a recompute that moves commits here."""
    table = FakeTable()
    times = (NOW + timedelta(milliseconds=number) for number in itertools.count())
    slow, quick = (CorrelationStore(table, TABLE, now=lambda: next(times)) for _ in range(2))
    slow.recompute("OPS-7")

    def overtake() -> None:
        quick.forget(["OPS-7"])
        quick.record_commits([commit("OPS-7")])
        quick.recompute("OPS-7")

    before_next_write(table, overtake)  # the slow one has read that there is no commit, and is about to write so
    assert slow.recompute("OPS-7")[0].commit_count == 1
    assert len(table.items["OPS-7", "CORRELATION"]["commits"]["L"]) == 1


def test_a_recompute_that_is_overtaken_five_times_fails() -> None:
    table = FakeTable()
    slow, quick = CorrelationStore(table, TABLE), CorrelationStore(table, TABLE)

    def overtake() -> None:
        quick.recompute("OPS-7")
        before_next_write(table, overtake)

    before_next_write(table, overtake)
    with pytest.raises(errors.UnavailableError, match="5 tries"):
        slow.recompute("OPS-7")


def test_a_deleted_issue_is_unknown() -> None:
    head = head_item(Observation("OPS-7", "1", Stamp("2026-03-02", 1, "d"), "e", IssueFields("s"), deleted=True))
    table = FakeTable()
    table.put_item(TableName=TABLE, Item=head)
    assert CorrelationStore(table, TABLE).recompute("OPS-7")[0].state == "unknown"


# --- many commits, and old ones ---


def test_a_result_lists_the_newest_commits_and_counts_all_of_them() -> None:
    table = FakeTable()
    links = CorrelationStore(table, TABLE, now=lambda: NOW)
    pushed = [Commit(f"{n:039x}1", "o/r", "t", f"2026-03-01T12:00:{n:02}.000000Z", ("OPS-7",)) for n in range(60)]
    links.record_commits(
        pushed + [Commit(f"{n:039x}2", "o/r", "t", "2026-03-01T11:00:00.000000Z", ("OPS-7",)) for n in range(60)]
    )
    result = links.recompute("OPS-7")[0]
    assert (result.commit_count, len(result.commits)) == (120, MAX_COMMITS_IN_RESULT)
    assert result.commits[:60] == tuple(commit.sha for commit in reversed(pushed))
    assert table.items["OPS-7", "CORRELATION"]["commit_count"] == {"N": "120"}
    assert item_bytes(table.items["OPS-7", "CORRELATION"]) < 10_000


def test_a_commit_expires_with_the_history_after_its_last_push() -> None:
    table, clock = FakeTable(), [NOW]
    links = CorrelationStore(table, TABLE, history=timedelta(days=90), now=lambda: clock[0])
    links.record_commits([commit("OPS-7")])
    clock[0] += timedelta(days=60)
    links.record_commits([commit("OPS-7")])
    clock[0] += timedelta(days=60)
    assert links.recompute("OPS-7")[0].commit_count == 1
    clock[0] += timedelta(days=30)
    assert links.recompute("OPS-7")[0].commit_count == 0


def test_commits_are_left_when_the_time_is_up() -> None:
    table, time_left = FakeTable(), iter([True, False])
    pushed = [commit("OPS-7", "OPS-8", number=number) for number in range(20)]
    stored = CorrelationStore(table, TABLE, now=lambda: NOW).store_commits(pushed, has_time=lambda: next(time_left))
    assert (len(table.items), stored.left, stored.error) == (25, tuple(pushed[12:]), None)
