"""Reconciliation against the Jira stand-in over HTTP: the store ends as Jira is, and no fault deletes a live issue."""

import json
from datetime import timedelta

import pytest

from lib.jira import webhooks
from lib.jira.issues import Stamp
from lib.jira.reconciliation.checkpoint import Checkpoint, DeleteLimit
from lib.jira.reconciliation.merge import KeyRange
from lib.platform import clock, errors
from stack.local.standins.faults import Fault
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import jira_site, latest, make_reader, make_reconciler, make_store, read_delivery, stored_keys

SEARCH = "/rest/api/3/search/jql"
WHOLE = Checkpoint(KeyRange("OPS"))


@pytest.fixture
def jira():
    with jira_site() as (site, client):
        yield site, client


@pytest.fixture
def table():
    return FakeTable()


def live_keys(site):
    issues = [issue for issue in site.site.by_id.values() if issue.project == "OPS"]
    return [issue.key for issue in sorted(issues, key=lambda issue: issue.number)]


@pytest.fixture
def in_step(jira, table):
    """250 issues, three pages, and a store that has them."""
    site, client = jira
    site.seed("OPS", 250)
    assert make_reconciler(client, table).sweep(WHOLE).complete
    return site, client


def test_an_empty_store_is_filled(jira, table):
    site, client = jira
    site.seed("OPS", 250)
    result = make_reconciler(client, table).sweep(WHOLE)
    assert (result.counts.fetched, result.counts.created, result.counts.unchanged) == (250, 250, 0)
    assert stored_keys(table) == live_keys(site)


def test_a_second_sweep_writes_nothing(in_step, table):
    _, client = in_step
    table.calls.clear()
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.complete
    assert result.counts.unchanged == 250
    assert not [call for call, _ in table.calls if call != "query"]


def test_changes_deletions_and_moves_are_caught_up_with(in_step, table):
    site, client = in_step
    site.edit("OPS-7", status="Done", fix_versions=["1.0", "2.0"])
    site.delete("OPS-20")
    site.edit("OPS-30", project="WEB")
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.complete
    assert (result.counts.updated, result.counts.deleted, result.counts.unchanged) == (1, 2, 247)
    assert stored_keys(table) == live_keys(site)
    assert latest(table, "OPS-7").fields.status == "Done"
    assert [issue.issue_key for issue in make_reader(table).by_fix_version("2.0")] == ["OPS-7"]
    assert latest(table, "OPS-20").deleted
    assert latest(table, "OPS-30").moved_to == "WEB-1"
    assert latest(table, "WEB-1").deleted is False


def test_a_dry_run_counts_and_writes_nothing(in_step, table):
    site, client = in_step
    site.edit("OPS-7", status="Done")
    site.delete("OPS-20")
    before = json.dumps(sorted(map(str, table.items.items())))
    result = make_reconciler(client, table, dry_run=True).sweep(WHOLE)
    assert (result.counts.updated, result.counts.deleted) == (1, 1)
    assert json.dumps(sorted(map(str, table.items.items()))) == before


def test_search_lag_neither_deletes_nor_revives(in_step, table):
    site, client = in_step
    site.site.lag = timedelta(hours=1)
    site.create("OPS", "too fresh for search")
    make_store(table).record(read_delivery(site.webhooks.sent[-1]["body"], clock.utc_now()))
    site.delete("OPS-20")
    make_store(table).record(read_delivery(site.webhooks.sent[-1]["body"], clock.utc_now()))
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.complete
    assert (result.counts.deleted, result.counts.created) == (0, 0)
    assert stored_keys(table) == live_keys(site)


@pytest.mark.parametrize(
    "fault",
    [
        {"error": "half_page", "times": 9},
        {"status": 500, "times": 9},
        {"error": "rate_limited", "times": 9},
        {"error": "expired_token", "times": 9},
        {"status": 403, "times": 9},
        {"reset": True, "times": 9},
        {"status": 200, "body": '{"issues": [], "isLast": false}', "times": 9},
        {"status": 200, "body": '{"isLast": true}', "times": 9},
        {"status": 200, "body": '{"issues": [{"id": "1"}], "isLast": true}', "times": 9},
        {"status": 400, "body": '{"errorMessages": ["The value \'OPS\' does not exist"]}', "times": 9},
    ],
    ids=lambda fault: fault.get("error") or fault.get("body") or str(fault.get("status") or "reset"),
)
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_broken_page_deletes_nothing_and_says_so(in_step, table, fault, page):
    site, client = in_step
    for number in (20, 120, 220):
        site.delete(f"OPS-{number}")
    for _ in range(page - 1):
        site.faults.add(Fault(path=SEARCH, hang=0.001))  # these pages are answered
    site.faults.add(Fault(path=SEARCH, **fault))
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.refused
    assert "nothing was deleted" in result.refused[0]
    assert result.counts.deleted == 0
    assert len(stored_keys(table)) == 250


