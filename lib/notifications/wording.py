"""The wording of every event type: the title, the text, and the fields of the detail to show.

lib/notifications/message.py adds the values. The types and their fields are those of Innovation Sandbox on AWS 1.2. For other
event types, message.py makes a plain wording from the name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lib.leases.events import EventType
from lib.leases.records import LeaseStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The wording of one event type.

    Attributes:
        title: what happened, in a few words.
        lead: what happened, in a sentence or two.
        reason: why, if the event itself does not say.
        details: label and field of other parts of the detail.
        of_lease: the event is about a lease, so the message mentions a lease record that was not found.
        ends: the event ends the lease, so no time is left.
        statuses: those that the lease may have after the event; empty: any. A record with another one was read before the lease
            changed, or changed again later, and would contradict the event.
        to_owner: title and lead for the lease's owner; empty: those for everybody.
    """

    title: str
    lead: str
    reason: str = ""
    details: tuple[tuple[str, str], ...] = ()
    of_lease: bool = True
    ends: bool = False
    statuses: frozenset[LeaseStatus] = frozenset()
    to_owner: tuple[str, str] = ("", "")


_BLUEPRINT = (("Blueprint", "blueprintName"),)
_ENDED = frozenset(
    (
        *(LeaseStatus.EXPIRED, LeaseStatus.BUDGET_EXCEEDED, LeaseStatus.MANUALLY_TERMINATED),
        *(LeaseStatus.ACCOUNT_QUARANTINED, LeaseStatus.EJECTED, LeaseStatus.PROVISIONING_FAILED),
    )
)
_IN_USE = frozenset({LeaseStatus.ACTIVE, LeaseStatus.FROZEN})

WORDINGS: Mapping[str, Wording] = {
    EventType.LEASE_REQUESTED: Wording(
        title="Sandbox lease requested",
        lead="Somebody has requested a sandbox account.",
        details=(("Needs approval", "requiresManualApproval"),),
        to_owner=(
            "Your sandbox request was received",
            "You have requested a sandbox account. Another e-mail follows when the request is decided.",
        ),
    ),
    EventType.LEASE_APPROVED: Wording(
        title="Sandbox lease approved",
        lead="The request for a sandbox account has been approved.",
        details=(("Approved by", "approvedBy"),),
        statuses=_IN_USE | {LeaseStatus.PROVISIONING},
        to_owner=(
            "Your sandbox request was approved",
            "Your request for a sandbox account has been approved.",
        ),
    ),
    EventType.LEASE_DENIED: Wording(
        title="Sandbox lease denied",
        lead="The request for a sandbox account has been denied.",
        details=(("Denied by", "deniedBy"),),
        statuses=frozenset({LeaseStatus.APPROVAL_DENIED}),
        to_owner=(
            "Your sandbox request was denied",
            "Your request for a sandbox account has been denied.",
        ),
    ),
    EventType.LEASE_BUDGET_THRESHOLD_ALERT: Wording(
        title="Sandbox budget alert",
        lead="Spending has reached a threshold of the lease's budget.",
        details=(("What happens now", "actionRequested"),),
        to_owner=(
            "Your sandbox budget: a threshold is reached",
            "Spending in your sandbox account has reached a threshold of your budget.",
        ),
    ),
    EventType.LEASE_DURATION_THRESHOLD_ALERT: Wording(
        title="Sandbox lease ends soon",
        lead="The lease has reached a threshold of its duration.",
        details=(("What happens now", "actionRequested"),),
        to_owner=(
            "Your sandbox lease ends soon",
            "Your lease has reached a threshold of its duration. Save what you need before it ends.",
        ),
    ),
    EventType.LEASE_FREEZING_THRESHOLD_ALERT: Wording(
        title="Sandbox lease reached its freezing threshold",
        lead="The lease has reached the threshold at which its account is frozen.",
        to_owner=(
            "Your sandbox account reached its freezing threshold",
            "Your lease has reached the threshold at which your account is frozen. You have no access to a frozen account.",
        ),
    ),
    EventType.LEASE_BUDGET_EXCEEDED: Wording(
        title="Sandbox budget exceeded",
        lead="Spending has passed the lease's budget.",
        reason="spending passed the budget",
        ends=True,
        statuses=frozenset({LeaseStatus.BUDGET_EXCEEDED}),
        to_owner=(
            "Your sandbox budget is used up",
            "Spending in your sandbox account has passed your budget.",
        ),
    ),
    EventType.LEASE_EXPIRED: Wording(
        title="Sandbox lease expired",
        lead="The lease has reached its end.",
        reason="the lease ran out",
        ends=True,
        statuses=frozenset({LeaseStatus.EXPIRED}),
        to_owner=(
            "Your sandbox lease expired",
            "Your lease has reached its end.",
        ),
    ),
    EventType.LEASE_TERMINATED: Wording(
        title="Sandbox lease terminated",
        # Nothing about a clean-up: an account that is quarantined or ejected is not cleaned.
        lead="The lease is over: its owner no longer has access to the account.",
        ends=True,
        statuses=_ENDED,
        to_owner=(
            "Your sandbox lease is over",
            "Your lease is over: you no longer have access to the account.",
        ),
    ),
    EventType.LEASE_FROZEN: Wording(
        title="Sandbox lease frozen",
        lead="The account is frozen: its owner has no access to it for now.",
        statuses=frozenset({LeaseStatus.FROZEN}),
        to_owner=(
            "Your sandbox account is frozen",
            "Your account is frozen: you have no access to it for now.",
        ),
    ),
    EventType.LEASE_UNFROZEN: Wording(
        title="Sandbox lease unfrozen",
        lead="The account is no longer frozen: its owner has access to it again.",
        statuses=frozenset({LeaseStatus.ACTIVE}),
        to_owner=(
            "Your sandbox account is no longer frozen",
            "Your account is no longer frozen: you have access to it again.",
        ),
    ),
    EventType.LEASE_PROVISIONING_FAILED: Wording(
        title="Sandbox provisioning failed",
        lead="The account could not be set up for the lease.",
        details=_BLUEPRINT,
        statuses=frozenset({LeaseStatus.PROVISIONING_FAILED}),
        to_owner=(
            "Your sandbox account could not be set up",
            "Your account could not be set up for your lease.",
        ),
    ),
    EventType.BLUEPRINT_DEPLOYMENT_REQUEST: Wording(
        title="Blueprint deployment requested",
        lead="A blueprint is being deployed into the lease's account.",
        details=(*_BLUEPRINT, ("Regions", "regions")),
        to_owner=(
            "Your blueprint is being deployed",
            "A blueprint is being deployed into your sandbox account.",
        ),
    ),
    EventType.BLUEPRINT_DEPLOYMENT_SUCCEEDED: Wording(
        title="Blueprint deployed",
        lead="The blueprint has been deployed into the lease's account.",
        details=_BLUEPRINT,
        statuses=_IN_USE | _ENDED,
        to_owner=(
            "Your blueprint is deployed",
            "The blueprint has been deployed into your sandbox account.",
        ),
    ),
    EventType.BLUEPRINT_DEPLOYMENT_FAILED: Wording(
        title="Blueprint deployment failed",
        lead="The blueprint could not be deployed into the lease's account.",
        details=_BLUEPRINT,
        statuses=_IN_USE | _ENDED,
        to_owner=(
            "Your blueprint could not be deployed",
            "The blueprint could not be deployed into your sandbox account.",
        ),
    ),
    EventType.CLEAN_ACCOUNT_REQUEST: Wording(
        title="Account clean-up requested",
        lead="The account is about to be cleaned.",
        of_lease=False,
    ),
    EventType.ACCOUNT_CLEANUP_SUCCEEDED: Wording(
        title="Account cleaned",
        lead="The account has been cleaned.",
        of_lease=False,
    ),
    EventType.ACCOUNT_CLEANUP_FAILED: Wording(
        title="Account clean-up failed",
        lead="Some of the account's resources could not be deleted. Clean it by hand, then start the clean-up again.",
        of_lease=False,
    ),
    EventType.ACCOUNT_QUARANTINED: Wording(
        title="Account quarantined",
        lead="The account has been set aside. Nobody can lease it until an administrator has reviewed it.",
        of_lease=False,
    ),
    EventType.ACCOUNT_DRIFT_DETECTED: Wording(
        title="Account in the wrong place",
        lead="The account is not in the organisational unit where it should be.",
        details=(("Found in", "actualOu"), ("Expected in", "expectedOu")),
        of_lease=False,
    ),
    EventType.GROUP_COST_REPORT_GENERATED: Wording(
        title="Cost report ready",
        lead="The monthly cost report has been written.",
        details=(("Month", "reportMonth"), ("File", "fileName"), ("Bucket", "bucketName")),
        of_lease=False,
    ),
    EventType.GROUP_COST_REPORT_GENERATED_FAILURE: Wording(
        title="Cost report failed",
        lead="The monthly cost report could not be written.",
        details=(("Month", "reportMonth"), ("Log group", "logName")),
        of_lease=False,
    ),
}

