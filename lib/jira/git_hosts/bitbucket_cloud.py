"""The events ``repo:push`` and ``pullrequest:*`` of Bitbucket Cloud.

Source: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts.reading import Reading, items, obj, text


def read(event: Mapping[str, Any], received_at: datetime) -> Push:
    """The commits of an event."""
    reading = Reading(text(obj(event, "repository"), "full_name"), received_at)
    if "pullrequest" in event:
        request = obj(event, "pullrequest")
        sha, branch = obj(request, "source", "commit").get("hash"), text(obj(request, "source", "branch"), "name")
        reading.add(sha, text(request, "title"), request.get("updated_on"), branch=branch)
    for change in items(obj(event, "push"), "changes"):
        _read_change(change, reading)
    return reading.push()


def _read_change(change: Mapping[str, Any], reading: Reading) -> None:
    new = obj(change, "new")  # null if a branch or tag was deleted
    branch = text(new, "name") if new.get("type") == "branch" else None
    target = obj(new, "target")
    for commit in items(change, "commits"):
        reading.add(commit.get("hash"), text(commit, "message"), commit.get("date"), target.get("date"), branch=branch)
    reading.add_tip(target.get("hash"), text(target, "message"), target.get("date"), branch=branch)
