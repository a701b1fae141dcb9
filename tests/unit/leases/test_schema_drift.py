"""The schema fingerprint and drift: what counts as a change of the schema, and what comes and goes."""

import hashlib

import pytest

from lib.leases.records import LeaseStatus, read_lease
from lib.leases.schema_drift import Drift, drift, drift_of, fingerprint
from tests.support.leases.builders import ABSENT, lease_item


def test_the_fingerprint_is_the_sha256_of_the_sorted_names_as_json() -> None:
    assert fingerprint(["uuid", "status"]) == hashlib.sha256(b'["status", "uuid"]').hexdigest()


@pytest.mark.parametrize("others", [["ab"], ["a,b"], ["a", "b", ""], ['a", "b'], ["a\x00b"], ["a"], []], ids=str)
def test_names_are_joined_unambiguously(others: list[str]) -> None:
    assert fingerprint(others) != fingerprint(["a", "b"])


def test_an_invalid_unicode_name_has_its_own_fingerprint() -> None:
    assert fingerprint(["\ud83d\ude00"]) != fingerprint(["\U0001f600"])


@pytest.mark.parametrize("status", LeaseStatus)
def test_a_complete_record_has_no_drift(status: LeaseStatus) -> None:
    assert not drift_of(read_lease(lease_item(status)))


@pytest.mark.parametrize("status", LeaseStatus)
def test_optional_fields_come_and_go_without_drift(status: LeaseStatus) -> None:
    more = {"comments": {"S": "x"}, "blueprintId": {"NULL": True}, "meta": {"M": {}}, "costReportGroup": {"S": "g"}}
    fewer = {"maxSpend": ABSENT, "leaseDurationInHours": ABSENT}

    assert not drift_of(read_lease(lease_item(status, **more)))
    assert not drift_of(read_lease(lease_item(status, **fewer)))


def test_an_unknown_field_is_drift() -> None:
    assert drift("Active", [*lease_item("Active"), "teamColour", "aFlag"]) == Drift(("aFlag", "teamColour"), ())


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("PendingApproval", "originalLeaseTemplateName"),
        ("ApprovalDenied", "ttl"),
        ("Provisioning", "awsAccountId"),
        ("Active", "totalCostAccrued"),
        ("Frozen", "lastCheckedDate"),
        ("Expired", "endDate"),
        ("Ejected", "ttl"),
        ("ProvisioningFailed", "startDate"),
    ],
)
def test_a_missing_field_that_the_status_requires_is_drift(status: str, name: str) -> None:
    assert drift(status, lease_item(status, **{name: ABSENT})) == Drift((), (name,))


def test_a_field_of_another_status_is_unknown_to_this_one() -> None:
    assert drift("Active", [*lease_item("Active"), "endDate"]) == Drift(("endDate",), ())


def test_an_unknown_status_is_checked_against_all_statuses() -> None:
    assert not drift("Hibernating", lease_item("Expired"))
    assert drift("Hibernating", [*lease_item("PendingApproval", uuid=ABSENT), "teamColour"]) == Drift(
        ("teamColour",), ("uuid",)
    )


def test_a_record_without_status_lacks_it() -> None:
    assert drift_of(read_lease(lease_item("Active", status=ABSENT))).missing == ("status",)


def test_a_field_of_the_wrong_type_is_drift() -> None:
    assert drift_of(read_lease(lease_item("Active", maxSpend={"S": "250"}))) == Drift((), (), ("maxSpend",))
