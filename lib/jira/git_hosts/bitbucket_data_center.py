"""The events ``repo:refs_changed`` and ``pr:*`` of Bitbucket Data Center.

Version 8 lists the commits of a push; version 7 lists the changed refs only.
Source: https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts.reading import Reading, branch_of, items, obj, text


def read(event: Mapping[str, Any], received_at: datetime) -> Push | None:
    """The commits of an event; None if it is of another kind."""
    if "pullRequest" in event:
        request = obj(event, "pullRequest")
        source = obj(request, "fromRef")
        reading = Reading(_repository(obj(request, "toRef", "repository")), received_at)
        times = request.get("updatedDate"), event.get("date")
        branch = branch_of(text(source, "id")) or text(source, "displayId")
        reading.add(source.get("latestCommit"), text(request, "title"), *times, branch=branch)
    elif "changes" in event or "commits" in event:
        reading = Reading(_repository(obj(event, "repository")), received_at)
        _read_push(event, reading)
    else:
        return None
    return reading.push()


def _read_push(event: Mapping[str, Any], reading: Reading) -> None:
    tips = _tips(event)
    # The event does not say which commit is of which branch, unless there is one branch only.
    only = next(iter(tips.values())) if len(tips) == 1 else None
    pushed_at, to_commit = event.get("date"), obj(event, "toCommit")
    for commit in items(event, "commits"):
        branch = tips.get(str(commit.get("id")), only)
        reading.add(commit.get("id"), text(commit, "message"), *_times(commit), *_times(to_commit), pushed_at, branch=branch)
    tip = to_commit.get("id")
    reading.add_tip(tip, text(to_commit, "message"), *_times(to_commit), pushed_at, branch=tips.get(str(tip), only))
    for sha, branch in tips.items():
        reading.add_tip(sha, None, pushed_at, branch=branch)


def _tips(event: Mapping[str, Any]) -> dict[str, str]:
    """The commits that the changed branches point to now, and the names of the branches at each."""
    tips: dict[str, list[str]] = {}
    for change in items(event, "changes"):
        branch = branch_of(text(obj(change, "ref"), "id") or text(change, "refId"))
        if branch is not None and change.get("type") != "DELETE":
            tips.setdefault(str(change.get("toHash")), []).append(branch)
    return {sha: " ".join(branches) for sha, branches in tips.items()}


def _times(commit: Mapping[str, Any]) -> tuple[object, ...]:
    return commit.get("committerTimestamp"), commit.get("authorTimestamp")


def _repository(repository: Mapping[str, Any]) -> str | None:
    slug, project = text(repository, "slug"), text(obj(repository, "project"), "key")
    return f"{project}/{slug}" if slug and project else slug
