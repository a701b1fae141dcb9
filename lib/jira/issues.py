"""An issue as the store knows it: its key, its fields, and the stamp that says which of two states is the later one.

Nothing here does input or output.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.platform import clock, errors
from lib.platform import fields as payload

# Jira Cloud: capitals, digits and underscores, a capital first (https://support.atlassian.com/jira-cloud-administration/
# docs/edit-a-projects-details/). Bounded, so that a key is always a storable key.
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,79}-[1-9][0-9]{0,17}", re.ASCII)
_PROJECT_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,79}", re.ASCII)

MAX_FIX_VERSIONS = 200
"""The first ones are kept: each takes a row of the fix-version index (docs/adr/0023)."""

# Jira's own limits are 255 characters for each of these; 4 bytes a character at most. A sort key holds 1024 bytes, and a
# version's name stands in one behind "FIXVERSION#".
_MAX_NAME_BYTES = 1000
_MAX_SUMMARY_BYTES = 4000


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """Which of two states of an issue is the later one: a total order, so that "keep the later" has one outcome.

    Attributes:
        version_at: canonical time of the state in Jira's own terms: ``fields.updated``, or the time of a deletion.
        event_at: when Jira sent the event, in ms since the epoch. Decides between events with the same ``updated``.
        idempotency_key: decides between events of the same millisecond: arbitrary, and the same everywhere.
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
    """What one delivery says about one key: at ``stamp`` the issue was so, or was gone (``deleted``).

    ``snapshot`` is the JSON it came from, kept with the version; empty where another row keeps it.
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
        raise errors.InvalidInputError("the issue's key is not a text")
    if not _KEY.fullmatch(value):
        raise errors.InvalidInputError(f"{value[:40]!a} is not an issue key")
    return value


def is_issue_key(value: object) -> bool:
    """Whether ``value`` has the shape of an issue key."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def project_key(value: str) -> str:
    """``value`` itself, if it has the shape of a project key.

    Raises:
        InvalidInputError: it has not. What passes can be put into JQL between quotes.
    """
    if not _PROJECT_KEY.fullmatch(value):
        raise errors.InvalidInputError(f"{value[:40]!a} is not a project key")
    return value


def split_key(key: str) -> tuple[str, int]:
    """Project key and issue number of a valid issue key."""
    project, _, number = key.rpartition("-")
    return project, int(number)


def read_fields(fields: Mapping[str, Any]) -> IssueFields:
    """The fields that count, of the ``fields`` object of an issue.

    A field that is absent or malformed is empty, since one odd field must not lose the issue. A longer text than Jira allows
    is cut, and of more than :data:`MAX_FIX_VERSIONS` versions the first ones are kept.
    """
    versions = (
        payload.text_at(version, "name", max_bytes=_MAX_NAME_BYTES) for version in payload.objects_at(fields, "fixVersions")
    )
    assignee = payload.object_at(fields, "assignee")
    # Cloud has accountId; Server has name, and key where the two differ.
    accounts = (payload.text_at(assignee, name, max_bytes=_MAX_NAME_BYTES) for name in ("accountId", "name", "key"))
    return IssueFields(
        summary=payload.text_at(fields, "summary", max_bytes=_MAX_SUMMARY_BYTES),
        status=payload.text_at(payload.object_at(fields, "status"), "name", max_bytes=_MAX_NAME_BYTES),
        assignee=next((account for account in accounts if account), None),
        assignee_name=payload.text_at(assignee, "displayName", max_bytes=_MAX_NAME_BYTES),
        fix_versions=tuple(dict.fromkeys(name for name in versions if name))[:MAX_FIX_VERSIONS],
    )


def read_updated(fields: Mapping[str, Any]) -> datetime | None:
    """``fields.updated`` as an instant; None if it is absent or not one, which marks the fields as incomplete.

    Jira writes a time with an offset; Jira Automation may write milliseconds since the epoch.
    """
    milliseconds = payload.epoch_ms_at(fields, "updated", earliest=clock.FIRST_EPOCH_MS)
    if milliseconds is not None:
        return clock.from_epoch_ms(milliseconds)
    text = fields.get("updated")
    try:
        return clock.parse(text.strip()) if isinstance(text, str) else None
    except ValueError:
        return None
