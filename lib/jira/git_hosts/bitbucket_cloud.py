"""The events ``repo:push`` and ``pullrequest:*`` of Bitbucket Cloud.

Source: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts.push_reader import PushReader, entries, text
from lib.platform.fields import object_at


def read(event: Mapping[str, Any], received_at: datetime) -> Push:
    """The commits of an event."""
    reader = PushReader(text(object_at(event, "repository"), "full_name"), received_at)
    if "pullrequest" in event:
        request = object_at(event, "pullrequest")
        sha, branch = object_at(request, "source", "commit").get("hash"), text(object_at(request, "source", "branch"), "name")
        reader.add(sha, text(request, "title"), request.get("updated_on"), branch=branch)
    for change in entries(object_at(event, "push"), "changes"):
        _read_change(change, reader)
    return reader.push()


def _read_change(change: Mapping[str, Any], reader: PushReader) -> None:
    new = object_at(change, "new")  # null if a branch or tag was deleted
    branch = text(new, "name") if new.get("type") == "branch" else None
    target = object_at(new, "target")
    for commit in entries(change, "commits"):
        reader.add(commit.get("hash"), text(commit, "message"), commit.get("date"), target.get("date"), branch=branch)
    reader.add_tip(target.get("hash"), text(target, "message"), target.get("date"), branch=branch)
