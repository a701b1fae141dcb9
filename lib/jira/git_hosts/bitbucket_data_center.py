"""The events ``repo:refs_changed`` and ``pr:*`` of Bitbucket Data Center.

Version 8 lists the commits of a push; version 7 lists the changed refs only.
Source: https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts.push_reader import PushReader, branch_of, entries, text
from lib.platform.fields import object_at


def read(event: Mapping[str, Any], received_at: datetime) -> Push | None:
    """The commits of an event; None for another event."""
    if "pullRequest" in event:
        request = object_at(event, "pullRequest")
        source = object_at(request, "fromRef")
        reader = PushReader(_repository(object_at(request, "toRef", "repository")), received_at)
        times = request.get("updatedDate"), event.get("date")
        branch = branch_of(text(source, "id")) or text(source, "displayId")
        reader.add(source.get("latestCommit"), text(request, "title"), *times, branch=branch)
    elif "changes" in event or "commits" in event:
        reader = PushReader(_repository(object_at(event, "repository")), received_at)
        _read_push(event, reader)
    else:
        return None
    return reader.push()


def _read_push(event: Mapping[str, Any], reader: PushReader) -> None:
    tips = _tips(event)
    # The event does not say which commit is of which branch, unless there is one branch only.
    only = next(iter(tips.values())) if len(tips) == 1 else None
    pushed_at, to_commit = event.get("date"), object_at(event, "toCommit")
    for commit in entries(event, "commits"):
        branch = tips.get(str(commit.get("id")), only)
        reader.add(commit.get("id"), text(commit, "message"), *_times(commit), *_times(to_commit), pushed_at, branch=branch)
    tip = to_commit.get("id")
    reader.add_tip(tip, text(to_commit, "message"), *_times(to_commit), pushed_at, branch=tips.get(str(tip), only))
    for sha, branch in tips.items():
        reader.add_tip(sha, None, pushed_at, branch=branch)


def _tips(event: Mapping[str, Any]) -> dict[str, str]:
    """The commits that the changed branches point to now, and the names of the branches at each."""
    tips: dict[str, list[str]] = {}
    for change in entries(event, "changes"):
        branch = branch_of(text(object_at(change, "ref"), "id") or text(change, "refId"))
        if branch is not None and change.get("type") != "DELETE":
            tips.setdefault(str(change.get("toHash")), []).append(branch)
    return {sha: " ".join(branches) for sha, branches in tips.items()}


def _times(commit: Mapping[str, Any]) -> tuple[object, ...]:
    return commit.get("committerTimestamp"), commit.get("authorTimestamp")


def _repository(repository: Mapping[str, Any]) -> str | None:
    slug, project = text(repository, "slug"), text(object_at(repository, "project"), "key")
    return f"{project}/{slug}" if slug and project else slug
