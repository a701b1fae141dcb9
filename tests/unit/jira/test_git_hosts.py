"""What each Git host sends, read: pushes, tags, new and deleted branches, pull and merge requests, pings, and odd values."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from lib.jira import git_hosts
from lib.jira.commits import MAX_COMMITS_PER_PUSH, MAX_NAMES_PER_COMMIT, Commit, Push, keys_named
from lib.jira.git_hosts import push_reader
from lib.jira.webhooks import Ignored
from lib.platform import errors

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RECEIVED_AT = "2026-03-01T12:00:00.000000Z"
MADE, MADE_AT = "2026-02-01T10:00:00+01:00", "2026-02-01T09:00:00.000000Z"
MADE_MS = 1_769_936_400_000
ONE, TWO, NONE = "1" * 40, "2" * 40, "0" * 40


def read(event: object) -> Push:
    push = read_any(event)
    assert isinstance(push, Push)
    return push


def read_any(event: object) -> Push | Ignored:
    return git_hosts.read(json.dumps(event).encode(), RECEIVED)


def github(*commits: object, ref: str = "refs/heads/main", **more: Any) -> dict[str, Any]:
    return {"ref": ref, "after": ONE, "repository": {"full_name": "acme/shop"}, "commits": list(commits), **more}


def bitbucket_cloud(*commits: object, new: dict[str, Any] | None = None) -> dict[str, Any]:
    change = {"new": new or {"type": "branch", "name": "main"}, "old": None, "commits": list(commits)}
    return {"push": {"changes": [change]}, "repository": {"full_name": "acme/shop"}}


def data_center(*commits: object, branches: Sequence[str] = ("main",), **more: Any) -> dict[str, Any]:
    changes = [
        {"ref": {"id": f"refs/heads/{name}", "displayId": name, "type": "BRANCH"}, "toHash": sha, "type": "ADD"}
        for name, sha in zip(branches, (ONE, TWO), strict=False)
    ]
    repository = {"slug": "shop", "project": {"key": "ACME"}}
    listed = {"commits": list(commits)} if commits else {}
    return {"eventKey": "repo:refs_changed", "date": MADE, "repository": repository, "changes": changes} | listed | more


def gitlab(*commits: object, ref: str = "refs/heads/main", **more: Any) -> dict[str, Any]:
    event = {"object_kind": "push", "ref": ref, "project": {"path_with_namespace": "acme/shop"}, "commits": list(commits)}
    return event | more


HOSTS = {
    "GitHub": (github, "id", "timestamp"),
    "Bitbucket Cloud": (bitbucket_cloud, "hash", "date"),
    "Bitbucket Data Center": (data_center, "id", "committerTimestamp"),
    "GitLab": (gitlab, "id", "timestamp"),
}
every_host = pytest.mark.parametrize(("push", "sha", "time"), HOSTS.values(), ids=HOSTS)


# Every host


@every_host
def test_a_push_of_every_host(push: Callable[..., dict[str, Any]], sha: str, time: str) -> None:
    made = MADE_MS if push is data_center else MADE
    found = read(push({sha: ONE.upper(), "message": "OPS-1 fix\n\nlong story, see OPS-2", time: made}))
    repository = "ACME/shop" if push is data_center else "acme/shop"
    assert found.commits == (Commit(ONE, repository, "OPS-1 fix", MADE_AT, ("OPS-1", "OPS-2")),)
    assert (found.unusable, found.left_out) == (0, 0)


@every_host
@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize(
    "odd", [{}, None, "text", {"sha": "not a hash"}, {"sha": 7}, {"message": None}, {"message": ["OPS-1"]}]
)
def test_an_unusable_commit_loses_no_other_wherever_it_is(
    push: Callable[..., dict[str, Any]], sha: str, time: str, place: int, odd: dict[str, object] | str | None
) -> None:
    commits: list[object] = [{sha: ONE, "message": "OPS-1", time: MADE}, {sha: TWO, "message": "OPS-2", time: MADE}]
    if isinstance(odd, dict) and odd:
        odd = {sha: odd.get("sha", "3" * 40), "message": odd.get("message", "OPS-3") if "message" in odd else "OPS-3"}
    commits.insert(place, odd)
    found = read(push(*commits))
    assert [commit.issue_keys for commit in found.commits] == [("OPS-1",), ("OPS-2",)]
    assert found.unusable == 1


@every_host
@pytest.mark.parametrize("odd", [None, "yesterday", "2026-02-01T10:00:00", [], {}, True, 10**30, -1, "0001-01-01T00:00:00Z"])
def test_a_commit_without_a_readable_time_gets_another_one(
    push: Callable[..., dict[str, Any]], sha: str, time: str, odd: Any
) -> None:
    (found,) = read(push({sha: ONE, "message": "OPS-1", time: odd})).commits
    assert found.committed_at == (MADE_AT if push is data_center else RECEIVED_AT)  # the date of the push, or the receipt


@every_host
@pytest.mark.parametrize("number", [MADE_MS, MADE_MS // 1000, float(MADE_MS // 1000)], ids=["ms", "s", "float"])
def test_a_numeric_time_is_read(push: Callable[..., dict[str, Any]], sha: str, time: str, number: float) -> None:
    assert read(push({sha: ONE, "message": "OPS-1", time: number})).commits[0].committed_at == MADE_AT


@every_host
def test_half_a_surrogate_pair_is_replaced(push: Callable[..., dict[str, Any]], sha: str, time: str) -> None:
    (found,) = read(push({sha: ONE, "message": "OPS-1 \ud83d \ud83d\ude00", time: MADE})).commits
    assert (found.title, found.issue_keys) == ("OPS-1 \ufffd \U0001f600", ("OPS-1",))


@every_host
def test_commits_beyond_the_limit_are_counted(push: Callable[..., dict[str, Any]], sha: str, time: str) -> None:
    commits = [{sha: f"{n:039x}f", "message": "OPS-1", time: MADE} for n in range(MAX_COMMITS_PER_PUSH + 3)]
    found = read(push(*commits, **({"changes": []} if push is data_center else {})))
    assert (len(found.commits), found.left_out) == (MAX_COMMITS_PER_PUSH, 3)


def test_words_beyond_the_limit_are_counted() -> None:
    words = " ".join(f"OPS-{number}" for number in range(1, MAX_NAMES_PER_COMMIT + 6))
    found = read(github({"id": ONE, "message": words, "timestamp": MADE}))
    assert (len(found.commits[0].issue_keys), found.left_out) == (MAX_NAMES_PER_COMMIT, 5)


def test_each_branch_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of branches at one commit beside thousands of commits would take minutes otherwise."""
    searched: list[str] = []

    def search(text: str) -> tuple[str, ...]:
        searched.append(text)
        return keys_named(text)

    monkeypatch.setattr(push_reader, "keys_named", search)
    commits = [{"id": f"{number:040x}", "message": "fix"} for number in range(10, 60)]
    changes = [
        {"ref": {"id": f"refs/heads/ops-{number}"}, "toHash": ONE, "type": "ADD"}
        for number in range(1, MAX_NAMES_PER_COMMIT + 4)
    ]
    found = read(data_center(*commits, changes=changes))
    assert len([text for text in searched if "ops-1 " in text]) == 2, "as a branch, and as the title of its commit"
    assert found.left_out == 2 * 3
    assert {len(commit.issue_keys) for commit in found.commits} == {MAX_NAMES_PER_COMMIT}


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b'"text"'])
def test_what_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidInputError):
        git_hosts.read(body, RECEIVED)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"zen": "Keep it logically awesome.", "hook_id": 1},
        {"test": True},
        {"eventKey": "repo:modified", "new": {}},
        {"eventKey": 7},
        {"object_kind": "pipeline"},
        {"object_kind": None},
        {"event_name": "project_create"},
        {"ref": "OPS-1", "ref_type": "branch"},
        {"action": "created", "comment": {}},
    ],
)
def test_an_event_without_commits_is_ignored(event: dict[str, object]) -> None:
    assert read_any(event) == Ignored("the event has no commits")


