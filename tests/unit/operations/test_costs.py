"""The monthly costs: the arithmetic is right, the document is current, and nonsense is refused."""

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.notifications.delivery import CLAIMS_KEPT
from lib.operations.costs import report as cost_report
from lib.operations.costs.prices import PRICES, Meter
from lib.operations.costs.pricing import IMPORT_DISK_GB, Line, Workload, monthly_costs
from lib.platform.contract import ENTRY_POINTS
from lib.platform.errors import InvalidInputError
from stack.functions.imports import EPHEMERAL_MB

TABLES = {"LeaseTable", "JiraIssues", "JiraOperations", "Shuttle"}


def quantity(workload: Workload, resource: str, meter: Meter) -> float:
    return sum(line.quantity for line in monthly_costs(workload).lines if (line.resource, line.meter) == (resource, meter))


def test_every_table_and_every_function_is_in_the_bill() -> None:
    assert monthly_costs(Workload(events_per_day=1000)).by_resource().keys() >= {*ENTRY_POINTS} | TABLES


def test_every_meter_has_a_price() -> None:
    assert PRICES.keys() == set(Meter)


@pytest.mark.parametrize(
    ("meter", "amount", "dollars"),
    [
        (Meter.DYNAMODB_WRITE, 2_000_000, 1.25),
        (Meter.DYNAMODB_STORAGE, 10, 2.5),
        (Meter.S3_WRITE, 1000, 0.005),
        (Meter.LAMBDA_DURATION, 1_000_000, 13.3334),
    ],
)
def test_a_line_costs_its_quantity_times_its_price(meter: Meter, amount: float, dollars: float) -> None:
    assert Line("x", meter, amount).dollars == pytest.approx(dollars)


def only(**share: float) -> Workload:
    shares = dict.fromkeys(("lease_share", "jira_share", "commit_share", "draft_share", "import_share"), 0.0)
    return Workload(events_per_day=1000, **shares | share)  # type: ignore[arg-type]


def test_a_job_costs_what_its_transactions_write() -> None:
    idle = quantity(only(lease_share=1.0), "Shuttle", Meter.DYNAMODB_WRITE)
    busy = quantity(only(import_share=1.0), "Shuttle", Meter.DYNAMODB_WRITE)
    # create 6 rows twice + 4 index rows, start 1 + 4, finish 8 rows twice + 7 index rows, publish 1 + 1; too quick for progress
    assert busy - idle == 30_000 * (16 + 5 + 23 + 2)


def test_an_export_makes_no_version_and_no_event() -> None:
    idle = quantity(only(lease_share=1.0), "Shuttle", Meter.DYNAMODB_WRITE)
    busy = quantity(only(export_share=1.0), "Shuttle", Meter.DYNAMODB_WRITE)
    assert busy - idle == 30_000 * (16 + 5 + 14)


def test_the_disk_of_imports_is_that_of_the_stack() -> None:
    assert IMPORT_DISK_GB * 1024 == EPHEMERAL_MB - 512


def test_versions_are_stored_for_the_days_of_history() -> None:
    workload = only(jira_share=1.0)
    expected = 1000 * workload.jira_version_bytes * workload.history_days / 1024**3
    assert quantity(workload, "JiraIssues", Meter.DYNAMODB_STORAGE) == pytest.approx(expected)


@given(st.integers(0, 10**8), st.integers(0, 10**8))
def test_more_events_never_cost_less(some: int, more: int) -> None:
    few, many = sorted((some, more))
    assert monthly_costs(Workload(events_per_day=few)).dollars <= monthly_costs(Workload(events_per_day=many)).dollars


@given(st.integers(1, 10**7))
def test_the_table_and_the_json_say_the_same(events: int) -> None:
    breakdown = monthly_costs(Workload(events_per_day=events))
    printed = json.loads(cost_report.as_json(breakdown))
    assert printed["dollars"] == pytest.approx(sum(line["dollars"] for line in printed["lines"]), abs=0.01)
    assert cost_report.as_table(breakdown).splitlines()[-1].split() == ["total", f"{breakdown.dollars:,.2f}"]


@pytest.mark.parametrize("events", cost_report.SIZES.values())
def test_the_table_fits_80_columns(events: int) -> None:
    lines = cost_report.as_table(monthly_costs(Workload(events_per_day=events))).splitlines()
    assert max(map(len, lines)) <= 80


def test_a_workload_file_is_read() -> None:
    assert Workload.read({"events_per_day": 5, "history_days": 7}) == Workload(events_per_day=5, history_days=7)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"events_per_day": "many"},
        {"events_per_day": True},
        {"events_per_day": -1},
        {"events_per_day": float("nan")},
        {"events_per_day": 1, "colour": 2},
        {"events_per_day": 1, "lease_share": 0.9},
    ],
)
def test_a_workload_file_that_makes_no_sense_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        Workload.read(content)


def test_the_largest_number_of_a_workload_is_named() -> None:
    with pytest.raises(
        InvalidInputError, match=r"^the workload's events_per_day is not a number from 0 to 1,000,000,000,000,000$"
    ):
        Workload(events_per_day=10**15 + 1)


def test_claims_are_priced_for_as_long_as_they_are_kept() -> None:
    assert Workload(events_per_day=1).claim_days == CLAIMS_KEPT.days


def test_the_document_is_current() -> None:
    document = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "costs.md"
    assert document.read_text(encoding="utf-8") == cost_report.as_document()
