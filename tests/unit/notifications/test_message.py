"""What a message says: who, which account, what was spent, how long is left and why, for whatever is known of it."""

import json
import re
from typing import Any

import pytest

from lib.leases.enrichment import Enrichment, Reason, Status
from tests.support.leases.builders import LEASE_ID, USER_EMAIL, UUID
from tests.support.leases.messages import CONSOLE, NOT_ENRICHED, enriched, facts, message

EXPIRES = {"S": "2026-03-06T19:00:00.000Z"}


def lease(**fields: Any) -> dict[str, Any]:
    """A detail with the lease's key."""
    return {"leaseId": dict(LEASE_ID), **fields}


# A whole message


def test_a_message_reads_from_title_to_footer() -> None:
    detail = lease(accountId="444455556666", reason={"type": "ManuallyFrozen", "comment": "over the weekend"})
    composed = message("LeaseFrozen", detail, enriched("Frozen", expirationDate=EXPIRES))

    assert composed.text == (
        "Sandbox lease frozen: rosa.field@example.gov.uk\n"
        "\n"
        "The account is frozen: its owner has no access to it for now.\n"
        "\n"
        "Who: rosa.field@example.gov.uk\n"
        "Account: 444455556666\n"
        "Spend: $31.07 of $250.00 (12 %)\n"
        "Time left: 2 days 1 hour (until 06 Mar 2026 12:00 Phoenix time)\n"
        "Reason: an administrator or manager froze the lease\n"
        "Comment: over the weekend\n"
        "Template: Data science, small\n"
        "Lease status: frozen\n"
        "\n"
        "Sandbox console: https://sandbox.example.org/console\n"
        "\n"
        "LeaseFrozen, 04 Mar 2026 10:30 Phoenix time, event 0b6c6f0e-3a1f-4f5e-8d7d-9a4e7a2f1c01"
    )


def test_the_structure_for_machines_has_the_same_content() -> None:
    detail = lease(accountId="444455556666", reason={"type": "ManuallyFrozen", "comment": "over the weekend"})
    composed = message("LeaseFrozen", detail, enriched("Frozen", expirationDate=EXPIRES))

    assert composed.structured == {
        "event_type": "LeaseFrozen",
        "event_id": "0b6c6f0e-3a1f-4f5e-8d7d-9a4e7a2f1c01",
        "event_time": "2026-03-04T17:30:00.000000Z",
        "event_source": "InnovationSandbox-test",
        "severity": "warning",
        "title": composed.title,
        "text": composed.text,
        "who": USER_EMAIL,
        "account": "444455556666",
        "lease_uuid": UUID,
        "budget": 250.0,
        "spend": 31.07,
        "currency": "USD",
        "expires_at": "2026-03-06T19:00:00.000000Z",
        "time_left": "2 days 1 hour (until 06 Mar 2026 12:00 Phoenix time)",
        "reason": "an administrator or manager froze the lease",
        "reason_type": "ManuallyFrozen",
        "comment": "over the weekend",
        "lease_status": "Frozen",
        "template": "Data science, small",
        "details": {},
        "link": CONSOLE,
        "enriched": True,
        "enrichment": {"status": "enriched", "reason": None},
    }
    assert json.loads(json.dumps(composed.structured)) == composed.structured


def test_unknown_values_are_omitted_or_null() -> None:
    composed = message("LeaseFrozen", {}, console_url="")
    assert set(facts(composed)) == {"Lease record"}
    assert (composed.structured["who"], composed.structured["spend"], composed.structured["link"]) == (None, None, None)
    assert "None" not in composed.text


# Who


def test_the_owner_is_shown_in_each_form_of_the_key() -> None:
    for detail in ({"leaseId": LEASE_ID}, {"leaseId": UUID, "userEmail": USER_EMAIL}, {"userEmail": USER_EMAIL}):
        composed = message("LeaseFrozen", detail)
        assert facts(composed)["Who"] == USER_EMAIL
        assert composed.recipient == USER_EMAIL


def test_an_owner_without_an_address_is_shown_but_no_recipient() -> None:
    composed = message("LeaseFrozen", {"userEmail": "<!channel> click here", "uuid": UUID})
    assert facts(composed)["Who"] == "<!channel> click here"
    assert composed.recipient == ""
    assert composed.title == "Sandbox lease frozen"


def test_the_recipient_is_not_in_the_repr() -> None:
    shown = repr(message("LeaseFrozen", lease()))
    assert "event_id" in shown
    assert "recipient" not in shown