@pytest.mark.parametrize("value", [None, 7, "text", [], [7], {}, {"changes": 7}, [[]], True])
@pytest.mark.parametrize(
    "name",
    [
        "commits",
        "head_commit",
        "push",
        "pullrequest",
        "pull_request",
        "pullRequest",
        "object_attributes",
        "changes",
        "toCommit",
    ],
)
@pytest.mark.parametrize(
    "host", [{}, {"eventKey": "repo:refs_changed"}, {"object_kind": "push"}, {"object_kind": "merge_request"}]
)
def test_an_object_of_any_shape_is_read_without_an_error(host: dict[str, object], name: str, value: object) -> None:
    read_any({**host, name: value, "repository": value, "project": value, "ref": value, "date": value})


# GitHub


def test_github_branch_names_count_and_tags_do_not() -> None:
    commit = {"id": ONE, "message": "fix", "timestamp": MADE}
    assert read(github(commit, ref="refs/heads/OPS-9-disk")).commits[0].issue_keys == ("OPS-9",)
    assert read(github(commit, ref="refs/tags/OPS-9")).commits[0].issue_keys == ()


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1"])
def test_github_head_commit_of_a_push_without_commits(ref: str) -> None:
    found = read(github(ref=ref, head_commit={"id": TWO, "message": "OPS-1 fix", "timestamp": MADE}))
    assert found.commits == (Commit(TWO, "acme/shop", "OPS-1 fix", MADE_AT, ("OPS-1",)),)


