"""What DynamoDB refuses or keeps otherwise than moto: the stores stay within it, at its edges too."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lib.jira.issue_writer import MAX_SNAPSHOT_BYTES, IssueWriter, Outcome
from lib.jira.issues import MAX_FIX_VERSIONS, IssueFields, Stamp
from lib.jira.webhooks import Delivery
from lib.leases.enrichment import Enricher, Status
from lib.leases.events import LeaseEvent
from lib.platform import aws, errors
from lib.platform.contract import JIRA_ISSUES, JIRA_OPERATIONS, LEASE_TABLE, SHUTTLE, TableLayout
from lib.platform.log import Logger
from tests.support.dynamodb.tables import a_table
from tests.support.jira.builders import NOW, Snapshots, make_reader, make_store
from tests.support.leases.builders import USER_EMAIL, UUID, lease_item

STAMP = Stamp("2026-03-01T12:00:01.000000Z", 1, "d")


@pytest.fixture
def issues(engine: Any) -> Iterator[str]:
    with a_table(engine, JIRA_ISSUES) as name:
        yield name


def delivery(snapshot: str = "{}", **fields: Any) -> Delivery:
    return Delivery("OPS-7", "1", STAMP, "jira:issue_updated", IssueFields(**fields), snapshot=snapshot)


@pytest.mark.parametrize("layout", [LEASE_TABLE, JIRA_ISSUES, JIRA_OPERATIONS, SHUTTLE], ids=lambda layout: layout.name)
def test_dynamodb_creates_and_expires_the_stacks_tables(engine: Any, layout: TableLayout) -> None:
    with a_table(engine, layout) as name:
        engine.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": layout.ttl})

        table = engine.describe_table(TableName=name)["Table"]

        assert {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])} == {i.name for i in layout.indexes}
        assert engine.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["AttributeName"] == layout.ttl


def test_fields_without_text_are_stored_and_found_empty(jira_issues: Any) -> None:
    """An empty text may be in a row, but not in an index's key."""
    store, reader = make_store(jira_issues), make_reader(jira_issues)

    store.record(delivery(summary="", assignee_name=""))

    head = reader.latest("OPS-7")
    assert head is not None
    assert (head.fields.summary, head.fields.assignee_name, head.fields.status) == ("", "", None)


def test_the_largest_issue_that_jira_allows_fits_its_rows(jira_issues: Any) -> None:
    """200 names of 250 four-byte characters beside a snapshot that just fits: 400 kB are not passed, and all are found."""
    names = tuple(f"{number:05d}" + "𝔙" * 248 for number in range(MAX_FIX_VERSIONS))
    snapshots = Snapshots()
    store, reader = make_store(jira_issues, snapshots=snapshots), make_reader(jira_issues)

    outcome = store.record(delivery("x" * MAX_SNAPSHOT_BYTES, summary="𝔖" * 1000, fix_versions=names)).outcome

    assert outcome is Outcome.STORED
    assert len(snapshots.written) == 1, "so many names leave no room for the snapshot"
    for name in (names[0], names[-1]):
        assert [issue.issue_key for issue in reader.by_fix_version(name)] == ["OPS-7"]


def test_a_row_over_400_kb_is_a_permanent_error(engine: Any, issues: str) -> None:
    with pytest.raises(ClientError) as caught:
        engine.put_item(
            TableName=issues,
            Item={"issue_key": {"S": "OPS-7"}, "updated_at": {"S": "HEAD"}, "raw": {"S": "x" * 410_000}},
        )
    assert type(aws.translate(caught.value, "store the version")) is errors.PermanentError


def test_an_event_time_of_any_size_is_kept_to_the_digit(engine: Any, issues: str) -> None:
    store = IssueWriter(engine, issues, history=timedelta(days=90), snapshots=Snapshots(), now=lambda: NOW)
    at = 253_402_300_799_999  # the last millisecond of the year 9999
    store.record(Delivery("OPS-7", "1", Stamp(STAMP.version_at, at, "d"), "jira:issue_updated", IssueFields()))
    row = engine.get_item(TableName=issues, Key={"issue_key": {"S": "OPS-7"}, "updated_at": {"S": "HEAD"}})["Item"]
    assert row["event_at"] == {"N": str(at)}


def test_a_leases_money_is_read_to_dynamodbs_last_digit(engine: Any) -> None:
    """38 digits; more are refused when they are written, whoever writes them."""
    cost = "123456789012345678901234567890123456.78"
    with a_table(engine, LEASE_TABLE) as name:
        engine.put_item(TableName=name, Item=lease_item(totalCostAccrued={"N": cost}, maxSpend={"N": "1E+120"}))
        event = LeaseEvent("e", "LeaseExpired", "s", NOW, {"userEmail": USER_EMAIL, "uuid": UUID})

        enrichment = Enricher(engine, name, Logger("digits")).enrich(event)

        assert enrichment.status is Status.ENRICHED
        assert enrichment.lease is not None
        assert (enrichment.lease.total_cost_accrued, enrichment.lease.max_spend) == (Decimal(cost), Decimal("1E+120"))


def test_an_empty_lease_key_is_skipped_before_dynamodb_refuses_it(engine: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with a_table(engine, LEASE_TABLE) as name:
        with pytest.raises(ClientError, match="ValidationException"):
            engine.get_item(TableName=name, Key={"userEmail": {"S": ""}, "uuid": {"S": UUID}})
        event = LeaseEvent("e", "LeaseExpired", "s", NOW, {"userEmail": "", "uuid": UUID})

        assert Enricher(engine, name, Logger("empty")).enrich(event).status is Status.SKIPPED
        assert "ValidationException" not in json.dumps(capfd.readouterr())