# Money


@pytest.mark.parametrize(
    ("detail", "enrichment", "spend"),
    [
        ({"budget": 100, "totalSpend": 76.5}, NOT_ENRICHED, "$76.50 of $100.00 (76 %)"),
        (
            {"reason": {"type": "BudgetExceeded", "budget": 100, "totalSpend": 105.5}},
            NOT_ENRICHED,
            "$105.50 of $100.00 (105 %)",
        ),
        ({"totalSpend": 5}, NOT_ENRICHED, "$5.00"),
        ({"totalSpend": 5}, enriched("Frozen"), "$5.00 of $250.00 (2 %)"),
        ({}, enriched("Frozen"), "$31.07 of $250.00 (12 %)"),
        ({"totalSpend": "5.5", "budget": "100"}, NOT_ENRICHED, "$5.50 of $100.00 (5 %)"),
        ({"totalSpend": 5, "budget": 0}, NOT_ENRICHED, "$5.00 of $0.00"),
        ({"totalSpend": "a lot", "budget": [1]}, enriched("Frozen"), "$31.07 of $250.00 (12 %)"),
        ({"totalSpend": "a lot", "budget": {"usd": 1}}, NOT_ENRICHED, None),
    ],
)
def test_spend_is_shown_against_the_budget(detail: dict[str, Any], enrichment: Enrichment, spend: str | None) -> None:
    assert facts(message("LeaseFrozen", lease(**detail), enrichment)).get("Spend") == spend


def test_a_budget_without_spending_is_shown_alone() -> None:
    shown = facts(message("LeaseUnfrozen", lease(maxBudget=100)))
    assert (shown["Budget"], "Spend" in shown) == ("$100.00", False)


# Time


def test_time_left_comes_from_the_record() -> None:
    shown = facts(message("LeaseFrozen", lease(), enriched(expirationDate={"S": "2026-03-04T20:45:00Z"})))
    assert shown["Time left"] == "3 hours 15 minutes (until 04 Mar 2026 13:45 Phoenix time)"


def test_no_time_is_left_after_an_expiry_in_the_past() -> None:
    shown = facts(message("LeaseFrozen", lease(), enriched(expirationDate={"S": "2026-03-04T17:30:00Z"})))
    assert shown["Time left"] == "none, since 04 Mar 2026 10:30 Phoenix time"


def test_the_threshold_shows_the_time_left_without_a_record() -> None:
    shown = facts(message("LeaseDurationThresholdAlert", lease(triggeredDurationThreshold=24, leaseDurationInHours=168)))
    assert shown["Time left"] == "about 24 hours"
    assert shown["Reason"] == "at most 24 hours left of 7 days"


@pytest.mark.parametrize("detail_type", ["LeaseTerminated", "LeaseExpired", "LeaseBudgetExceeded"])
def test_no_time_is_left_after_an_event_that_ends_the_lease(detail_type: str) -> None:
    assert facts(message(detail_type, lease(), enriched(expirationDate=EXPIRES)))["Time left"] == "none"


def test_no_time_is_left_if_the_record_has_ended() -> None:
    assert facts(message("LeaseFrozen", lease(), enriched("Expired")))["Time left"] == "none"


def test_an_expired_lease_shows_when() -> None:
    shown = facts(message("LeaseExpired", lease(leaseExpirationDate="2026-03-04T17:30:00.000Z")))
    assert shown["Reason"] == "the lease ran out on 04 Mar 2026 10:30 Phoenix time"


@pytest.mark.parametrize("wrong", ["soon", "2026-03-04", "0001-01-01T00:00:00Z", 5, None, ["2026-03-04T17:30:00.000Z"]])
def test_an_invalid_expiry_is_not_shown(wrong: Any) -> None:
    assert facts(message("LeaseExpired", lease(leaseExpirationDate=wrong)))["Reason"].startswith("the lease ran out")


