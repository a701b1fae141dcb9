"""Every shape of Jira webhook that is known, by product and age, and what it becomes.

The payloads are written by hand after what Jira Cloud, Server and old Server send; people and sites are made up.
"""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from lib import clock, errors
from lib.jira.deliveries import Delivery, Ignored, NeedsFetch, normalise
from lib.jira.issues import IssueFields, Stamp

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SENT = 1_772_366_400_250  # 2026-03-01T12:00:00.250Z
CLOUD_USER = {"self": "https://example.atlassian.net/rest/api/2/user?accountId=5b1", "accountId": "5b1", "displayName": "Ada"}
SERVER_USER = {"name": "ada", "key": "JIRAUSER10100", "emailAddress": "ada@example.com", "displayName": "Ada L."}


def issue(key="OPS-7", issue_id="10007", **fields):
    fields = {
        "summary": "Disk full",
        "status": {"name": "In Progress", "id": "3", "statusCategory": {"key": "indeterminate"}},
        "assignee": CLOUD_USER,
        "fixVersions": [{"id": "1", "name": "1.0"}, {"id": "2", "name": "2.0"}],
        "updated": "2026-03-01T04:59:59.900-0700",
        "created": "2026-02-01T04:00:00.000-0700",
        "project": {"key": key.split("-")[0]},
        "customfield_10021": 0.1,
        **fields,
    }
    return {"id": issue_id, "key": key, "fields": {name: value for name, value in fields.items() if value is not ...}}


def event(name, **parts):
    return {"timestamp": SENT, "webhookEvent": name, **parts}


def read(body, identifier="d-1"):
    return normalise(json.dumps(body).encode(), identifier, RECEIVED)


def test_cloud_issue_created_with_changelog():
    body = event(
        "jira:issue_created",
        issue_event_type_name="issue_created",
        user=CLOUD_USER,
        issue=issue(),
        changelog={"id": "1", "items": [{"field": "Status", "fieldtype": "jira", "from": None, "to": "3"}]},
    )
    delivery = read(body)
    assert isinstance(delivery, Delivery)
    assert delivery.issue_key == "OPS-7"
    assert delivery.issue_id == "10007"
    assert delivery.event_type == "jira:issue_created"
    assert delivery.stamp == Stamp("2026-03-01T11:59:59.900000Z", SENT, "d-1")
    assert delivery.fields == IssueFields("Disk full", "In Progress", "5b1", "Ada", ("1.0", "2.0"))
    assert (delivery.deleted, delivery.moved_from) == (False, None)
    assert json.loads(delivery.snapshot) == body


def test_cloud_issue_updated():
    body = event("jira:issue_updated", issue_event_type_name="issue_updated", issue=issue(), changelog={"id": "2", "items": []})
    assert read(body).stamp.version_at == "2026-03-01T11:59:59.900000Z"


def test_cloud_issue_assigned_with_empty_changelog_and_few_fields_is_fetched():
    body = event(
        "jira:issue_updated",
        issue_event_type_name="issue_assigned",
        issue=issue(updated=..., created=..., fixVersions=...),
        changelog={"id": "10500", "items": []},
    )
    assert read(body) == NeedsFetch(("OPS-7",), "jira:issue_updated", SENT, "d-1")


def test_server_issue_updated_names_its_assignee_by_name():
    body = event("jira:issue_updated", issue_event_type_name="issue_closed", issue=issue(assignee=SERVER_USER))
    assert (read(body).fields.assignee, read(body).fields.assignee_name) == ("ada", "Ada L.")


def test_old_server_issue_updated_without_event_type_name():
    delivery = read(event("jira:issue_updated", user=SERVER_USER, issue=issue(assignee=None)))
    assert isinstance(delivery, Delivery)
    assert delivery.fields.assignee is None


def test_server_issue_updated_by_a_comment_keeps_its_old_updated():
    body = event(
        "jira:issue_updated",
        issue_event_type_name="issue_commented",
        issue=issue(updated="2026-03-01T11:55:00.000+0000"),
        comment={"id": "10082"},
    )
    assert read(body).stamp == Stamp("2026-03-01T11:55:00.000000Z", SENT, "d-1")


def test_a_deletion_stands_at_its_own_time():
    body = event("jira:issue_deleted", user=CLOUD_USER, issue=issue(updated="2026-03-01T11:59:01.000+0000"))
    delivery = read(body)
    assert delivery.deleted
    assert delivery.stamp == Stamp("2026-03-01T12:00:00.250000Z", SENT, "d-1")


def test_a_deletion_never_stands_before_the_edit_it_ends():
    body = event("jira:issue_deleted", issue=issue(updated="2026-03-01T12:00:00.250+0000"))
    assert read(body).stamp.version_at == "2026-03-01T12:00:00.250001Z"


def test_a_deletion_without_fields():
    delivery = read(event("jira:issue_deleted", issue={"id": "10007", "key": "OPS-7"}))
    assert (delivery.deleted, delivery.fields) == (True, IssueFields())


def test_a_deletion_without_a_time_is_malformed():
    with pytest.raises(errors.InvalidInputError, match="timestamp"):
        read({"webhookEvent": "jira:issue_deleted", "issue": issue()})


def moved(**item):
    change = {"field": "Key", "fieldtype": "jira", "from": None, "fromString": "TES-82", "to": None, "toString": "GOLD-208"}
    return event(
        "jira:issue_updated",
        issue_event_type_name="issue_moved",
        issue=issue("GOLD-208", "10082"),
        changelog={"id": "7", "items": [{"field": "project", "fromString": "Tests"}, {**change, **item}]},
    )


