"""Made-up leases of several statuses, and the events about them in lease_events.yaml.

Shapes are those of Innovation Sandbox on AWS; people, accounts and sums are invented.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from boto3.dynamodb.types import TypeSerializer

SOURCE = "InnovationSandbox-demo"
_SAMPLES = yaml.safe_load((Path(__file__).parent / "lease_events.yaml").read_text(encoding="utf-8"))
EVENTS: list[list[Any]] = _SAMPLES["regular"]
"""Pairs of detail type and detail."""
ODD_EVENTS: list[list[Any]] = [[detail_type, detail] for detail_type, detail, _ in _SAMPLES["odd"]]


def _days(count: float) -> str:
    """The instant ``count`` days from now, as the lease system writes it."""
    return (datetime.now(UTC) + timedelta(days=count)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


_TEMPLATES = {
    "Machine learning, two weeks": "0d5f6f0e-3f0b-4a59-9c63-5f0f5b0c7a11",
    "Web application, one month": "0d5f6f0e-3f0b-4a59-9c63-5f0f5b0c7a12",
    "Training, one day": "0d5f6f0e-3f0b-4a59-9c63-5f0f5b0c7a13",
}


def _lease(who: str, status: str, template: str = "Machine learning, two weeks", **more: Any) -> dict[str, Any]:
    """A LeaseTable record with the fields that its status requires."""
    record: dict[str, Any] = {
        **_SAMPLES["leases"][who],
        "status": status,
        "originalLeaseTemplateUuid": _TEMPLATES[template],
        "originalLeaseTemplateName": template,
        "maxSpend": 200,
        "leaseDurationInHours": 336,
        "meta": {"createdTime": _days(-13), "lastEditTime": _days(-12), "schemaVersion": 3},
    }
    if status != "PendingApproval":
        record |= {
            "awsAccountId": "210987654321",
            "approvedBy": "AUTO_APPROVED",
            "startDate": _days(-12),
            "expirationDate": _days(2.1),
            "lastCheckedDate": _days(-0.02),
            "totalCostAccrued": Decimal("151.20"),
        }
    if status == "Expired":
        record |= {"endDate": _days(-0.1), "ttl": int((datetime.now(UTC) + timedelta(days=30)).timestamp())}
    return record | more


LEASES = [
    _lease("ada", "Active"),
    _lease("grace", "PendingApproval", "Web application, one month", comments="Fine-tuning a model on public data"),
    _lease("alan", "Frozen", costReportGroup="research"),
    # a field that no version of the schema has: drift
    _lease("edsger", "Expired", "Training, one day", favouriteColour="green"),
]


def put_leases(dynamodb: Any, table: str) -> None:
    """Put the leases into LeaseTable, as the lease system would."""
    serialise = TypeSerializer().serialize
    for lease in LEASES:
        dynamodb.put_item(TableName=table, Item={name: serialise(value) for name, value in lease.items()})