# Reasons


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ({"type": "BudgetExceeded", "budget": 100, "totalSpend": 105}, "spending passed the budget"),
        ({"type": "BudgetExceeded", "triggeredBudgetThreshold": 90}, "spending reached the threshold of $90.00"),
        ({"type": "BudgetExceeded", "triggeredBudgetThreshold": 0.95}, "spending reached the threshold of 95 % of the budget"),
        ({"type": "BudgetExceeded", "triggeredBudgetThreshold": "high"}, "spending reached a threshold of the budget"),
        ({"type": "Expired", "leaseDurationInHours": 168}, "the lease ran out after 7 days"),
        (
            {"type": "Expired", "triggeredDurationThreshold": 2, "leaseDurationInHours": 24},
            "at most 2 hours left of 24 hours",
        ),
        ({"type": "Expired"}, "the lease ran out"),
        ({"type": "ManuallyTerminated", "comment": "c"}, "an administrator or manager ended the lease"),
        ({"type": "UserTerminated", "comment": "c"}, "its owner ended the lease"),
        ({"type": "ManuallyFrozen", "comment": "c"}, "an administrator or manager froze the lease"),
        ({"type": "AccountQuarantined", "comment": "c"}, "the account was quarantined"),
        ({"type": "Ejected", "comment": "c"}, "the account was ejected from the pool"),
        ({"type": "ProvisioningFailed"}, "the account could not be set up"),
        ({"type": "SomethingQuiteNew"}, "something quite new"),
        ("Manually unfrozen", "Manually unfrozen"),
        ("LEASE_TERMINATION", "the lease ended"),
        ("LEASE_RESET", "the account was reset during its lease"),
        ("ACCOUNT_REGISTRATION", "the account is new to the pool"),
        ("RETRY_FAILED_CLEANUP", "an earlier clean-up failed"),
        ("OPERATOR_REQUEST_2", "operator request 2"),
        ("URGENT", "URGENT"),
        ("see RUNBOOK_7 first", "see RUNBOOK_7 first"),
        ({"type": ["Expired"]}, None),
        ({}, None),
        (5, "5"),
        ([], None),
    ],
)
def test_a_reason_is_shown_in_words(reason: Any, words: str | None) -> None:
    assert facts(message("LeaseFrozen", lease(reason=reason))).get("Reason") == words


@pytest.mark.parametrize(
    ("detail_type", "field", "value", "label", "shown"),
    [
        ("LeaseBudgetThresholdAlert", "actionRequested", "NOTIFY_OWNER", "What happens now", "notify owner"),
        ("LeaseApproved", "approvedBy", "POLICY_ENGINE", "Approved by", "policy engine"),
        ("BlueprintDeploymentFailed", "errorType", "STACK_SET_FAILED", "Reason", "stack set failed"),
        ("AccountParked", "newState", "WAITS_FOR_REVIEW", "newState", "waits for review"),
        ("BlueprintDeploymentRequest", "regions", ["WAVE_ONE", "eu-west-2"], "Regions", "wave one, eu-west-2"),
        ("LeaseProvisioningFailed", "blueprintName", "DATA_LAKE", "Blueprint", "DATA_LAKE"),
        ("AccountDriftDetected", "actualOu", "OLD_POOL", "Found in", "OLD_POOL"),
        ("AccountParked", "stackId", "STACK_7", "stackId", "STACK_7"),
    ],
)
def test_a_constant_is_shown_in_words_and_a_name_unchanged(
    detail_type: str, field: str, value: Any, label: str, shown: str
) -> None:
    assert facts(message(detail_type, {field: value}))[label] == shown


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        (75, "spending reached the threshold of $75.00"),
        (0.8, "spending reached the threshold of 80 % of the budget"),
        (1, "spending reached the threshold of 100 % of the budget"),
        (0.125, "spending reached the threshold of 12.5 % of the budget"),
        ("75", "spending reached the threshold of $75.00"),
        ({"at": 75}, "spending reached a threshold of the budget"),
    ],
)
def test_a_budget_threshold_above_one_is_in_dollars(threshold: Any, words: str) -> None:
    assert facts(message("LeaseBudgetThresholdAlert", lease(budgetThresholdTriggered=threshold)))["Reason"] == words


def test_a_threshold_of_the_record_is_in_dollars() -> None:
    record = enriched(budgetThresholds={"L": [{"M": {"dollarsSpent": {"N": "0.5"}, "action": {"S": "ALERT"}}}]})
    shown = facts(message("LeaseBudgetThresholdAlert", lease(budgetThresholdTriggered=0.5), record))
    assert shown["Reason"] == "spending reached the threshold of $0.50"


# The record, and the link


@pytest.mark.parametrize(
    ("enrichment", "line"),
    [
        (enriched(), None),
        (Enrichment(Status.NOT_FOUND), "not found"),
        (Enrichment(Status.SKIPPED, Reason.NO_UUID), "not read: the event does not identify the lease"),
        (Enrichment(Status.FAILED, Reason.UNAVAILABLE), "not read: the lease table is unavailable"),
        (Enrichment(Status.FAILED, Reason.DEADLINE), "not read: the lease table did not answer in time"),
        (Enrichment(Status.FAILED, Reason.DEFECT), "not read: something went wrong on our side"),
    ],
)
def test_a_missing_record_is_explained(enrichment: Enrichment, line: str | None) -> None:
    composed = message("LeaseFrozen", lease(), enrichment)
    assert facts(composed).get("Lease record") == line
    assert composed.enriched is (line is None)


