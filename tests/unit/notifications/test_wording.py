"""Every event type of the lease system has a wording that shows the data of the event."""

import re

import pytest

from lib.leases.enrichment import Enrichment, Status
from lib.leases.events import EventType
from lib.leases.records import LeaseStatus
from lib.notifications.wording import REASONS, TO_OWNER, VALUES, WORDINGS
from tests.support.leases.builders import LEASE_ID, USER_EMAIL
from tests.support.leases.event_samples import ACCOUNT, DETAILS
from tests.support.leases.messages import enriched, facts, message

#: Of each type the title it gets, and one thing that its message must say.
EVENTS: dict[str, tuple[str, tuple[str, str]]] = {
    "LeaseRequested": ("Sandbox lease requested", ("Needs approval", "yes")),
    "LeaseApproved": ("Sandbox lease approved", ("Approved by", "automatic")),
    "LeaseDenied": ("Sandbox lease denied", ("Denied by", "lead@example.gov.uk")),
    "LeaseBudgetThresholdAlert": ("Sandbox budget alert", ("What happens now", "the account will be frozen")),
    "LeaseDurationThresholdAlert": ("Sandbox lease ends soon", ("What happens now", "nothing: this is an alert only")),
    "LeaseFreezingThresholdAlert": (
        "Sandbox lease reached its freezing threshold",
        ("Reason", "at most 1 hour left of 3 days"),
    ),
    "LeaseBudgetExceeded": ("Sandbox budget exceeded", ("Spend", "$260.55 of $250.00 (104 %)")),
    "LeaseExpired": ("Sandbox lease expired", ("Reason", "the lease ran out on 04 Mar 2026 10:30 Phoenix time")),
    "LeaseTerminated": ("Sandbox lease terminated", ("Reason", "the account was ejected from the pool")),
    "LeaseFrozen": ("Sandbox lease frozen", ("Comment", "audit")),
    "LeaseUnfrozen": ("Sandbox lease unfrozen", ("Reason", "Manually unfrozen")),
    "LeaseProvisioningFailed": ("Sandbox provisioning failed", ("Blueprint", "Notebook")),
    "BlueprintDeploymentRequest": ("Blueprint deployment requested", ("Regions", "eu-west-2, us-west-2")),
    "BlueprintDeploymentSucceeded": ("Blueprint deployed", ("Account", ACCOUNT)),
    "BlueprintDeploymentFailed": ("Blueprint deployment failed", ("Reason", "StackSetFailure: quota reached")),
    "CleanAccountRequest": ("Account clean-up requested", ("Reason", "the lease ended")),
    "AccountCleanupSucceeded": ("Account cleaned", ("Account", ACCOUNT)),
    "AccountCleanupFailed": ("Account clean-up failed", ("Account", ACCOUNT)),
    "AccountQuarantined": ("Account quarantined", ("Reason", "unknown resources")),
    "AccountDriftDetected": ("Account in the wrong place", ("Expected in", "Available")),
    "GroupCostReportGenerated": ("Cost report ready", ("File", "2026-02.csv")),
    "GroupCostReportGeneratedFailure": ("Cost report failed", ("Log group", "/aws/lambda/costs")),
}


def test_every_type_has_a_wording_and_an_example() -> None:
    assert set(WORDINGS) == set(EventType)
    assert set(EVENTS) == set(DETAILS) == set(EventType)


@pytest.mark.parametrize("detail_type", EVENTS)
def test_each_type_has_a_title_and_a_lead(detail_type: str) -> None:
    title, (label, value) = EVENTS[detail_type]
    composed = message(detail_type, DETAILS[detail_type])

    assert composed.title.partition(":")[0] == title
    assert composed.lead in composed.text
    assert facts(composed)[label] == value
    assert f"{label}: {value}" in composed.text
    assert composed.structured["event_type"] == detail_type


@pytest.mark.parametrize("detail_type", [name for name, wording in WORDINGS.items() if wording.of_lease])
def test_every_lease_event_shows_owner_account_and_spend(detail_type: str) -> None:
    status = min(WORDINGS[detail_type].statuses, default="Active")
    shown = facts(message(detail_type, DETAILS[detail_type], enriched(status)))
    assert shown["Who"] == USER_EMAIL
    if detail_type != "LeaseDenied":  # such a lease never had an account
        assert shown["Account"] == ACCOUNT
        assert " of $" in shown["Spend"]


