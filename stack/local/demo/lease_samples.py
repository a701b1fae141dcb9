"""Made-up leases of several statuses, and one event of each type that the lease system sends about them.

Shapes are those of Innovation Sandbox on AWS; people, accounts and sums are invented.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

SOURCE = "InnovationSandbox-demo"
TEMPLATE = "0d5f6f0e-3f0b-4a59-9c63-5f0f5b0c7a11"


def _days(count: float) -> str:
    """The instant so many days from now, as the lease system writes it."""
    return (datetime.now(UTC) + timedelta(days=count)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def lease(who: str, uuid: str, status: str, **more: Any) -> dict[str, Any]:
    """A LeaseTable record with the fields that its status requires."""
    record: dict[str, Any] = {
        "userEmail": who,
        "uuid": uuid,
        "status": status,
        "originalLeaseTemplateUuid": TEMPLATE,
        "originalLeaseTemplateName": "Machine learning, two weeks",
        "maxSpend": 200,
        "leaseDurationInHours": 336,
        "meta": {"createdTime": _days(-13), "lastEditTime": _days(-12), "schemaVersion": 3},
    }
    if status not in {"PendingApproval", "ApprovalDenied"}:
        record |= {
            "awsAccountId": "210987654321",
            "approvedBy": "AUTO_APPROVED",
            "startDate": _days(-12),
            "expirationDate": _days(2.1),
            "lastCheckedDate": _days(-0.02),
            "totalCostAccrued": Decimal("151.20"),
        }
    if status in {"Expired", "BudgetExceeded", "ManuallyTerminated", "AccountQuarantined", "Ejected"}:
        record |= {"endDate": _days(-0.1), "ttl": int((datetime.now(UTC) + timedelta(days=30)).timestamp())}
    return record | more


ADA = ("ada@sandbox.example", "7b1c8c52-2a55-4f0c-8d0b-1f7f1f7a0001")
GRACE = ("grace@sandbox.example", "7b1c8c52-2a55-4f0c-8d0b-1f7f1f7a0002")
ALAN = ("alan@sandbox.example", "7b1c8c52-2a55-4f0c-8d0b-1f7f1f7a0003")
EDSGER = ("edsger@sandbox.example", "7b1c8c52-2a55-4f0c-8d0b-1f7f1f7a0004")
NOBODY = ("nobody@sandbox.example", "7b1c8c52-2a55-4f0c-8d0b-1f7f1f7a0009")

LEASES = [
    lease(*ADA, "Active"),
    lease(*GRACE, "PendingApproval", comments="Fine-tuning a model on public data"),
    lease(*ALAN, "Frozen", costReportGroup="research"),
    lease(*EDSGER, "Expired", favouriteColour="green"),  # a field that no version of the schema has: drift
]


def _id(who: tuple[str, str]) -> dict[str, str]:
    return {"userEmail": who[0], "uuid": who[1]}


ACCOUNT = {"accountId": "210987654321"}

EVENTS: list[tuple[str, dict[str, Any]]] = [
    (
        "LeaseRequested",
        {"leaseId": _id(GRACE), "userEmail": GRACE[0], "requiresManualApproval": True, "comments": "For a paper"},
    ),
    ("LeaseApproved", {"leaseId": ADA[1], "userEmail": ADA[0], "approvedBy": "AUTO_APPROVED"}),
    ("LeaseDenied", {"leaseId": GRACE[1], "userEmail": GRACE[0], "deniedBy": "manager@sandbox.example"}),
    (
        "LeaseBudgetThresholdAlert",
        {
            "leaseId": _id(ADA),
            **ACCOUNT,
            "budget": 200,
            "totalSpend": 151.2,
            "budgetThresholdTriggered": 150,
            "actionRequested": "ALERT",
        },
    ),
    (
        "LeaseDurationThresholdAlert",
        {
            "leaseId": _id(ADA),
            **ACCOUNT,
            "triggeredDurationThreshold": 72,
            "leaseDurationInHours": 336,
            "actionRequested": "ALERT",
        },
    ),
    (
        "LeaseFreezingThresholdAlert",
        {
            "leaseId": _id(ALAN),
            **ACCOUNT,
            "reason": {"type": "BudgetExceeded", "triggeredBudgetThreshold": 180, "budget": 200, "totalSpend": 181.4},
        },
    ),
    ("LeaseBudgetExceeded", {"leaseId": _id(ALAN), **ACCOUNT, "budget": 200, "totalSpend": 203.07}),
    ("LeaseExpired", {"leaseId": _id(EDSGER), **ACCOUNT, "leaseExpirationDate": _days(-0.1)}),
    ("LeaseTerminated", {"leaseId": _id(EDSGER), **ACCOUNT, "reason": {"type": "Expired", "leaseDurationInHours": 336}}),
    ("LeaseFrozen", {"leaseId": _id(ALAN), **ACCOUNT, "reason": {"type": "ManuallyFrozen", "comment": "Under review"}}),
    (
        "LeaseUnfrozen",
        {"leaseId": _id(ALAN), **ACCOUNT, "maxBudget": 250, "leaseDurationInHours": 336, "reason": "Manually unfrozen"},
    ),
    ("LeaseProvisioningFailed", {"leaseId": _id(ADA), **ACCOUNT, "blueprintName": "notebooks"}),
    (
        "BlueprintDeploymentRequest",
        {
            "leaseId": ADA[1],
            "userEmail": ADA[0],
            **ACCOUNT,
            "blueprintId": TEMPLATE,
            "blueprintName": "notebooks",
            "stackSetId": "notebooks:1",
            "regions": ["us-west-2"],
            "regionConcurrencyType": "SEQUENTIAL",
            "deploymentTimeoutMinutes": 30,
        },
    ),
    (
        "BlueprintDeploymentSucceeded",
        {"leaseId": _id(ADA), **ACCOUNT, "blueprintId": TEMPLATE, "operationId": "op-1", "duration": 12.5},
    ),
    (
        "BlueprintDeploymentFailed",
        {"leaseId": _id(ADA), **ACCOUNT, "blueprintId": TEMPLATE, "errorType": "StackFailed", "errorMessage": "Quota reached"},
    ),
    ("CleanAccountRequest", {**ACCOUNT, "reason": "LEASE_TERMINATION"}),
    ("AccountCleanupSucceeded", {**ACCOUNT, "reason": "LEASE_TERMINATION", "cleanupExecutionContext": {}}),
    ("AccountCleanupFailed", {**ACCOUNT, "reason": "LEASE_TERMINATION", "cleanupExecutionContext": {}}),
    ("AccountQuarantined", {"awsAccountId": "210987654321", "reason": "Clean-up failed three times"}),
    ("AccountDriftDetected", {**ACCOUNT, "actualOu": "Active", "expectedOu": "Available"}),
    ("GroupCostReportGenerated", {"reportMonth": "2026-10", "fileName": "october.csv", "bucketName": "reports"}),
    ("GroupCostReportGeneratedFailure", {"reportMonth": "2026-10", "logName": "cost-report"}),
]

ODD_EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("LeaseApproved", {"leaseId": NOBODY[1], "userEmail": NOBODY[0], "approvedBy": "AUTO_APPROVED"}),  # not in the table
    ("LeaseFrozen", {"leaseId": {"userEmail": ADA[0], "uuid": 17}, **ACCOUNT, "reason": {"type": "ManuallyFrozen"}}),
    ("LeaseExpired", {"leaseId": {"uuid": ADA[1]}, **ACCOUNT}),
    ("LeaseLentToANeighbour", {"leaseId": _id(ADA), "neighbour": "next door"}),  # a type that nobody knows yet
]