def test_github_new_branch_without_commits() -> None:
    found = read(github(ref="refs/heads/OPS-1-login", created=True, head_commit=None))
    assert found.commits == (Commit(ONE, "acme/shop", "OPS-1-login", RECEIVED_AT, ("OPS-1",)),)


def test_github_deleted_branch() -> None:
    found = read(github(ref="refs/heads/OPS-1", after=NONE, deleted=True, head_commit=None))
    assert (found.commits, found.unusable) == ((), 0)


def test_github_commit_without_a_time_has_that_of_branch_or_push() -> None:
    commit, head = {"id": ONE, "message": "OPS-1"}, {"id": TWO, "message": "x", "timestamp": MADE}
    assert read(github(commit, head_commit=head)).commits[0].committed_at == MADE_AT
    pushed = github(commit, repository={"pushed_at": MADE_MS // 1000})
    assert read(pushed).commits[0].committed_at == MADE_AT


def test_github_pull_request() -> None:
    head = {"sha": ONE, "ref": "OPS-9-disk"}
    event = {"pull_request": {"title": "OPS-7: fix", "updated_at": MADE, "head": head}, "repository": {"full_name": "o/r"}}
    assert read(event).commits == (Commit(ONE, "o/r", "OPS-7: fix", MADE_AT, ("OPS-7", "OPS-9")),)


# Bitbucket Cloud


def test_bitbucket_cloud_new_branch_without_commits() -> None:
    target = {"hash": ONE, "message": "earlier work", "date": MADE}
    found = read(bitbucket_cloud(new={"type": "branch", "name": "ops-1-login", "target": target}))
    assert found.commits == (Commit(ONE, "acme/shop", "earlier work", MADE_AT, ("OPS-1",)),)


def test_bitbucket_cloud_tag_and_deleted_branch() -> None:
    target = {"hash": ONE, "message": "OPS-1", "date": MADE}
    assert read(bitbucket_cloud(new={"type": "tag", "name": "OPS-2", "target": target})).commits[0].issue_keys == ("OPS-1",)
    assert read({"push": {"changes": [{"new": None, "old": {"name": "OPS-1"}, "commits": []}]}}).commits == ()


def test_bitbucket_cloud_commit_without_a_time_has_that_of_the_branch() -> None:
    new = {"type": "branch", "name": "main", "target": {"hash": TWO, "message": "x", "date": MADE}}
    assert read(bitbucket_cloud({"hash": ONE, "message": "OPS-1"}, new=new)).commits[0].committed_at == MADE_AT


def test_bitbucket_cloud_pull_request() -> None:
    source = {"branch": {"name": "OPS-9"}, "commit": {"hash": ONE[:12]}}
    (found,) = read({"pullrequest": {"title": "OPS-7", "updated_on": MADE, "source": source}}).commits
    assert found == Commit(ONE[:12], "unknown", "OPS-7", MADE_AT, ("OPS-7", "OPS-9"))


def test_bitbucket_cloud_pull_request_of_a_deleted_fork_is_unusable() -> None:
    found = read({"pullrequest": {"title": "OPS-7", "updated_on": MADE, "source": {"commit": None, "repository": None}}})
    assert (found.commits, found.unusable) == ((), 1)


# Bitbucket Data Center


def test_data_center_7_lists_refs_only() -> None:
    found = read(data_center(branches=("OPS-1-x", "feature/OPS-2")))
    assert found.commits == (
        Commit(ONE, "ACME/shop", "OPS-1-x", MADE_AT, ("OPS-1",)),
        Commit(TWO, "ACME/shop", "feature/OPS-2", MADE_AT, ("OPS-2",)),
    )


def test_data_center_to_commit_and_branch_link() -> None:
    to_commit = {"id": ONE, "message": "OPS-1 fix", "committerTimestamp": MADE_MS}
    (found,) = read(data_center(branches=("OPS-2-x",), toCommit=to_commit)).commits
    assert (found.title, found.issue_keys) == ("OPS-1 fix", ("OPS-1", "OPS-2"))


def test_data_center_branches_at_one_commit() -> None:
    event = data_center(branches=("OPS-1", "OPS-2"))
    event["changes"][1]["toHash"] = ONE
    assert read(event).commits[0].issue_keys == ("OPS-1", "OPS-2")


def test_data_center_deleted_branch_and_tag() -> None:
    event = data_center(branches=("OPS-1",))
    event["changes"][0] |= {"type": "DELETE", "toHash": NONE}
    event["changes"].append({"ref": {"id": "refs/tags/OPS-2", "type": "TAG"}, "toHash": TWO, "type": "ADD"})
    assert read(event).commits == ()


@pytest.mark.parametrize("event_key", ["pr:opened", "pr:from_ref_updated", "pr:merged"])
def test_data_center_pull_request(event_key: str) -> None:
    source = {"id": "refs/heads/OPS-9", "displayId": "OPS-9", "latestCommit": ONE}
    target = {"repository": {"slug": "shop", "project": {"key": "ACME"}}}
    request = {"title": "OPS-7", "updatedDate": MADE_MS, "fromRef": source, "toRef": target}
    (found,) = read({"eventKey": event_key, "pullRequest": request}).commits
    assert found == Commit(ONE, "ACME/shop", "OPS-7", MADE_AT, ("OPS-7", "OPS-9"))


# GitLab


def test_gitlab_new_branch_without_commits() -> None:
    found = read(gitlab(ref="refs/heads/OPS-1-x", after=ONE, checkout_sha=ONE))
    assert found.commits == (Commit(ONE, "acme/shop", "OPS-1-x", RECEIVED_AT, ("OPS-1",)),)


def test_gitlab_deleted_branch_and_tag() -> None:
    assert read(gitlab(ref="refs/heads/OPS-1", after=NONE, checkout_sha=None)).commits == ()
    tag = gitlab({"id": ONE, "message": "OPS-1", "timestamp": MADE}, ref="refs/tags/OPS-2", object_kind="tag_push")
    assert read(tag).commits[0].issue_keys == ("OPS-1",)


def test_gitlab_merge_request() -> None:
    last = {"id": ONE, "message": "see OPS-3", "timestamp": MADE}
    request = {"title": "OPS-7", "source_branch": "OPS-9", "last_commit": last, "updated_at": "2026-02-02 10:00:00 UTC"}
    event = {"object_kind": "merge_request", "project": {"path_with_namespace": "a/b"}, "object_attributes": request}
    assert read(event).commits == (Commit(ONE, "a/b", "OPS-7", MADE_AT, ("OPS-7", "OPS-9", "OPS-3")),)
    del last["timestamp"]
    assert read(event).commits[0].committed_at == "2026-02-02T10:00:00.000000Z"