def test_no_two_types_have_the_same_wording() -> None:
    assert len({wording.title for wording in WORDINGS.values()}) == len(WORDINGS)
    assert len({wording.lead for wording in WORDINGS.values()}) == len(WORDINGS)


# The record


@pytest.mark.parametrize(
    ("detail_type", "status"),
    [
        ("LeaseApproved", "PendingApproval"),
        ("LeaseDenied", "PendingApproval"),
        ("LeaseUnfrozen", "Frozen"),
        ("LeaseFrozen", "Active"),
        ("LeaseExpired", "Active"),
        ("LeaseBudgetExceeded", "Active"),
        ("LeaseTerminated", "Frozen"),
        ("LeaseProvisioningFailed", "Provisioning"),
        ("BlueprintDeploymentSucceeded", "Provisioning"),
        ("LeaseFrozen", "SomethingNew"),
    ],
)
def test_a_record_from_before_the_event_is_not_quoted_as_current(detail_type: str, status: str) -> None:
    composed = message(detail_type, {"leaseId": LEASE_ID}, enriched(status))

    assert composed.structured["lease_status"] is None
    assert composed.structured["spend"] is None
    assert not {"Lease status", "Spend"} & facts(composed).keys()
    assert facts(composed)["Template"] == "Data science, small", "what does not change is still shown"


@pytest.mark.parametrize("detail_type", [name for name, wording in WORDINGS.items() if wording.of_lease])
@pytest.mark.parametrize("status", list(LeaseStatus))
def test_the_status_shown_is_one_that_the_event_allows(detail_type: str, status: LeaseStatus) -> None:
    shown = facts(message(detail_type, DETAILS[detail_type], enriched(status)))
    allowed = WORDINGS[detail_type].statuses or set(LeaseStatus)
    assert ("Lease status" in shown) == (status in allowed)


# The owner


@pytest.mark.parametrize("detail_type", [name for name, wording in WORDINGS.items() if wording.of_lease])
def test_every_lease_event_addresses_its_owner(detail_type: str) -> None:
    owner = message(detail_type, DETAILS[detail_type], enriched()).to_owner
    assert owner.title.startswith("Your ")
    assert re.search(r"\byou(r|rs)?\b", owner.lead, re.IGNORECASE)
    shown = " ".join((owner.title, owner.lead, *(value for _, value in owner.facts)))
    assert "owner" not in shown
    assert USER_EMAIL not in shown


@pytest.mark.parametrize("reason", ["AccountQuarantined", "Ejected"])
def test_an_ended_lease_does_not_promise_a_clean_up(reason: str) -> None:
    """The lease system does not clean an account that it quarantines or ejects."""
    composed = message("LeaseTerminated", {**DETAILS["LeaseTerminated"], "reason": {"type": reason}})

    assert "clean" not in composed.text + composed.to_owner.lead


def test_the_owner_reads_the_reason_as_their_own() -> None:
    own = {"leaseId": LEASE_ID, "accountId": ACCOUNT, "reason": {"type": "UserTerminated", "comment": "done"}}
    owner = message("LeaseTerminated", own, Enrichment(Status.NOT_FOUND)).to_owner
    assert owner.title == f"Your sandbox lease is over: {ACCOUNT}"
    assert dict(owner.facts) == {"Account": ACCOUNT, "Time left": "none", "Reason": "you ended the lease", "Comment": "done"}


def test_words_for_the_owner_replace_words_that_exist() -> None:
    assert set(TO_OWNER) <= {*REASONS.values(), *VALUES.values()}
    by_owner = {words for words in (*REASONS.values(), *VALUES.values()) if "owner" in words}
    assert by_owner <= set(TO_OWNER)


def test_an_owner_of_an_unknown_event_gets_the_message_for_everybody() -> None:
    composed = message("LeaseExtended", {"leaseId": LEASE_ID})
    assert (composed.to_owner.title, composed.to_owner.lead) == (composed.title, composed.lead)
