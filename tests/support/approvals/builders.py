"""Drafts and rows, with only what a test says about them."""

from datetime import UTC, datetime
from typing import Any

from lib.approvals import drafts
from lib.approvals.drafts import Draft
from lib.approvals.repository import ApprovalStore

NOON = datetime(2026, 1, 22, 12, tzinfo=UTC)
PLACE = {"channel": "C1", "message_ts": "1.0"}
"""The message of a preview, as a click names it."""


def draft_json(**given: Any) -> dict[str, Any]:
    """A draft as it is submitted."""
    return {
        "session_id": "sess-1",
        "title": "Refuse uploads that are too large",
        "problem": "An upload of 2 GB stops the importer for everybody.",
        "project": "PROJ",
        "requested_by": "U0REQUEST",
        **given,
    }


def make_draft(**given: Any) -> Draft:
    """A draft that was read."""
    return drafts.read_draft(draft_json(**given))


def show_whole(store: ApprovalStore, of_hash: str, session_id: str = "sess-1") -> None:
    """Record the draft's preview as posted whole at :data:`PLACE`, so that its buttons count."""
    assert store.set_preview(session_id, of_hash, *PLACE.values())
    store.open_preview(session_id, of_hash, *PLACE.values())