def test_a_passing_fault_costs_nothing(in_step, table):
    site, client = in_step
    site.delete("OPS-20")
    for fault in ({"status": 500}, {"error": "rate_limited"}, {"reset": True}, {"error": "half_page"}):
        site.faults.add(Fault(path=SEARCH, **fault))
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.complete
    assert stored_keys(table) == live_keys(site)


@pytest.mark.parametrize("hidden", [["OPS"], [f"OPS-{number}" for number in range(1, 200)]])
def test_a_lost_permission_deletes_nothing(in_step, table, hidden):
    site, client = in_step
    site.site.hidden = set(hidden)
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.refused
    assert len(stored_keys(table)) == 250


def test_an_unseen_project_that_lists_as_empty_deletes_nothing(in_step, table):
    site, client = in_step
    site.site.hidden = {"OPS"}
    site.faults.add(Fault(path=SEARCH, status=200, body='{"issues": [], "isLast": true}', times=999))
    result = make_reconciler(client, table, limit=DeleteLimit.parse("100%")).sweep(WHOLE)
    assert "may not see it" in result.refused[0]
    assert len(stored_keys(table)) == 250


def test_more_deletions_than_allowed_are_refused_all_together(in_step, table):
    site, client = in_step
    for number in range(1, 5):
        site.delete(f"OPS-{number}")
    result = make_reconciler(client, table, limit=DeleteLimit.parse("3")).sweep(WHOLE)
    assert "Jira lacks 4 of 250 issues" in result.refused[0]
    assert len(stored_keys(table)) == 250
    assert make_reconciler(client, table, limit=DeleteLimit.parse("4")).sweep(WHOLE).counts.deleted == 4


def test_a_token_that_expires_before_the_confirmation_deletes_nothing(in_step, table):
    site, client = in_step
    site.delete("OPS-20")
    site.faults.add(Fault(path="/rest/api/3/issue/OPS-20", error="expired_token", times=9))
    result = make_reconciler(client, table).sweep(WHOLE)
    assert (result.counts.deleted, result.counts.failed) == (0, 1)
    assert not result.complete
    assert "OPS-20" in stored_keys(table)


def test_an_issue_that_the_listing_lacks_and_jira_has_stays(in_step, table):
    site, client = in_step
    whole = client.search(WHOLE.key_range.jql())
    page = {"issues": [issue for issue in whole.issues if issue["key"] != "OPS-20"], "nextPageToken": whole.next_token}
    site.faults.add(Fault(path=SEARCH, status=200, body=json.dumps(page)))
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.complete
    assert (result.counts.deleted, result.counts.unchanged) == (0, 250)
    assert "OPS-20" in stored_keys(table)


def test_a_sweep_out_of_time_goes_on_from_its_checkpoint(in_step, table):
    site, client = in_step
    for number in (20, 120, 220):
        site.delete(f"OPS-{number}")
    site.edit("OPS-240", status="Done")
    checkpoint: Checkpoint | None = WHOLE
    invocations = 0
    while checkpoint is not None:
        restored = Checkpoint.from_json(json.loads(json.dumps(checkpoint.to_json())))
        result = make_reconciler(client, table, seconds_left=lambda: 5.0).sweep(restored)
        checkpoint, invocations = result.checkpoint, invocations + 1
        if checkpoint is not None and not checkpoint.listed:
            assert result.counts.deleted == 0, "nothing is deleted before the listing is complete"
    assert invocations == 5, "three pages, and a confirmation in each from the third on"
    assert (result.counts.fetched, result.counts.deleted, result.counts.updated, result.counts.unchanged) == (247, 3, 1, 246)
    assert stored_keys(table) == live_keys(site)


def test_key_ranges_add_up_to_the_project(in_step, table):
    site, client = in_step
    for number in (20, 120, 220):
        site.delete(f"OPS-{number}")
    parts = (KeyRange("OPS", 0, 90), KeyRange("OPS", 90, 180), KeyRange("OPS", 180, None))
    results = [make_reconciler(client, table).sweep(Checkpoint(part)) for part in parts]
    assert all(result.complete for result in results)
    assert [result.counts.fetched for result in results] == [89, 89, 69]
    assert stored_keys(table) == live_keys(site)


def test_a_range_whose_bound_issue_does_not_exist_is_refused(in_step, table):
    """Jira's search finds nothing then, and says nothing."""
    site, client = in_step
    site.delete("OPS-90")
    few = KeyRange("OPS", 90, 95)
    assert client.search(few.jql()).issues == ()
    result = make_reconciler(client, table).sweep(Checkpoint(few))
    assert result.refused
    assert len(stored_keys(table)) == 250


def test_a_tombstone_in_error_is_undone(in_step, table):
    site, client = in_step
    head = latest(table, "OPS-20")
    gone = webhooks.gone("OPS-20", head.issue_id, seen_at=clock.utc_now(), after=head.stamp, reason="in error")
    make_store(table).record(gone)
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.complete
    assert result.counts.created == 1
    assert latest(table, "OPS-20").deleted is False
    site.edit("OPS-20", status="Done")
    make_store(table).record(read_delivery(site.webhooks.sent[-1]["body"], clock.utc_now()))
    assert latest(table, "OPS-20").fields.status == "Done"


