"""The detail of one event of each type, as the lease system sends it."""

from typing import Any

from tests.support.leases.builders import LEASE_ID, USER_EMAIL, UUID

ACCOUNT = "444455556666"
OF_LEASE = {"leaseId": LEASE_ID, "accountId": ACCOUNT}
BY_UUID = {"leaseId": UUID, "userEmail": USER_EMAIL}

DETAILS: dict[str, dict[str, Any]] = {
    "LeaseRequested": {"leaseId": LEASE_ID, "userEmail": USER_EMAIL, "requiresManualApproval": True, "comments": "flood maps"},
    "LeaseApproved": {**BY_UUID, "approvedBy": "AUTO_APPROVED"},
    "LeaseDenied": {**BY_UUID, "deniedBy": "lead@example.gov.uk"},
    "LeaseBudgetThresholdAlert": {
        **OF_LEASE,
        "budget": 250,
        "totalSpend": 201.4,
        "budgetThresholdTriggered": 200,
        "actionRequested": "FREEZE_ACCOUNT",
    },
    "LeaseDurationThresholdAlert": {
        **OF_LEASE,
        "triggeredDurationThreshold": 8,
        "leaseDurationInHours": 72,
        "actionRequested": "ALERT",
    },
    "LeaseFreezingThresholdAlert": {
        **OF_LEASE,
        "reason": {"type": "Expired", "triggeredDurationThreshold": 1, "leaseDurationInHours": 72},
    },
    "LeaseBudgetExceeded": {**OF_LEASE, "budget": 250, "totalSpend": 260.55},
    "LeaseExpired": {**OF_LEASE, "leaseExpirationDate": "2026-03-04T17:30:00.000Z"},
    "LeaseTerminated": {**OF_LEASE, "reason": {"type": "Ejected", "comment": "reorganised"}},
    "LeaseFrozen": {**OF_LEASE, "reason": {"type": "ManuallyFrozen", "comment": "audit"}},
    "LeaseUnfrozen": {**OF_LEASE, "maxBudget": 300, "leaseDurationInHours": 72, "reason": "Manually unfrozen"},
    "LeaseProvisioningFailed": {**OF_LEASE, "blueprintName": "Notebook"},
    "BlueprintDeploymentRequest": {
        **BY_UUID,
        "accountId": ACCOUNT,
        "blueprintName": "Notebook",
        "regions": ["eu-west-2", "us-west-2"],
    },
    "BlueprintDeploymentSucceeded": {**OF_LEASE, "duration": 12.5},
    "BlueprintDeploymentFailed": {**OF_LEASE, "errorType": "StackSetFailure", "errorMessage": "quota reached"},
    "CleanAccountRequest": {"accountId": ACCOUNT, "reason": "LEASE_TERMINATION"},
    "AccountCleanupSucceeded": {"accountId": ACCOUNT},
    "AccountCleanupFailed": {"accountId": ACCOUNT},
    "AccountQuarantined": {"awsAccountId": ACCOUNT, "reason": "unknown resources"},
    "AccountDriftDetected": {"accountId": ACCOUNT, "actualOu": "Active", "expectedOu": "Available"},
    "GroupCostReportGenerated": {"reportMonth": "2026-02", "fileName": "2026-02.csv", "bucketName": "costs"},
    "GroupCostReportGeneratedFailure": {"reportMonth": "2026-02", "logName": "/aws/lambda/costs"},
}
