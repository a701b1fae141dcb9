"""GitHub's events ``push`` and ``pull_request``.

Source: https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts.push_reader import PushReader, branch_of, entries, text
from lib.platform.fields import object_at


def read(event: Mapping[str, Any], received_at: datetime) -> Push | None:
    """The commits of an event; None for another event."""
    reader = PushReader(text(object_at(event, "repository"), "full_name"), received_at)
    if "pull_request" in event:
        request = object_at(event, "pull_request")
        head = object_at(request, "head")
        reader.add(head.get("sha"), text(request, "title"), request.get("updated_at"), branch=text(head, "ref"))
    elif "commits" in event or "head_commit" in event:
        _read_push(event, reader)
    else:
        return None
    return reader.push()


def _read_push(event: Mapping[str, Any], reader: PushReader) -> None:
    branch = branch_of(text(event, "ref"))
    head, pushed_at = object_at(event, "head_commit"), object_at(event, "repository").get("pushed_at")
    tip_time = head.get("timestamp")
    for commit in entries(event, "commits"):
        reader.add(commit.get("id"), text(commit, "message"), commit.get("timestamp"), tip_time, pushed_at, branch=branch)
    # A tag, or a new branch at a commit that was pushed before, lists no commits.
    reader.add_tip(head.get("id"), text(head, "message"), tip_time, pushed_at, branch=branch)
    if event.get("created") is True and not head:
        reader.add_tip(event.get("after"), None, pushed_at, branch=branch)