def forge(client, table, key, *, ahead, **fields):
    """Store a state that Jira never had, as who has the token of Jira Automation can."""
    issue = client.fetch(key)
    updated = (clock.utc_now() + ahead).isoformat(timespec="milliseconds")
    body = json.dumps({**issue, "fields": {**issue["fields"], **fields, "updated": updated}}).encode()
    forged = webhooks.normalise_automation(body, clock.utc_now())
    assert isinstance(forged, webhooks.Delivery)
    assert make_store(table).record(forged).outcome.name == "STORED"


@pytest.mark.parametrize("ahead", [timedelta(minutes=1), timedelta(hours=23)])
def test_a_forged_state_is_corrected_by_the_sweep(in_step, table, ahead):
    site, client = in_step
    forge(client, table, "OPS-7", ahead=ahead, summary="forged")

    dry = make_reconciler(client, table, dry_run=True).sweep(WHOLE)
    assert (dry.counts.updated, latest(table, "OPS-7").fields.summary) == (1, "forged")
    assert make_reconciler(client, table).sweep(WHOLE).counts.updated == 1
    assert latest(table, "OPS-7").fields.summary == site.site.find("OPS-7").summary
    assert make_reconciler(client, table).sweep(WHOLE).counts.updated == 0


def test_a_webhook_newer_than_the_search_results_is_kept(in_step, table):
    site, client = in_step
    site.site.lag = timedelta(hours=1)
    site.edit("OPS-7", status="Done")
    make_store(table).record(read_delivery(site.webhooks.sent[-1]["body"], clock.utc_now()))
    before = latest(table, "OPS-7")

    assert make_reconciler(client, table).sweep(WHOLE).counts.updated == 0
    assert latest(table, "OPS-7") == before


def test_without_time_a_disputed_state_waits_for_the_next_sweep(in_step, table):
    _, client = in_step
    forge(client, table, "OPS-7", ahead=timedelta(hours=1), summary="forged")
    result = make_reconciler(client, table, seconds_left=lambda: 5.0).sweep(WHOLE)
    assert (result.counts.failed, result.counts.updated) == (0, 0)
    assert latest(table, "OPS-7").fields.summary == "forged"


def test_a_drift_with_the_same_updated_is_cleared(in_step, table):
    """A version renamed in Jira bumps no issue's ``updated``."""
    site, client = in_step
    issue = site.site.find("OPS-7")
    site.edit("OPS-7", fix_versions=["renamed"], updated=issue.updated)
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.counts.updated == 1
    assert latest(table, "OPS-7").fields.fix_versions == ("renamed",)


def test_a_row_that_can_not_be_written_is_counted_as_failed(in_step, table):
    site, client = in_step
    site.edit("OPS-7", status="Done")
    site.edit("OPS-8", status="Done")
    failures = iter([errors.ThrottledError("could not store")])

    def fail_once():
        for failure in failures:
            raise failure

    table.before_write = fail_once
    result = make_reconciler(client, table).sweep(WHOLE)
    assert (result.counts.failed, result.counts.updated) == (1, 1)
    assert [(change.issue_key, change.action) for change in result.changes] == [("OPS-7", "failed"), ("OPS-8", "updated")]


def test_a_store_that_is_down_stops_the_sweep(jira, table):
    site, client = jira
    site.seed("OPS", 250)

    def fail():
        raise errors.ThrottledError("could not store")

    table.before_write = fail
    result = make_reconciler(client, table).sweep(WHOLE)
    assert result.refused
    assert result.counts.failed == 10


def test_a_catch_up_stores_changes_and_deletes_nothing(in_step, table):
    site, client = in_step
    site.site.now = lambda: clock.utc_now() + timedelta(hours=2)
    site.edit("OPS-7", status="Done")
    site.create("OPS", "new")
    site.delete("OPS-20")
    since = clock.utc_now() + timedelta(hours=1, minutes=50)
    result = make_reconciler(client, table, now=lambda: clock.utc_now() + timedelta(hours=2)).catch_up("OPS", since)
    assert result.complete
    assert (result.counts.fetched, result.counts.created, result.counts.updated) == (2, 1, 1)
    assert "OPS-20" in stored_keys(table)


def test_catching_up_after_a_failure_says_so(in_step, table):
    site, client = in_step
    site.faults.add(Fault(path=SEARCH, status=500, times=9))
    result = make_reconciler(client, table).catch_up("OPS", None)
    assert not result.complete


def test_a_row_stamped_in_the_future_is_still_deleted(in_step, table):
    site, client = in_step
    head = latest(table, "OPS-20")
    ahead = Stamp("2999-01-01T00:00:00.000000Z", head.stamp.event_at, "ahead")
    issue = webhooks.from_rest(client.fetch("OPS-20"), event_type="test", event_at=0, idempotency_key="ahead")
    make_store(table).record(webhooks.Delivery("OPS-20", issue.issue_id, ahead, "test", issue.fields))
    site.delete("OPS-20")
    assert make_reconciler(client, table).sweep(WHOLE).counts.deleted == 1
    assert latest(table, "OPS-20").deleted
