"""Lease events and lease records to build tests from: each call shows only what differs."""

from typing import Any

USER_EMAIL = "rosa.field@example.gov.uk"
UUID = "7d1c3b9a-52f0-4c39-9a55-0c0d6f1f2a10"
LEASE_ID = {"userEmail": USER_EMAIL, "uuid": UUID}


class _Absent:
    """Prints the same in every process, so that tests named by it have the same names in all of them."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
"""A value that leaves the field out."""


def lease_event(detail_type: str = "LeaseExpired", detail: Any = None, **parts: Any) -> dict[str, Any]:
    """An event as EventBridge delivers it. ``parts`` are fields of the envelope, ``detail_type`` and ``detail`` apart."""
    event = {
        "version": "0",
        "id": "0b6c6f0e-3a1f-4f5e-8d7d-9a4e7a2f1c01",
        "detail-type": detail_type,
        "source": "InnovationSandbox-test",
        "account": "111122223333",
        "time": "2026-03-04T17:30:00Z",
        "region": "us-west-2",
        "resources": [],
        "detail": {"leaseId": dict(LEASE_ID), "accountId": "444455556666"} if detail is None else detail,
        **parts,
    }
    return {name: value for name, value in event.items() if value is not ABSENT}


def lease_item(status: str = "Active", /, **changes: Any) -> dict[str, dict[str, Any]]:
    """A whole record of that status as a DynamoDB item; ``changes`` are attribute values by name, or ABSENT."""
    item: dict[str, Any] = {
        "userEmail": {"S": USER_EMAIL},
        "uuid": {"S": UUID},
        "status": {"S": status},
        "originalLeaseTemplateUuid": {"S": "c2b2a7f4-0d3e-4d5b-8a55-1f6c0e8f7b21"},
        "originalLeaseTemplateName": {"S": "Data science, small"},
        "maxSpend": {"N": "250"},
        "leaseDurationInHours": {"N": "72"},
    }
    monitored = {
        "awsAccountId": {"S": "444455556666"},
        "approvedBy": {"S": "AUTO_APPROVED"},
        "startDate": {"S": "2026-03-01T17:30:00.000Z"},
        "lastCheckedDate": {"S": "2026-03-04T16:00:00.000Z"},
        "totalCostAccrued": {"N": "31.07"},
    }
    ended = {"endDate": {"S": "2026-03-04T17:30:00.000Z"}, "ttl": {"N": "1775237400"}}
    if status == "ApprovalDenied":
        item["ttl"] = ended["ttl"]
    elif status != "PendingApproval":
        item |= monitored
        if status not in {"Active", "Frozen", "Provisioning"}:
            item |= ended
    item |= changes
    return {name: value for name, value in item.items() if value is not ABSENT}