def test_a_move_ends_the_old_key():
    delivery = read(moved())
    new, old = delivery.observations()
    assert (new.issue_key, new.deleted, new.issue_id) == ("GOLD-208", False, "10082")
    assert (old.issue_key, old.deleted, old.moved_to, old.issue_id) == ("TES-82", True, "GOLD-208", "10082")
    assert new.stamp == old.stamp


@pytest.mark.parametrize(
    "item", [{"fieldtype": "custom"}, {"fromString": None}, {"fromString": "not a key"}, {"fromString": "GOLD-208"}]
)
def test_a_custom_field_called_key_is_no_move(item):
    assert read(moved(**item)).moved_from is None


def test_cloud_comment_with_a_thin_issue_is_fetched():
    thin = issue(updated=..., created=..., fixVersions=...)
    assert read(event("comment_created", comment={"id": "1"}, issue=thin)).issues == ("OPS-7",)


def test_a_comment_is_fetched_even_if_its_issue_looks_whole():
    assert isinstance(read(event("comment_updated", comment={"id": "1"}, issue=issue())), NeedsFetch)


def test_server_comment_without_an_issue_is_ignored():
    ignored = read(event("comment_created", comment={"self": "https://jira.example.com/rest/api/2/issue/10013/comment/1"}))
    assert ignored == Ignored("the event comment_created names no issue")


def test_issue_links_have_numeric_ids_only():
    link = {"id": 5, "sourceIssueId": 10007, "destinationIssueId": 10008, "issueLinkType": {"id": 1, "name": "Blocks"}}
    assert read(event("issuelink_created", issueLink=link)) == NeedsFetch(("10007", "10008"), "issuelink_created", SENT, "d-1")


def test_worklogs_have_the_id_of_their_issue():
    worklog = {"id": "3", "issueId": "10007", "timeSpentSeconds": 60}
    assert read(event("worklog_updated", worklog=worklog)).issues == ("10007",)


def test_server_user_deleted_has_neither_event_nor_time():
    assert isinstance(read({"name": "ada", "key": "ada"}), Ignored)


def test_events_of_other_things_are_ignored():
    for name in ("project_created", "jira:version_released", "user_updated", "sprint_started", "board_created"):
        assert isinstance(read(event(name, project={"id": 1}, sprint={"id": 2})), Ignored)


def test_without_an_identifier_the_body_is_its_own_idempotency_key():
    body = json.dumps(event("jira:issue_created", issue=issue())).encode()
    for absent in (None, ""):
        assert normalise(body, absent, RECEIVED).stamp.idempotency_key == hashlib.sha256(body).hexdigest()


def test_a_fetch_without_a_time_takes_the_time_of_receipt():
    body = {"webhookEvent": "worklog_created", "worklog": {"issueId": "10007"}}
    assert read(body).event_at == clock.epoch_ms(RECEIVED)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": -Infinity}', "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a": 1e99999999999999999999}', "not JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"webhookEvent": 5}', "webhookEvent"),
        (b'{"webhookEvent": "\\ud800"}', "Unicode"),
        (b'{"webhookEvent": "jira:issue_updated", "issue": []}', "issue is not an object"),
        (b'{"webhookEvent": "jira:issue_updated", "timestamp": "now", "issue": {}}', "timestamp"),
        (b'{"webhookEvent": "jira:issue_updated", "timestamp": true, "issue": {}}', "timestamp"),
        (b'{"webhookEvent": "jira:issue_updated", "timestamp": 1e300, "issue": {}}', "timestamp"),
        (b'{"webhookEvent": "jira:issue_updated", "issue": {"key": "ops 7"}}', "issue key"),
    ],
)
def test_malformed_bodies_are_refused_with_a_reason(broken, words):
    with pytest.raises(errors.InvalidInputError, match=words):
        normalise(broken, None, RECEIVED)


@pytest.mark.parametrize(
    "fields",
    [
        {"updated": "yesterday"},
        {"updated": "2026-03-01T12:00:00.000"},
        {"updated": 5},
        {"updated": "0001-01-01T00:00:00+14:00"},
        {"status": "Done"},
        {"status": {"name": {"deep": 1}}},
        {"assignee": [1]},
        {"fixVersions": {"name": "1.0"}},
        {"fixVersions": ["1.0"]},
        {"fixVersions": [{"name": f"v{number}"} for number in range(201)]},
        {"fixVersions": [{"name": "v" * 1001}]},
        {"summary": "\ud800"},
        {"summary": "x" * 4001},
    ],
)
def test_fields_that_break_jiras_contract_are_refused(fields):
    with pytest.raises(errors.InvalidInputError):
        read(event("jira:issue_updated", issue=issue(**fields)))


def test_strange_values_in_fields_that_do_not_count_lose_no_event():
    body = json.dumps(event("jira:issue_updated", issue=issue(customfield_1="\ud800", customfield_2=10**60))).encode()
    delivery = normalise(body, "d-1", RECEIVED)
    assert delivery.snapshot.encode() == body


def test_the_last_of_two_equal_keys_counts():
    body = b'{"webhookEvent": "a", "webhookEvent": "jira:issue_updated", "timestamp": 1, "issue": {"key": "A-1", "key": "B-2"}}'
    assert normalise(body, "d-1", RECEIVED).issues == ("B-2",)


def test_an_identifier_that_is_no_identifier_is_refused():
    with pytest.raises(errors.InvalidInputError, match="X-Atlassian-Webhook-Identifier"):
        read(event("jira:issue_created", issue=issue()), identifier="x" * 300)
