"""GitLab's events ``push``, ``tag_push`` and ``merge_request``. GitLab lists at most 20 commits of a push.

Source: https://docs.gitlab.com/user/project/integrations/webhook_events
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts.reading import Reading, branch_of, items, obj, text


def read(event: Mapping[str, Any], received_at: datetime) -> Push | None:
    """The commits of an event; None if it is of another kind."""
    reading = Reading(text(obj(event, "project"), "path_with_namespace"), received_at)
    kind = text(event, "object_kind") or text(event, "event_name")
    if kind == "merge_request":
        _read_merge_request(obj(event, "object_attributes"), reading)
    elif kind in {"push", "tag_push"}:
        _read_push(event, reading)
    else:
        return None
    return reading.push()


def _read_merge_request(request: Mapping[str, Any], reading: Reading) -> None:
    last = obj(request, "last_commit")
    times = last.get("timestamp"), request.get("updated_at")
    reading.add(last.get("id"), text(request, "title"), *times, branch=text(request, "source_branch"))
    reading.add_tip(last.get("id"), text(last, "message"), *times)


def _read_push(event: Mapping[str, Any], reading: Reading) -> None:
    branch = branch_of(text(event, "ref"))
    for commit in items(event, "commits"):
        reading.add(commit.get("id"), text(commit, "message"), commit.get("timestamp"), branch=branch)
    # A new branch at a commit that was pushed before lists no commits. `after` of a tag may be the hash of the tag itself.
    reading.add_tip(event.get("checkout_sha") or event.get("after"), None, branch=branch)