# The types of reasons, in words. BudgetExceeded and Expired also have numbers, so message.py writes them.
REASONS: Mapping[str, str] = {
    "ManuallyTerminated": "an administrator or manager ended the lease",
    "UserTerminated": "its owner ended the lease",
    "ManuallyFrozen": "an administrator or manager froze the lease",
    "AccountQuarantined": "the account was quarantined",
    "Ejected": "the account was ejected from the pool",
    "ProvisioningFailed": "the account could not be set up",
    # CleanAccountRequest, and the clean-up events that answer it
    "LEASE_TERMINATION": "the lease ended",
    "LEASE_RESET": "the account was reset during its lease",
    "ACCOUNT_REGISTRATION": "the account is new to the pool",
    "RETRY_FAILED_CLEANUP": "an earlier clean-up failed",
}

# Values of other fields, in words.
VALUES: Mapping[str, str] = {
    "AUTO_APPROVED": "automatic",
    "ALERT": "nothing: this is an alert only",
    "FREEZE_ACCOUNT": "the account will be frozen",
}

# What is said differently to the lease's owner: a reason or value in words, by what is said to everybody.
TO_OWNER: Mapping[str, str] = {
    "an administrator or manager ended the lease": "an administrator or manager ended your lease",
    "its owner ended the lease": "you ended the lease",
    "an administrator or manager froze the lease": "an administrator or manager froze your lease",
    "the account will be frozen": "your account will be frozen",
}

# Why the message has no data of the lease record, by ``Enrichment.reason``.
NOT_ENRICHED: Mapping[str, str] = {
    "no_user_email": "the event does not name the lease's owner",
    "no_uuid": "the event does not identify the lease",
    "no_user_email_and_uuid": "the event does not identify the lease",
    "circuit_open": "the lease table is not answering at the moment",
    "throttled": "the lease table was too busy",
    "deadline": "the lease table did not answer in time",
    "unavailable": "the lease table is unavailable",
    "connection_lost": "the connection to the lease table broke",
    "access_denied": "access to the lease table is denied",
    "no_table": "the lease table does not exist",
    "refused": "the lease table refused the request",
    "defect": "something went wrong on our side",
}
