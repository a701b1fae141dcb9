"""Every event type of the lease system has a wording that shows the data of the event."""

from typing import Any

import pytest

from lib.leases.events import EventType
from lib.notifications.wording import WORDINGS
from tests.support.leases.builders import LEASE_ID, USER_EMAIL, UUID
from tests.support.leases.messages import enriched, facts, message

ACCOUNT = "444455556666"
OF_LEASE = {"leaseId": LEASE_ID, "accountId": ACCOUNT}
BY_UUID = {"leaseId": UUID, "userEmail": USER_EMAIL}

#: Of each type an event's detail, the title it gets, and one thing that its message must say.
EVENTS: dict[str, tuple[dict[str, Any], str, tuple[str, str]]] = {
    "LeaseRequested": (
        {"leaseId": LEASE_ID, "userEmail": USER_EMAIL, "requiresManualApproval": True, "comments": "flood maps"},
        "Sandbox lease requested",
        ("Needs approval", "yes"),
    ),
    "LeaseApproved": ({**BY_UUID, "approvedBy": "AUTO_APPROVED"}, "Sandbox lease approved", ("Approved by", "automatic")),
    "LeaseDenied": (
        {**BY_UUID, "deniedBy": "lead@example.gov.uk"},
        "Sandbox lease denied",
        ("Denied by", "lead@example.gov.uk"),
    ),
    "LeaseBudgetThresholdAlert": (
        {**OF_LEASE, "budget": 250, "totalSpend": 201.4, "budgetThresholdTriggered": 200, "actionRequested": "FREEZE_ACCOUNT"},
        "Sandbox budget alert",
        ("What happens now", "the account will be frozen"),
    ),
    "LeaseDurationThresholdAlert": (
        {**OF_LEASE, "triggeredDurationThreshold": 8, "leaseDurationInHours": 72, "actionRequested": "ALERT"},
        "Sandbox lease ends soon",
        ("What happens now", "nothing: this is an alert only"),
    ),
    "LeaseFreezingThresholdAlert": (
        {**OF_LEASE, "reason": {"type": "Expired", "triggeredDurationThreshold": 1, "leaseDurationInHours": 72}},
        "Sandbox lease reached its freezing threshold",
        ("Reason", "at most 1 hour left of 3 days"),
    ),
    "LeaseBudgetExceeded": (
        {**OF_LEASE, "budget": 250, "totalSpend": 260.55},
        "Sandbox budget exceeded",
        ("Spend", "$260.55 of $250.00 (104 %)"),
    ),
    "LeaseExpired": (
        {**OF_LEASE, "leaseExpirationDate": "2026-03-04T17:30:00.000Z"},
        "Sandbox lease expired",
        ("Reason", "the lease ran out on 04 Mar 2026 10:30 Phoenix time"),
    ),
    "LeaseTerminated": (
        {**OF_LEASE, "reason": {"type": "Ejected", "comment": "reorganised"}},
        "Sandbox lease terminated",
        ("Reason", "the account was ejected from the pool"),
    ),
    "LeaseFrozen": (
        {**OF_LEASE, "reason": {"type": "ManuallyFrozen", "comment": "audit"}},
        "Sandbox lease frozen",
        ("Comment", "audit"),
    ),
    "LeaseUnfrozen": (
        {**OF_LEASE, "maxBudget": 300, "leaseDurationInHours": 72, "reason": "Manually unfrozen"},
        "Sandbox lease unfrozen",
        ("Reason", "Manually unfrozen"),
    ),
    "LeaseProvisioningFailed": (
        {**OF_LEASE, "blueprintName": "Notebook"},
        "Sandbox provisioning failed",
        ("Blueprint", "Notebook"),
    ),
    "BlueprintDeploymentRequest": (
        {**BY_UUID, "accountId": ACCOUNT, "blueprintName": "Notebook", "regions": ["eu-west-2", "us-west-2"]},
        "Blueprint deployment requested",
        ("Regions", "eu-west-2, us-west-2"),
    ),
    "BlueprintDeploymentSucceeded": ({**OF_LEASE, "duration": 12.5}, "Blueprint deployed", ("Account", ACCOUNT)),
    "BlueprintDeploymentFailed": (
        {**OF_LEASE, "errorType": "StackSetFailure", "errorMessage": "quota reached"},
        "Blueprint deployment failed",
        ("Reason", "StackSetFailure: quota reached"),
    ),
    "CleanAccountRequest": (
        {"accountId": ACCOUNT, "reason": "LEASE_TERMINATION"},
        "Account clean-up requested",
        ("Reason", "the lease ended"),
    ),
    "AccountCleanupSucceeded": ({"accountId": ACCOUNT}, "Account cleaned", ("Account", ACCOUNT)),
    "AccountCleanupFailed": ({"accountId": ACCOUNT}, "Account clean-up failed", ("Account", ACCOUNT)),
    "AccountQuarantined": (
        {"awsAccountId": ACCOUNT, "reason": "unknown resources"},
        "Account quarantined",
        ("Reason", "unknown resources"),
    ),
    "AccountDriftDetected": (
        {"accountId": ACCOUNT, "actualOu": "Active", "expectedOu": "Available"},
        "Account in the wrong place",
        ("Expected in", "Available"),
    ),
    "GroupCostReportGenerated": (
        {"reportMonth": "2026-02", "fileName": "2026-02.csv", "bucketName": "costs"},
        "Cost report ready",
        ("File", "2026-02.csv"),
    ),
    "GroupCostReportGeneratedFailure": (
        {"reportMonth": "2026-02", "logName": "/aws/lambda/costs"},
        "Cost report failed",
        ("Log group", "/aws/lambda/costs"),
    ),
}


def test_every_type_has_a_wording_and_an_example() -> None:
    assert set(WORDINGS) == set(EventType)
    assert set(EVENTS) == set(EventType)


@pytest.mark.parametrize("detail_type", EVENTS)
def test_each_type_has_a_title_and_a_lead(detail_type: str) -> None:
    detail, title, (label, value) = EVENTS[detail_type]
    composed = message(detail_type, detail)

    assert composed.title.partition(":")[0] == title
    assert composed.lead in composed.text
    assert facts(composed)[label] == value
    assert f"{label}: {value}" in composed.text
    assert composed.structured["event_type"] == detail_type


@pytest.mark.parametrize("detail_type", [name for name, wording in WORDINGS.items() if wording.of_lease])
def test_every_lease_event_shows_owner_account_and_spend(detail_type: str) -> None:
    shown = facts(message(detail_type, EVENTS[detail_type][0], enriched()))
    assert (shown["Who"], shown["Account"]) == (USER_EMAIL, ACCOUNT)
    assert " of $" in shown["Spend"]


def test_no_two_types_have_the_same_wording() -> None:
    assert len({wording.title for wording in WORDINGS.values()}) == len(WORDINGS)
    assert len({wording.lead for wording in WORDINGS.values()}) == len(WORDINGS)
