"""GitHub's events ``push`` and ``pull_request``.

Source: https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts.reading import Reading, branch_of, items, obj, text


def read(event: Mapping[str, Any], received_at: datetime) -> Push | None:
    """The commits of an event; None if it is of another kind."""
    reading = Reading(text(obj(event, "repository"), "full_name"), received_at)
    if "pull_request" in event:
        request = obj(event, "pull_request")
        head = obj(request, "head")
        reading.add(head.get("sha"), text(request, "title"), request.get("updated_at"), branch=text(head, "ref"))
    elif "commits" in event or "head_commit" in event:
        _read_push(event, reading)
    else:
        return None
    return reading.push()


def _read_push(event: Mapping[str, Any], reading: Reading) -> None:
    branch = branch_of(text(event, "ref"))
    head, pushed_at = obj(event, "head_commit"), obj(event, "repository").get("pushed_at")
    tip_time = head.get("timestamp")
    for commit in items(event, "commits"):
        reading.add(commit.get("id"), text(commit, "message"), commit.get("timestamp"), tip_time, pushed_at, branch=branch)
    # A tag, or a new branch at a commit that was pushed before, lists no commits.
    reading.add_tip(head.get("id"), text(head, "message"), tip_time, pushed_at, branch=branch)
    if event.get("created") is True and not head:
        reading.add_tip(event.get("after"), None, pushed_at, branch=branch)
