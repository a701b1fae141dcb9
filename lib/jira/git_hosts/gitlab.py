"""GitLab's events ``push``, ``tag_push`` and ``merge_request``. GitLab lists at most 20 commits of a push.

Source: https://docs.gitlab.com/user/project/integrations/webhook_events
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts.push_reader import PushReader, branch_of, entries, text
from lib.platform.fields import object_at


def read(event: Mapping[str, Any], received_at: datetime) -> Push | None:
    """The commits of an event; None for another event."""
    reader = PushReader(text(object_at(event, "project"), "path_with_namespace"), received_at)
    kind = text(event, "object_kind") or text(event, "event_name")
    if kind == "merge_request":
        _read_merge_request(object_at(event, "object_attributes"), reader)
    elif kind in {"push", "tag_push"}:
        _read_push(event, reader)
    else:
        return None
    return reader.push()


def _read_merge_request(request: Mapping[str, Any], reader: PushReader) -> None:
    last = object_at(request, "last_commit")
    times = last.get("timestamp"), request.get("updated_at")
    reader.add(last.get("id"), text(request, "title"), *times, branch=text(request, "source_branch"))
    reader.add_tip(last.get("id"), text(last, "message"), *times)


def _read_push(event: Mapping[str, Any], reader: PushReader) -> None:
    branch = branch_of(text(event, "ref"))
    for commit in entries(event, "commits"):
        reader.add(commit.get("id"), text(commit, "message"), commit.get("timestamp"), branch=branch)
    # A new branch at a commit that was pushed before lists no commits. `after` of a tag may be the hash of the tag itself.
    reader.add_tip(event.get("checkout_sha") or event.get("after"), None, branch=branch)
