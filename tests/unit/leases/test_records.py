"""Reading a lease from a DynamoDB item: typed where the item is right, None and named where it is wrong."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from lib.leases.records import Lease, LeaseStatus, Threshold, read_lease, read_value
from tests.support.leases.builders import ABSENT, USER_EMAIL, UUID, lease_item


def test_every_field_that_is_used_is_read_in_its_type() -> None:
    item = lease_item(
        "Expired",
        comments={"S": "for the spring survey"},
        createdBy={"S": "lead@example.gov.uk"},
        budgetThresholds={"L": [{"M": {"dollarsSpent": {"N": "200"}, "action": {"S": "ALERT"}}}]},
        durationThresholds={"L": [{"M": {"hoursRemaining": {"N": "8"}, "action": {"S": "FREEZE_ACCOUNT"}}}]},
        costReportGroup={"S": "surveys"},
        blueprintId={"S": "b-1"},
        blueprintName={"S": "Notebook"},
        expirationDate={"S": "2026-03-04T17:30:00.000Z"},
    )

    assert read_lease(item) == Lease(
        user_email=USER_EMAIL,
        uuid=UUID,
        status="Expired",
        original_lease_template_uuid="c2b2a7f4-0d3e-4d5b-8a55-1f6c0e8f7b21",
        original_lease_template_name="Data science, small",
        max_spend=Decimal(250),
        lease_duration_in_hours=Decimal(72),
        budget_thresholds=(Threshold(Decimal(200), "ALERT"),),
        blueprint_name="Notebook",
        aws_account_id="444455556666",
        start_date=datetime(2026, 3, 1, 17, 30, tzinfo=UTC),
        expiration_date=datetime(2026, 3, 4, 17, 30, tzinfo=UTC),
        total_cost_accrued=Decimal("31.07"),
        end_date=datetime(2026, 3, 4, 17, 30, tzinfo=UTC),
        names=frozenset(item),
        mistyped=(),
    )


@pytest.mark.parametrize("status", [*LeaseStatus, "Hibernating"])
def test_a_record_of_any_status_is_read(status: str) -> None:
    lease = read_lease(lease_item(status))

    assert lease.status == status
    assert lease.mistyped == ()


@pytest.mark.parametrize(
    ("name", "field", "wrong"),
    [
        ("status", "status", {"N": "1"}),
        ("userEmail", "user_email", {"NULL": True}),
        ("originalLeaseTemplateName", "original_lease_template_name", {"L": []}),
        ("maxSpend", "max_spend", {"S": "250"}),
        ("maxSpend", "max_spend", {"N": "NaN"}),
        ("maxSpend", "max_spend", {"N": "a lot"}),
        ("budgetThresholds", "budget_thresholds", {"S": "75"}),
        ("budgetThresholds", "budget_thresholds", {"L": [{"N": "75"}]}),
        ("budgetThresholds", "budget_thresholds", {"L": [{"M": {"dollarsSpent": {"S": "75"}, "action": {"S": "ALERT"}}}]}),
        ("budgetThresholds", "budget_thresholds", {"L": [{"M": {"dollarsSpent": {"N": "75"}}}]}),
        ("startDate", "start_date", {"N": "1772386200"}),
        ("startDate", "start_date", {"S": "in spring"}),
        ("startDate", "start_date", {"S": "2026-03-01T17:30:00"}),
        ("totalCostAccrued", "total_cost_accrued", {"NULL": True}),
        ("awsAccountId", "aws_account_id", {"SS": ["444455556666"]}),
        ("awsAccountId", "aws_account_id", {"S": "1", "N": "1"}),
        ("awsAccountId", "aws_account_id", "444455556666"),
    ],
    ids=str,
)
def test_a_field_of_the_wrong_type_is_none_and_named(name: str, field: str, wrong: Any) -> None:
    lease = read_lease(lease_item("Active", **{name: wrong}))

    assert getattr(lease, field) is None
    assert lease.mistyped == (name,)
    assert lease.uuid == UUID


@pytest.mark.parametrize(("name", "wrong"), [("comments", {"BOOL": False}), ("meta", {"L": []}), ("ttl", {"S": "soon"})])
def test_a_field_that_is_not_used_is_named_if_its_type_is_wrong(name: str, wrong: Any) -> None:
    assert read_lease(lease_item("Expired", **{name: wrong})).mistyped == (name,)


def test_a_null_counts_as_absent_for_an_optional_field() -> None:
    lease = read_lease(lease_item("Active", blueprintId={"NULL": True}, expirationDate={"NULL": True}))

    assert (lease.expiration_date, lease.mistyped) == (None, ())


def test_absent_fields_are_none_and_not_mistyped() -> None:
    lease = read_lease(lease_item("Active", maxSpend=ABSENT, awsAccountId=ABSENT))

    assert (lease.max_spend, lease.aws_account_id, lease.mistyped) == (None, None, ())


def test_unknown_fields_are_kept_by_name_only() -> None:
    assert "teamColour" in read_lease(lease_item(teamColour={"S": "green"})).names


def test_a_number_keeps_all_its_digits() -> None:
    assert read_value({"N": "12345678901234567890.123456789012345678"}) == Decimal("12345678901234567890.123456789012345678")


def test_a_document_nested_too_deeply_is_refused() -> None:
    value: dict[str, Any] = {"S": "bottom"}
    for _ in range(100_000):
        value = {"L": [value]}

    with pytest.raises(ValueError, match="attribute value"):
        read_value(value)
