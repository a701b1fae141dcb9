"""Every event type of the lease system, one event of each written by hand: its form, its key, and that we know its name.

The details follow the published event schemas of Innovation Sandbox on AWS 1.2.
"""

from typing import Any

import pytest

from lib.leases.events import EventType, LeaseKey, MissingKey, find_lease_key, read_event
from tests.support.leases.builders import LEASE_ID, USER_EMAIL, UUID, lease_event

ACCOUNT = "444455556666"
CLEANUP = {
    "stateMachineExecutionArn": "arn:aws:states:us-west-2:111122223333:execution:cleaner:4411",
    "stateMachineExecutionStartTime": "2026-03-04T17:31:00.000Z",
}

WITH_KEY: dict[str, dict[str, Any]] = {
    "LeaseRequested": {
        "leaseId": LEASE_ID,
        "userEmail": USER_EMAIL,
        "comments": "two days of flood modelling",
        "requiresManualApproval": False,
    },
    "LeaseApproved": {"leaseId": UUID, "userEmail": USER_EMAIL, "approvedBy": "lead@example.gov.uk"},
    "LeaseDenied": {"leaseId": UUID, "userEmail": USER_EMAIL, "deniedBy": "lead@example.gov.uk"},
    "LeaseBudgetThresholdAlert": {
        "leaseId": LEASE_ID,
        "accountId": ACCOUNT,
        "budget": 250,
        "totalSpend": 201.4,
        "budgetThresholdTriggered": 200,
        "actionRequested": "ALERT",
    },
    "LeaseDurationThresholdAlert": {
        "leaseId": LEASE_ID,
        "accountId": ACCOUNT,
        "triggeredDurationThreshold": 8,
        "leaseDurationInHours": 72,
        "actionRequested": "ALERT",
    },
    "LeaseFreezingThresholdAlert": {
        "leaseId": LEASE_ID,
        "accountId": ACCOUNT,
        "reason": {"type": "Expired", "triggeredDurationThreshold": 1, "leaseDurationInHours": 72},
    },
    "LeaseBudgetExceeded": {"leaseId": LEASE_ID, "accountId": ACCOUNT, "budget": 250, "totalSpend": 260.55},
    "LeaseExpired": {"leaseId": LEASE_ID, "accountId": ACCOUNT, "leaseExpirationDate": "2026-03-04T17:30:00.000Z"},
    "LeaseTerminated": {
        "leaseId": LEASE_ID,
        "accountId": ACCOUNT,
        "reason": {"type": "ManuallyTerminated", "comment": "work is done"},
    },
    "LeaseFrozen": {
        "leaseId": LEASE_ID,
        "accountId": ACCOUNT,
        "reason": {"type": "BudgetExceeded", "triggeredBudgetThreshold": 225, "budget": 250, "totalSpend": 226},
    },
    "LeaseUnfrozen": {
        "leaseId": LEASE_ID,
        "accountId": ACCOUNT,
        "maxBudget": 500,
        "leaseDurationInHours": 96,
        "reason": "budget was raised",
    },
    "LeaseProvisioningFailed": {"leaseId": LEASE_ID, "accountId": ACCOUNT, "blueprintName": "Notebook"},
    "BlueprintDeploymentRequest": {
        "leaseId": UUID,
        "userEmail": USER_EMAIL,
        "accountId": ACCOUNT,
        "blueprintId": "d8a1f0a4-6d0b-4e57-9d3c-2f4b6f2d7e10",
        "blueprintName": "Notebook",
        "stackSetId": "Notebook:1f",
        "regions": ["us-west-2", "us-east-1"],
        "regionConcurrencyType": "PARALLEL",
        "deploymentTimeoutMinutes": 45,
    },
    "BlueprintDeploymentSucceeded": {
        "leaseId": LEASE_ID,
        "accountId": ACCOUNT,
        "blueprintId": "d8a1f0a4-6d0b-4e57-9d3c-2f4b6f2d7e10",
        "operationId": "op-93",
        "duration": 311.25,
    },
    "BlueprintDeploymentFailed": {
        "leaseId": LEASE_ID,
        "accountId": ACCOUNT,
        "blueprintId": "d8a1f0a4-6d0b-4e57-9d3c-2f4b6f2d7e10",
        "errorType": "StackSetOperationFailed",
        "errorMessage": "quota of elastic addresses reached",
    },
}
WITHOUT_KEY: dict[str, dict[str, Any]] = {
    "CleanAccountRequest": {"accountId": ACCOUNT, "reason": "LEASE_TERMINATION"},
    "AccountCleanupSucceeded": {"accountId": ACCOUNT, "cleanupExecutionContext": CLEANUP, "reason": "LEASE_TERMINATION"},
    "AccountCleanupFailed": {"accountId": ACCOUNT, "cleanupExecutionContext": CLEANUP, "reason": "LEASE_TERMINATION"},
    "AccountQuarantined": {"awsAccountId": ACCOUNT, "reason": "cleanup failed three times"},
    "AccountDriftDetected": {"accountId": ACCOUNT, "actualOu": "Frozen", "expectedOu": "Active"},
    "GroupCostReportGenerated": {
        "reportMonth": "2026-02",
        "fileName": "costs-2026-02.csv",
        "bucketName": "cost-reports",
        "timestamp": "2026-03-01T08:00:00.000Z",
    },
    "GroupCostReportGeneratedFailure": {
        "reportMonth": "2026-02",
        "timestamp": "2026-03-01T08:00:00.000Z",
        "logName": "/lambda/cost-report",
    },
}


def test_every_known_type_has_an_example_and_no_other() -> None:
    assert WITH_KEY.keys() | WITHOUT_KEY.keys() == set(EventType)


@pytest.mark.parametrize("detail_type", WITH_KEY)
def test_an_event_about_a_lease_has_the_key_of_its_record(detail_type: str) -> None:
    event = read_event(lease_event(detail_type, WITH_KEY[detail_type]))

    assert event.detail_type == EventType(detail_type)
    assert find_lease_key(event.detail) == LeaseKey(USER_EMAIL, UUID)


@pytest.mark.parametrize("detail_type", WITHOUT_KEY)
def test_an_event_about_an_account_or_a_report_has_no_lease_key(detail_type: str) -> None:
    event = read_event(lease_event(detail_type, WITHOUT_KEY[detail_type]))

    assert event.detail_type == EventType(detail_type)
    assert find_lease_key(event.detail) == MissingKey("is missing", "is missing")
