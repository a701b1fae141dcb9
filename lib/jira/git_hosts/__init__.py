"""The webhooks of Git hosts: GitHub, Bitbucket Cloud, Bitbucket Data Center and GitLab, identified by their bodies.

The body is signed and the headers are not, so the body decides. A JSON object is never refused: unneeded members are ignored,
unusable commits are counted, and an event without commits is ignored with a reason. Pure.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.jira.commits import Push
from lib.jira.git_hosts import bitbucket_cloud, bitbucket_data_center, github, gitlab
from lib.jira.webhooks import Ignored
from lib.platform.fields import read_object


def read(body: bytes, received_at: datetime) -> Push | Ignored:
    """Read a webhook of a Git host.

    Args:
        body: as received, its signature checked.
        received_at: used for commits without a time.

    Raises:
        InvalidInputError: the body is not a JSON object.
    """
    return _read(read_object(body), received_at) or Ignored("the event has no commits")  # a ping, for one


def _read(event: Mapping[str, Any], received_at: datetime) -> Push | None:
    if "eventKey" in event:
        return bitbucket_data_center.read(event, received_at)
    if "object_kind" in event or "event_name" in event:
        return gitlab.read(event, received_at)
    if "push" in event or "pullrequest" in event:
        return bitbucket_cloud.read(event, received_at)
    return github.read(event, received_at)