def test_an_event_not_about_a_lease_explains_no_missing_record() -> None:
    composed = message("AccountQuarantined", {"awsAccountId": "444455556666"}, Enrichment(Status.SKIPPED, Reason.NO_KEY))
    assert "Lease record" not in facts(composed)
    assert composed.title == "Account quarantined: 444455556666"


@pytest.mark.parametrize("url", ["", "sandbox.example.org", "javascript:alert(1)", "https://a b", "https://x|y", "https://<x>"])
def test_only_a_web_address_is_linked(url: str) -> None:
    composed = message("LeaseFrozen", lease(), console_url=url)
    assert composed.link == ""
    assert "Sandbox console" not in composed.text


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/leases/{uuid}", f"/leases/{UUID}"),
        ("/people/{userEmail}/{uuid}", f"/people/rosa.field%40example.gov.uk/{UUID}"),
        (
            "/assignments/{leaseId}",
            "/assignments/eyJ1c2VyRW1haWwiOiJyb3NhLmZpZWxkQGV4YW1wbGUuZ292LnVrIiwidXVpZCI6IjdkMWMzYjlhLTUyZjAtNGMzOS05YTU1LTBj"
            "MGQ2ZjFmMmExMCJ9",
        ),
    ],
)
def test_the_link_leads_to_the_lease(path: str, leads_to: str) -> None:
    composed = message("LeaseFrozen", lease(), lease_path=path)
    assert composed.link == composed.structured["link"] == CONSOLE + leads_to
    assert composed.link_words == "Open the lease in the sandbox console"
    assert f"Sandbox console: {CONSOLE}{leads_to}" in composed.text


def test_without_a_lease_key_the_link_leads_to_the_console() -> None:
    composed = message("AccountQuarantined", {"awsAccountId": "444455556666"}, lease_path="/leases/{uuid}")
    assert (composed.link, composed.link_words) == (CONSOLE, "Open the sandbox console")


@pytest.mark.parametrize("hostile", ["../../logout", "a?b#c", "x|y>", "\ud800", "é" * 500])
def test_a_lease_key_cannot_change_where_the_link_leads(hostile: str) -> None:
    composed = message("LeaseFrozen", {"leaseId": {"userEmail": USER_EMAIL, "uuid": hostile}}, lease_path="/leases/{uuid}/x")
    assert re.fullmatch(re.escape(CONSOLE) + "(/leases/[A-Za-z0-9%._~-]+/x)?", composed.link)


# Strangers


def test_an_unknown_event_type_has_a_plain_message() -> None:
    detail = lease(accountId="444455556666", extendedBy=24, approver="lead@example.gov.uk", nested={"a": 1}, reason="asked for")
    composed = message("LeaseExtensionApproved", detail)

    assert composed.title == f"Sandbox event LeaseExtensionApproved: {USER_EMAIL}"
    assert facts(composed) == {
        "Who": USER_EMAIL,
        "Account": "444455556666",
        "Reason": "asked for",
        "extendedBy": "24",
        "approver": "lead@example.gov.uk",
    }


def test_a_misleading_type_is_not_in_the_title() -> None:
    composed = message("<!channel> [pay](http://evil.example)", {})
    assert composed.title == "Sandbox event"
    assert composed.event_type == "<!channel> [pay](http://evil.example)"


def test_long_values_are_cut() -> None:
    huge = "x" * 100_000
    detail = dict.fromkeys(("accountId", "comments", "reason", "approvedBy", "userEmail", "uuid"), huge)
    assert len(message("LeaseApproved", detail).text) < 2000


def test_control_characters_do_not_reach_people() -> None:
    composed = message("LeaseFrozen", lease(reason="a\x00b\u202ec\nd"))
    assert facts(composed)["Reason"] == "a b c d"


def test_a_key_without_a_usable_uuid_still_names_the_owner() -> None:
    shown = message("LeaseFrozen", {"leaseId": {"userEmail": "ada@sandbox.example", "uuid": 17}, "accountId": "210987654321"})
    assert facts(shown)["Who"] == "ada@sandbox.example"
    assert shown.recipient == "ada@sandbox.example"
