"""Commits that name issues: what is read from a push or a pull request, and which keys count."""

import json

import pytest

from lib import errors
from lib.jira.commits import Commit, commit_items, keep_known, keys_named, normalise
from lib.jira.deliveries import Ignored
from lib.jira.issues import IssueFields, Observation, Stamp
from lib.jira.recompute import CorrelationStore
from lib.jira.rows import head_item
from tests.support.fake_table import FakeTable
from tests.support.jira import NOW, TABLE

SHA = "0123456789abcdef0123456789abcdef01234567"
TIME = "2026-03-01T04:59:00-07:00"


def github(*messages, ref="refs/heads/main"):
    commits = [{"id": SHA[:-1] + str(n), "message": text, "timestamp": TIME} for n, text in enumerate(messages)]
    return json.dumps({"ref": ref, "repository": {"full_name": "o/r"}, "commits": commits}).encode()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("OPS-7 mend the disk", ("OPS-7",)),
        ("mend (OPS-7), [WEB-12]: OPS-7 again.", ("OPS-7", "WEB-12")),
        ("feature/OPS-7-login", ("OPS-7",)),
        ("OPS-7_login", ()),
        ("XOPS-7 and OPS-7x and OPS-07 and OPS-0", ("XOPS-7",)),
        ("ops-7", ()),
        ("UTF-8 and SHA-256", ("UTF-8", "SHA-256")),
        ("A1_B-3", ("A1_B-3",)),
        ("", ()),
    ],
)
def test_keys_are_words(text, keys):
    assert keys_named(text) == keys


def test_only_keys_of_known_projects_count():
    asked = []

    def is_known(project):
        asked.append(project)
        return project == "OPS"

    commits = normalise(github("OPS-7 read UTF-8", "UTF-8 again, and OPS-8", "only UTF-16"))
    assert [commit.issue_keys for commit in keep_known(commits, is_known)] == [("OPS-7",), ("OPS-8",)]
    assert asked == ["OPS", "UTF"]


def test_a_github_push():
    assert normalise(github("OPS-7 mend\n\nlong story", ref="refs/heads/OPS-9-disk")) == (
        Commit(SHA[:-1] + "0", "o/r", "OPS-7 mend", "2026-03-01T11:59:00.000000Z", ("OPS-7", "OPS-9")),
    )


def test_a_tag_is_no_branch():
    assert normalise(github("mend", ref="refs/tags/OPS-9"))[0].issue_keys == ()


def test_a_github_pull_request_names_issues_in_title_and_branch():
    head = {"sha": SHA, "ref": "OPS-9-disk"}
    request = {"title": "OPS-7: mend", "updated_at": "2026-03-01T12:00:00Z", "head": head}
    body = {"action": "opened", "pull_request": request, "repository": {"full_name": "o/r"}}
    (commit,) = normalise(json.dumps(body).encode())
    assert (commit.sha, commit.issue_keys) == (SHA, ("OPS-7", "OPS-9"))


def test_a_bitbucket_push():
    target = {"type": "branch", "name": "OPS-9-disk"}
    commit = {"hash": SHA.upper(), "message": "OPS-7 mend", "date": "2026-03-01T12:00:00+00:00", "author": {"raw": "A <a@b.c>"}}
    changes = [{"new": target, "commits": [commit]}, {"new": None, "old": target, "commits": []}]
    (found,) = normalise(json.dumps({"push": {"changes": changes}, "repository": {"full_name": "w/r"}}).encode())
    assert found == Commit(SHA, "w/r", "OPS-7 mend", "2026-03-01T12:00:00.000000Z", ("OPS-7", "OPS-9"))


def test_a_bitbucket_pull_request():
    source = {"branch": {"name": "OPS-9"}, "commit": {"hash": SHA[:12]}}
    body = {"pullrequest": {"title": "OPS-7", "updated_on": "2026-03-01T12:00:00+00:00", "source": source}}
    (found,) = normalise(json.dumps(body).encode())
    assert (found.sha, found.repository, found.issue_keys) == (SHA[:12], "unknown", ("OPS-7", "OPS-9"))


def test_a_ping_is_ignored():
    assert isinstance(normalise(b'{"zen": "Keep it logically awesome.", "hook_id": 1}'), Ignored)


@pytest.mark.parametrize("commit", [{"id": "no hash"}, {"id": SHA, "timestamp": "yesterday"}, {"id": SHA}, {}])
def test_a_commit_without_hash_or_time_is_refused(commit):
    with pytest.raises(errors.InvalidInputError):
        normalise(json.dumps({"commits": [commit]}).encode())


