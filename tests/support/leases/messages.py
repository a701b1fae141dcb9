"""Messages to build tests from."""

from datetime import UTC, datetime
from typing import Any

from lib.leases.enrichment import Enrichment, Reason, Status
from lib.leases.events import read_event
from lib.leases.records import read_lease
from lib.notifications.links import Console
from lib.notifications.message import Message, compose
from tests.support.leases.builders import lease_event, lease_item

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
CONSOLE = "https://sandbox.example.org/console"
NOT_ENRICHED = Enrichment(Status.SKIPPED, Reason.CIRCUIT_OPEN)


def enriched(status: str = "Active", /, **changes: Any) -> Enrichment:
    """The enrichment with a whole record of that status; ``changes`` are attribute values by name."""
    return Enrichment(Status.ENRICHED, lease=read_lease(lease_item(status, **changes)), fingerprint="f", latency_ms=1.0)


def message(
    detail_type: str = "LeaseExpired",
    detail: Any = None,
    enrichment: Enrichment = NOT_ENRICHED,
    console_url: str = CONSOLE,
    lease_path: str = "",
    **parts: Any,
) -> Message:
    """The message of an event, as of ``NOW``."""
    return compose(read_event(lease_event(detail_type, detail, **parts)), enrichment, Console(console_url, lease_path), NOW)


def facts(composed: Message) -> dict[str, str]:
    """What a message says, by label."""
    return dict(composed.facts)
