"""What creating an issue needs of Jira: the Marker by which an issue is found again, the fields, and the two calls.

``POST /issue`` has no idempotency key (docs/adr/0041). So every issue bears a marker that follows from the draft alone: a
label, which can be searched for, and an issue property, which people don't see and copying an issue leaves behind.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lib.approvals import adf, drafts
from lib.approvals.drafts import Draft
from lib.platform import clock

PROPERTY_KEY = "switchboard.operation"
LABEL_PREFIX = "switchboard-"


@dataclass(frozen=True, slots=True)
class Marker:
    """What ties an issue to the draft it was created from.

    Attributes:
        label: the same for the same session and draft, and no other's: 128 bits of SHA-256.
        session_id, draft_hash: in full, for the property.
    """

    label: str
    session_id: str
    draft_hash: str

    def value(self) -> dict[str, str]:
        """The value of the issue property :data:`PROPERTY_KEY`."""
        return {"marker": self.label, "session_id": self.session_id, "draft_hash": self.draft_hash}


@dataclass(frozen=True, slots=True)
class FoundIssue:
    """An issue that bears a marker's label. ``has_property`` is False for a copy that a person made of it, most likely."""

    key: str
    has_property: bool


class IssueTracker(Protocol):
    """Jira, as far as creating an issue needs it."""

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        """Create an issue that bears ``marker`` besides ``fields``, with one request and no retry; its key.

        Raises:
            PermanentError: Jira refused clearly (400, 401, 403, 404): nothing was created.
            RetryableError: nothing was created, and the same may work later (429, no connection).
            AmbiguousError: it may have been created (timeout, broken connection, 5xx, an answer that can't be read).
        """

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        """The issues that bear the marker's label, as far as Jira's search knows by now.

        Raises:
            SwitchboardError: the search failed; retryable, permanent or ambiguous.
        """


def marker_of(session_id: str, draft_hash: str) -> Marker:
    """The marker of a draft's issue."""
    digest = hashlib.sha256(drafts.button_value(session_id, draft_hash).encode()).hexdigest()
    return Marker(LABEL_PREFIX + digest[:32], session_id, draft_hash)


def issue_fields(draft: Draft, marker: Marker, approved_by: str, approved_at: datetime) -> dict[str, Any]:
    """The ``fields`` of ``POST /rest/api/3/issue`` for a draft."""
    footer = (
        f"Requested by {draft.requested_by}, approved by {approved_by} in Slack on {clock.for_people(approved_at)}. "
        f"Switchboard session {draft.session_id}."
    )
    fields: dict[str, Any] = {
        "project": {"key": draft.project},
        "issuetype": {"name": draft.issue_type},
        "summary": draft.title,
        "description": adf.description(draft, footer),
        "labels": [marker.label],
    }
    if draft.epic:
        fields["parent"] = {"key": draft.epic}
    return fields


def choose(found: Sequence[FoundIssue]) -> FoundIssue | None:
    """Which of the issues with a marker's label is the one that was created: one with the property before one without, and
    of those the oldest. A copy may have the label, so the choice must not depend on the order of the search."""
    return min(found, key=lambda issue: (not issue.has_property, _number(issue.key), issue.key), default=None)


def _number(key: str) -> int:
    number = key.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


class DryRun:
    """A tracker that creates nothing: it makes up the key ``PROJ-DRY<n>``, the same for the same draft.

    Args:
        tracker: what looks for the marker, as in earnest.
    """

    def __init__(self, tracker: IssueTracker) -> None:
        self._tracker = tracker

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        """A key; no request is made."""
        return f"{fields['project']['key']}-DRY{int(marker.draft_hash[:6], 16)}"

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        """The issues that bear the marker, created in earnest before."""
        return self._tracker.find_by_marker(marker)


def is_dry(jira_key: str) -> bool:
    """Whether the key is one that a dry run made up."""
    return jira_key.rpartition("-")[2].startswith("DRY")