def test_one_row_for_each_issue_and_no_address_in_it():
    commit = Commit(SHA, "o/r", "OPS-7 OPS-8", "2026-03-01T12:00:00.000000Z", ("OPS-7", "OPS-8"))
    assert [(item["issue_key"]["S"], item["updated_at"]["S"]) for item in commit_items(commit)] == [
        ("OPS-7", f"COMMIT#{SHA}"),
        ("OPS-8", f"COMMIT#{SHA}"),
    ]


# --- stored and recomputed ---


def test_a_push_and_an_issue_meet_whichever_comes_first():
    head = head_item(Observation("OPS-7", "1", Stamp("2026-03-01T12:00:00.000000Z", 1, "d"), "e", IssueFields("s")))
    for first, second in (("head", "commit"), ("commit", "head")):
        table = FakeTable()
        links = CorrelationStore(table, TABLE, now=lambda: NOW)
        write = {
            "head": lambda table=table: table.put_item(TableName=TABLE, Item=head),
            "commit": lambda links=links: links.record_commits(normalise(github("OPS-7 mend"))),
        }
        write[first]()
        write[second]()
        assert links.recompute("OPS-7").state == "matched"
        stored = table.items["OPS-7", "CORRELATION"]
        assert stored["commits"] == {"L": [{"S": SHA[:-1] + "0"}]}
        assert (stored["generated_at"], stored["timezone"]) == (
            {"S": "2026-03-01T05:00:00.000-07:00"},
            {"S": "America/Phoenix"},
        )


def test_many_commits_are_written_25_at_a_time_and_twice_is_as_once():
    table = FakeTable()
    commits = [Commit(f"{n:040x}", "o/r", "t", "2026-03-01T12:00:00.000000Z", ("OPS-7", "OPS-8")) for n in range(30)]
    for _ in range(2):
        assert CorrelationStore(table, TABLE).record_commits(commits) == ("OPS-7", "OPS-8")
    assert len(table.items) == 60


class Throttled(FakeTable):
    """Leaves everything of its first batches unprocessed."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def batch_write_item(self, *, RequestItems):  # noqa: N803
        self.batches -= 1
        return {"UnprocessedItems": RequestItems} if self.batches >= 0 else super().batch_write_item(RequestItems=RequestItems)


def test_commits_left_unprocessed_are_sent_once_more_and_then_given_up():
    waits = []
    commits = normalise(github("OPS-7 mend"))
    once, twice = Throttled(1), Throttled(2)
    CorrelationStore(once, TABLE, sleep=waits.append).record_commits(commits)
    assert (len(once.items), waits) == (1, [0.5])
    with pytest.raises(errors.ThrottledError):
        CorrelationStore(twice, TABLE, sleep=waits.append).record_commits(commits)


def test_a_recompute_clears_hints_that_a_crash_left():
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


def test_a_recompute_that_was_overtaken_reads_again_and_writes_over_nothing_newer():
    table = FakeTable()
    slow, quick = (CorrelationStore(table, TABLE, now=lambda: NOW) for _ in range(2))
    overtaken = []

    def overtake():
        if not overtaken:
            overtaken.append(True)
            quick.record_commits(normalise(github("OPS-7 mend")))
            quick.recompute("OPS-7")

    table.before_write = overtake  # the slow one has read that there is no commit, and is about to write so
    assert len(slow.recompute("OPS-7").commits) == 1
    assert len(table.items["OPS-7", "CORRELATION"]["commits"]["L"]) == 1


def test_a_recompute_that_is_overtaken_again_and_again_is_left_to_the_next_delivery_of_its_message():
    table = FakeTable()
    slow, quick = CorrelationStore(table, TABLE), CorrelationStore(table, TABLE)

    def overtake():
        table.before_write = lambda: None
        quick.recompute("OPS-7")
        table.before_write = overtake

    table.before_write = overtake
    with pytest.raises(errors.UnavailableError, match="5 times"):
        slow.recompute("OPS-7")


def test_a_result_of_before_revisions_is_written_over():
    table = FakeTable()
    table.put_item(TableName=TABLE, Item={"issue_key": {"S": "OPS-7"}, "updated_at": {"S": "CORRELATION"}})
    CorrelationStore(table, TABLE).recompute("OPS-7")
    assert table.items["OPS-7", "CORRELATION"]["revision"] == {"N": "1"}


def test_a_deleted_issue_is_unknown():
    head = head_item(Observation("OPS-7", "1", Stamp("2026-03-02", 1, "d"), "e", IssueFields("s"), deleted=True))
    table = FakeTable()
    table.put_item(TableName=TABLE, Item=head)
    assert CorrelationStore(table, TABLE).recompute("OPS-7").state == "unknown"
