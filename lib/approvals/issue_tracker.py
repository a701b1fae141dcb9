"""What creating an issue needs from Jira: the marker by which the issue is found again, its fields, and two calls.

``POST /issue`` has no idempotency key (docs/adr/0041). So every issue has a marker that is derived from the draft alone: a
label, which can be searched for, and an issue property, which people don't see and which a copy of the issue does not have.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lib.approvals import adf, drafts
from lib.approvals.drafts import Draft
from lib.approvals.records import Approval
from lib.platform import clock

PROPERTY_KEY = "switchboard.operation"
LABEL_PREFIX = "switchboard-"


@dataclass(frozen=True, slots=True)
class Marker:
    """Identifies the issue of a draft.

    Attributes:
        label: unique to the session and draft: 128 bits of SHA-256.
        session_id, draft_hash: of the draft, for the property.
    """

    label: str
    session_id: str
    draft_hash: str

    def value(self) -> dict[str, str]:
        """The value of the issue property :data:`PROPERTY_KEY`."""
        return {"marker": self.label, "session_id": self.session_id, "draft_hash": self.draft_hash}


@dataclass(frozen=True, slots=True)
class FoundIssue:
    """An issue with a marker's label. If ``has_property`` is False, it is probably a copy that a person made."""

    key: str
    has_property: bool


class IssueTracker(Protocol):
    """The calls to Jira that creating an issue needs."""

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        """Create an issue with ``fields`` and ``marker``, with one request and no retry. Returns its key.

        Raises:
            PermanentError: Jira refused (400, 401, 403, 404): nothing was created.
            RetryableError: nothing was created, and the same may work later (429, no connection).
            AmbiguousError: it may have been created (timeout, broken connection, 5xx, an answer that can't be read).
        """

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        """The issues with the marker's label that Jira's search finds. A new issue may appear there after minutes.

        Raises:
            SwitchboardError: the search failed; retryable, permanent or ambiguous.
        """


def marker_of(session_id: str, draft_hash: str) -> Marker:
    """The marker of a draft's issue."""
    digest = hashlib.sha256(drafts.button_value(session_id, draft_hash).encode()).hexdigest()
    return Marker(LABEL_PREFIX + digest[:32], session_id, draft_hash)


def issue_fields(draft: Draft, marker: Marker, approval: Approval) -> dict[str, Any]:
    """The ``fields`` of ``POST /rest/api/3/issue`` for a draft."""
    footer = (
        f"Requested by {draft.requested_by}, approved by {approval.decided_by} in Slack on {clock.for_people(approval.at)}. "
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
    """The created issue among those with a marker's label: the oldest that has the property, or else the oldest.

    A copy may have the label, so the choice must not depend on the order of the search.
    """
    return min(found, key=lambda issue: (not issue.has_property, _number(issue.key), issue.key), default=None)


def _number(key: str) -> int:
    number = key.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


class DryRun:
    """A tracker that creates nothing: it returns the key ``PROJ-DRY<n>``, the same for the same draft.

    Args:
        tracker: searches for the marker.
    """

    def __init__(self, tracker: IssueTracker) -> None:
        self._tracker = tracker

    def create_issue(self, fields: Mapping[str, Any], marker: Marker) -> str:
        """A key that no issue has."""
        return f"{fields['project']['key']}-DRY{int(marker.draft_hash[:6], 16)}"

    def find_by_marker(self, marker: Marker) -> Sequence[FoundIssue]:
        """The issues with the marker, created before the dry run."""
        return self._tracker.find_by_marker(marker)


def is_dry(jira_key: str) -> bool:
    """Whether a dry run returned this key."""
    return jira_key.rpartition("-")[2].startswith("DRY")
