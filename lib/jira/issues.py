"""An issue in the store: its key, its fields, and the stamp that orders its states. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.platform import clock, errors
from lib.platform.fields import epoch_ms_at, object_at, objects_at, text_at

# Jira Cloud: capitals, digits and underscores, a capital first (https://support.atlassian.com/jira-cloud-administration/
# docs/edit-a-projects-details/). Bounded, so that a key is always a storable key.
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,79}-[1-9][0-9]{0,17}", re.ASCII)
_PROJECT_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,79}", re.ASCII)

MAX_FIX_VERSIONS = 200
"""More are dropped: each takes a row of the fix-version index (docs/adr/0023)."""

# Jira's own limits are 255 characters for each of these; at most 4 bytes per character. A sort key has at most 1024 bytes;
# the name of a version is in one, after "FIXVERSION#".
_MAX_NAME_BYTES = 1000
_MAX_SUMMARY_BYTES = 4000


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """Orders the states of an issue. The order is total, so that "keep the later" has one outcome.

    Attributes:
        version_at: canonical time of the state in Jira's own terms: ``fields.updated``, or the time of a deletion.
        event_at: when Jira sent the event, in ms since the epoch. Decides between events with the same ``updated``.
        idempotency_key: decides between events of the same millisecond, arbitrarily but always in the same way.
    """

    version_at: str
    event_at: int
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class IssueFields:
    """The fields that can be searched and shown. ``assignee`` is the account's id (Cloud) or name (Server)."""

    summary: str | None = None
    status: str | None = None
    assignee: str | None = None
    assignee_name: str | None = None
    fix_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What one delivery reports about one key: the state of the issue at ``stamp``, or its deletion.

    ``snapshot`` is the JSON of the delivery; empty if another row keeps it.
    """

    issue_key: str
    issue_id: str | None
    stamp: Stamp
    event_type: str
    fields: IssueFields
    deleted: bool = False
    moved_to: str | None = None
    snapshot: str = ""


def issue_key(value: object) -> str:
    """``value`` itself, if it has the shape of an issue key.

    Raises:
        InvalidInputError: it has not.
    """
    if value is None or value == "":
        raise errors.InvalidInputError("the issue has no key")
    if not isinstance(value, str):
        raise errors.InvalidInputError("the issue's key is not a string")
    if not _KEY.fullmatch(value):
        raise errors.InvalidInputError(f"{value[:40]!a} is not an issue key")
    return value


def is_issue_key(value: object) -> bool:
    """Whether ``value`` has the shape of an issue key."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def project_key(value: str) -> str:
    """``value`` itself, if it has the shape of a project key.

    Raises:
        InvalidInputError: it has not. A valid key can be quoted in JQL.
    """
    if not _PROJECT_KEY.fullmatch(value):
        raise errors.InvalidInputError(f"{value[:40]!a} is not a project key")
    return value


def split_key(key: str) -> tuple[str, int]:
    """Project key and issue number of a valid issue key."""
    project, _, number = key.rpartition("-")
    return project, int(number)


def read_fields(fields: Mapping[str, Any]) -> IssueFields:
    """Read the ``fields`` object of an issue.

    An absent or malformed field is empty, since one odd field must not lose the issue. A text that is longer than Jira allows
    is cut, and versions after the first :data:`MAX_FIX_VERSIONS` are dropped.
    """
    versions = (text_at(version, "name", max_bytes=_MAX_NAME_BYTES) for version in objects_at(fields, "fixVersions"))
    assignee = object_at(fields, "assignee")
    # Cloud has accountId; Server has name, and key where the two differ.
    accounts = (text_at(assignee, name, max_bytes=_MAX_NAME_BYTES) for name in ("accountId", "name", "key"))
    return IssueFields(
        summary=text_at(fields, "summary", max_bytes=_MAX_SUMMARY_BYTES),
        status=text_at(object_at(fields, "status"), "name", max_bytes=_MAX_NAME_BYTES),
        assignee=next((account for account in accounts if account), None),
        assignee_name=text_at(assignee, "displayName", max_bytes=_MAX_NAME_BYTES),
        fix_versions=tuple(dict.fromkeys(name for name in versions if name))[:MAX_FIX_VERSIONS],
    )


def read_updated(fields: Mapping[str, Any]) -> datetime | None:
    """``fields.updated`` as an instant; None if it is absent or unreadable.

    Jira writes a time with an offset; Jira Automation may write milliseconds since the epoch.
    """
    milliseconds = epoch_ms_at(fields, "updated", earliest=clock.FIRST_EPOCH_MS)
    if milliseconds is not None:
        return clock.from_epoch_ms(milliseconds)
    text = fields.get("updated")
    try:
        return clock.parse(text.strip()) if isinstance(text, str) else None
    except ValueError:
        return None
