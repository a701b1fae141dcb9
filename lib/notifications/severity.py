"""How urgent each event type is. Imports only what the stack may import too."""

from collections.abc import Mapping
from enum import StrEnum

from lib.leases.events import EventType


class Severity(StrEnum):
    """How urgent an event is for people."""

    INFO = "info"
    """Nobody needs to do anything."""
    WARNING = "warning"
    """The owner loses access, or will, or something failed that can be repeated."""
    CRITICAL = "critical"
    """An administrator must act, or money is spent beyond the budget."""


_SEVERITIES: Mapping[str, Severity] = {
    EventType.LEASE_BUDGET_THRESHOLD_ALERT: Severity.WARNING,
    EventType.LEASE_DURATION_THRESHOLD_ALERT: Severity.WARNING,
    EventType.LEASE_FREEZING_THRESHOLD_ALERT: Severity.WARNING,
    EventType.LEASE_EXPIRED: Severity.WARNING,
    EventType.LEASE_TERMINATED: Severity.WARNING,
    EventType.LEASE_FROZEN: Severity.WARNING,
    EventType.BLUEPRINT_DEPLOYMENT_FAILED: Severity.WARNING,
    EventType.GROUP_COST_REPORT_GENERATED_FAILURE: Severity.WARNING,
    EventType.LEASE_BUDGET_EXCEEDED: Severity.CRITICAL,
    EventType.LEASE_PROVISIONING_FAILED: Severity.CRITICAL,
    EventType.ACCOUNT_CLEANUP_FAILED: Severity.CRITICAL,
    EventType.ACCOUNT_QUARANTINED: Severity.CRITICAL,
    EventType.ACCOUNT_DRIFT_DETECTED: Severity.CRITICAL,
}


def severity_of(event_type: str) -> Severity:
    """The severity of an event type; ``INFO`` for those that are not known."""
    return _SEVERITIES.get(event_type, Severity.INFO)
