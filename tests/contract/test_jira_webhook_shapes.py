"""Every shape of Jira webhook that is known, by product and age, and what it becomes.

The payloads are written by hand after what Jira Cloud, Server and old Server send; people and sites are made up.
"""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery, Ignored, NeedsFetch, normalise, normalise_automation
from lib.platform import clock, errors
from tests.support.jira.builders import read_delivery

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


def encoded(body):
    return json.dumps(body).encode()


def digest(body):
    """The idempotency key of what arrives as ``body``."""
    return hashlib.sha256(encoded(body)).hexdigest()


def read(body):
    return normalise(encoded(body), RECEIVED)


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
    assert delivery.stamp == Stamp("2026-03-01T11:59:59.900000Z", SENT, digest(body))
    assert delivery.fields == IssueFields("Disk full", "In Progress", "5b1", "Ada", ("1.0", "2.0"))
    assert (delivery.deleted, delivery.moved_from) == (False, None)
    assert json.loads(delivery.snapshot) == body


def test_cloud_issue_updated():
    body = event("jira:issue_updated", issue_event_type_name="issue_updated", issue=issue(), changelog={"id": "2", "items": []})
    assert read(body).stamp.version_at == "2026-03-01T11:59:59.900000Z"


def test_cloud_issue_assigned_with_empty_changelog_is_fetched():
    body = event(
        "jira:issue_updated",
        issue_event_type_name="issue_assigned",
        issue=issue(updated=..., created=..., fixVersions=...),
        changelog={"id": "10500", "items": []},
    )
    assert read(body) == NeedsFetch(("OPS-7",), "jira:issue_updated", SENT, digest(body))


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
    assert read(body).stamp == Stamp("2026-03-01T11:55:00.000000Z", SENT, digest(body))


def test_a_deletion_has_its_own_time():
    body = event("jira:issue_deleted", user=CLOUD_USER, issue=issue(updated="2026-03-01T11:59:01.000+0000"))
    delivery = read(body)
    assert delivery.deleted
    assert delivery.stamp == Stamp("2026-03-01T12:00:00.250000Z", SENT, digest(body))


def test_a_deletion_is_never_before_the_edit_it_ends():
    body = event("jira:issue_deleted", issue=issue(updated="2026-03-01T12:00:00.250+0000"))
    assert read(body).stamp.version_at == "2026-03-01T12:00:00.250001Z"


def test_a_deletion_without_fields():
    delivery = read(event("jira:issue_deleted", issue={"id": "10007", "key": "OPS-7"}))
    assert (delivery.deleted, delivery.fields) == (True, IssueFields())


@pytest.mark.parametrize("timestamp", [None, "now", -1, 1e300, [SENT]])
def test_a_deletion_without_a_usable_time_is_dated_just_after_its_edit(timestamp):
    delivery = read({"webhookEvent": "jira:issue_deleted", "issue": issue(), "timestamp": timestamp})
    assert (delivery.deleted, delivery.stamp.version_at) == (True, "2026-03-01T11:59:59.900001Z")


def test_a_deletion_without_any_time_is_malformed():
    with pytest.raises(errors.InvalidInputError, match="timestamp"):
        read({"webhookEvent": "jira:issue_deleted", "issue": issue(updated=...)})


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
def test_a_custom_field_called_key_is_not_a_move(item):
    assert read(moved(**item)).moved_from is None


def test_cloud_comment_with_a_thin_issue_is_fetched():
    thin = issue(updated=..., created=..., fixVersions=...)
    assert read(event("comment_created", comment={"id": "1"}, issue=thin)).issues == ("OPS-7",)


def test_a_comment_is_fetched_even_if_its_issue_looks_whole():
    assert isinstance(read(event("comment_updated", comment={"id": "1"}, issue=issue())), NeedsFetch)


@pytest.mark.parametrize("name", ["comment_created", "comment_updated", "comment_deleted"])
def test_data_center_comment_names_its_issue_by_url(name):
    body = event(name, comment={"self": "https://jira.example.com/rest/api/2/issue/10013/comment/1"})
    assert read(body) == NeedsFetch(("10013",), name, SENT, digest(body))


@pytest.mark.parametrize(
    "url",
    [
        "https://jira.example.com/rest/api/2/issue/OPS-7/comment/1",
        "https://jira.example.com/rest/api/2/issue/10013/worklog/1",
        "https://jira.example.com/rest/api/2/issue/../10013/comment/",
        "https://jira.example.com/rest/api/2/issue/1234567890123456789/comment/1",
        "https://jira.example.com/rest/api/2/issue/\u0661\u0662/comment/1",
        ["/issue/10013/comment/1"],
        None,
    ],
)
def test_only_digits_of_a_comments_url_name_an_issue(url):
    assert read(event("comment_created", comment={"self": url})) == Ignored("the event comment_created names no issue")


TRANSITION = {"workflowName": "Simple", "transitionId": 31, "transitionName": "Done", "to_status": "Done"}


def test_a_transition_webhook_is_a_change():
    delivery = read({"transition": TRANSITION, "comment": "", "issue": issue(), "timestamp": SENT})
    assert (delivery.event_type, delivery.issue_key, delivery.fields.status) == ("transition", "OPS-7", "In Progress")
    assert (delivery.stamp.version_at, delivery.stamp.event_at) == ("2026-03-01T11:59:59.900000Z", SENT)


def test_a_transition_webhook_with_a_thin_issue_is_fetched():
    body = {"transition": TRANSITION, "issue": issue(updated=...), "timestamp": SENT}
    assert read(body) == NeedsFetch(("OPS-7",), "transition", SENT, digest(body))


@pytest.mark.parametrize("body", [{"issue": issue(), "timestamp": SENT}, {"issue": issue()}, issue()])
def test_a_whole_issue_without_an_event_is_a_change(body):
    """Legacy automation of Jira Service Management sends the first."""
    assert (read(body).issue_key, read(body).event_type) == ("OPS-7", "automation")


def test_an_issue_whose_event_cannot_be_read_is_fetched():
    """It may be a deletion."""
    assert read(event(5, issue=issue())).issues == ("OPS-7",)


def test_issue_links_have_numeric_ids_only():
    link = {"id": 5, "sourceIssueId": 10007, "destinationIssueId": 10008, "issueLinkType": {"id": 1, "name": "Blocks"}}
    body = event("issuelink_created", issueLink=link)
    assert read(body) == NeedsFetch(("10007", "10008"), "issuelink_created", SENT, digest(body))


def test_worklogs_have_the_id_of_their_issue():
    worklog = {"id": "3", "issueId": "10007", "timeSpentSeconds": 60}
    assert read(event("worklog_updated", worklog=worklog)).issues == ("10007",)


def test_server_user_deleted_has_neither_event_nor_time():
    assert isinstance(read({"name": "ada", "key": "ada"}), Ignored)


def test_events_of_other_things_are_ignored():
    for name in ("project_created", "jira:version_released", "user_updated", "sprint_started", "board_created"):
        assert isinstance(read(event(name, project={"id": 1}, sprint={"id": 2})), Ignored)


def test_a_fetch_without_a_time_takes_the_time_of_receipt():
    body = {"webhookEvent": "worklog_created", "worklog": {"issueId": "10007"}}
    assert read(body).event_at == clock.epoch_ms(RECEIVED)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (b"", "the body is empty"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": -Infinity}', "not JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"webhookEvent": 5}', "webhookEvent"),
        (b'{"webhookEvent": "jira:issue_updated", "issue": []}', "issue is not an object"),
        (b'{"webhookEvent": "jira:issue_updated", "timestamp": 1, "issue": {}}', "no key"),
        (b'{"webhookEvent": "jira:issue_deleted", "timestamp": 1, "issue": {"id": "10007"}}', "no key"),
        (b'{"transition": {}, "issue": {"key": 5}}', "key is not a string"),
        (b'{"webhookEvent": "jira:issue_updated", "issue": {"key": "ops 7"}}', "issue key"),
    ],
)
def test_malformed_bodies_are_refused_with_a_reason(broken, words):
    with pytest.raises(errors.InvalidInputError, match=words):
        normalise(broken, RECEIVED)


WHOLE = IssueFields("Disk full", "In Progress", "5b1", "Ada", ("1.0", "2.0"))


@pytest.mark.parametrize(
    ("odd", "stored"),
    [
        ({"status": "Done"}, replace(WHOLE, status=None)),
        ({"status": {"name": {"deep": 1}}}, replace(WHOLE, status=None)),
        ({"assignee": [1]}, replace(WHOLE, assignee=None, assignee_name=None)),
        ({"assignee": {"accountId": 5, "name": "ada"}}, replace(WHOLE, assignee="ada", assignee_name=None)),
        ({"fixVersions": {"name": "1.0"}}, replace(WHOLE, fix_versions=())),
        ({"fixVersions": ["1.0", None, {"name": "2.0"}, {"name": None}]}, replace(WHOLE, fix_versions=("2.0",))),
        (
            {"fixVersions": [{"name": f"v{n}"} for n in range(201)]},
            replace(WHOLE, fix_versions=tuple(map("v{}".format, range(200)))),
        ),
        ({"fixVersions": [{"name": "v" * 1001}]}, replace(WHOLE, fix_versions=("v" * 1000,))),
        ({"summary": "half \ud83d of a pair"}, replace(WHOLE, summary="half \ufffd of a pair")),
        ({"summary": "é" * 2001}, replace(WHOLE, summary="é" * 2000)),
        ({"summary": 5}, replace(WHOLE, summary=None)),
    ],
)
def test_an_odd_field_is_empty_or_cut_and_loses_no_issue(odd, stored):
    assert read(event("jira:issue_updated", issue=issue(**odd))).fields == stored


@pytest.mark.parametrize(
    "updated", [..., None, "", "yesterday", "2026-03-01T12:00:00.000", 5, True, [], "0001-01-01T00:00:00+14:00", "\ud800"]
)
def test_an_issue_without_a_usable_updated_is_fetched(updated):
    body = event("jira:issue_updated", issue=issue(updated=updated))
    assert read(body) == NeedsFetch(("OPS-7",), "jira:issue_updated", SENT, digest(body))


@pytest.mark.parametrize(
    "updated",
    ["2026-03-01T04:59:59.900-0700", "2026-03-01T11:59:59.9+0000", 1_772_366_399_900, "1772366399900", 1772366399900.0],
)
def test_updated_is_a_time_with_an_offset_or_milliseconds(updated):
    assert read(event("jira:issue_updated", issue=issue(updated=updated))).stamp.version_at == "2026-03-01T11:59:59.900000Z"


@pytest.mark.parametrize("timestamp", [str(SENT), float(SENT), SENT + 0.5, f" {SENT}.25 "])
def test_a_timestamp_may_be_a_text_or_a_fraction(timestamp):
    assert read({**event("jira:issue_updated", issue=issue()), "timestamp": timestamp}).stamp.event_at == SENT


@pytest.mark.parametrize("timestamp", [None, "now", "", True, -1, 1e300, 10**60, 253_402_300_799_999, {}, "\u0661"])
def test_without_a_usable_timestamp_the_issues_own_time_serves(timestamp):
    body = {**event("jira:issue_updated", issue=issue()), "timestamp": timestamp}
    assert read(body).stamp.event_at == 1_772_366_399_900


@pytest.mark.parametrize("changelog", [[], "none", 5, {"items": {}}, {"items": [None, 5, []]}, None])
def test_a_changelog_of_another_type_is_not_a_move(changelog):
    delivery = read(event("jira:issue_updated", issue=issue(), changelog=changelog))
    assert (delivery.issue_key, delivery.moved_from) == ("OPS-7", None)


@pytest.mark.parametrize("issue_id", ["x", -1, 10**30, [], 1.5, "\u0661"])
def test_an_odd_id_of_an_issue_is_left_out(issue_id):
    assert read(event("jira:issue_updated", issue=issue(issue_id=issue_id))).issue_id is None


@pytest.mark.parametrize(
    "member", [b'"x": 1e99999999999999999999', b'"x": ' + b"9" * 5_000, b'"\\ud83d": 1', b'"\xed\xa0\xbd": "\xff"']
)
def test_an_unknown_member_loses_no_issue(member):
    body = encoded(event("jira:issue_updated", issue=issue())).replace(b"{", b"{" + member + b", ", 1)
    delivery = read_delivery(body, RECEIVED)
    assert delivery.issue_key == "OPS-7"
    delivery.snapshot.encode()


def test_a_byte_order_mark_loses_no_issue():
    assert read_delivery(b"\xef\xbb\xbf" + encoded(event("jira:issue_updated", issue=issue())), RECEIVED).issue_key == "OPS-7"


def test_the_snapshot_is_the_body_as_it_came():
    body = encoded(event("jira:issue_updated", issue=issue(customfield_1="\ud800", customfield_2=10**60)))
    assert read_delivery(body, RECEIVED).snapshot.encode() == body


def test_the_last_of_two_equal_keys_counts():
    body = b'{"webhookEvent": "a", "webhookEvent": "jira:issue_updated", "timestamp": 1, "issue": {"key": "A-1", "key": "B-2"}}'
    fetch = normalise(body, RECEIVED)
    assert isinstance(fetch, NeedsFetch)
    assert fetch.issues == ("B-2",)


# Jira Automation


def automated(value):
    return normalise_automation(encoded(value), RECEIVED)


@pytest.mark.parametrize("body", [issue(), {"issue": issue()}], ids=["bare", "wrapped"])
def test_issue_data_of_automation_is_a_change(body):
    delivery = automated(body)
    assert (delivery.issue_key, delivery.event_type, delivery.fields.status) == ("OPS-7", "automation", "In Progress")
    assert delivery.stamp == Stamp("2026-03-01T11:59:59.900000Z", 1_772_366_399_900, digest(body))


def test_issue_data_in_automations_own_format_is_a_change():
    changelog = {"startAt": 0, "maxResults": 0, "total": 0, "histories": None}
    delivery = automated({**issue(updated=1_772_366_399_900), "id": 10007, "changelog": changelog})
    assert (delivery.issue_id, delivery.stamp.version_at) == ("10007", "2026-03-01T11:59:59.900000Z")


@pytest.mark.parametrize("updated", [..., "soon", "2026-03-02T12:00:00.001+0000", "9999-12-30T00:00:00+0000"])
def test_issue_data_without_a_credible_updated_is_fetched(updated):
    body = {"issue": issue(updated=updated)}
    assert automated(body) == NeedsFetch(("OPS-7",), "automation", clock.epoch_ms(RECEIVED), digest(body))


@pytest.mark.parametrize("body", [event("jira:issue_deleted", issue=issue()), {"transition": {}, "issue": issue()}, moved()])
def test_a_token_permits_no_webhook(body):
    with pytest.raises(errors.UnauthenticatedError, match="must be signed"):
        automated(body)


def test_a_token_permits_no_move():
    body = {name: value for name, value in moved().items() if name != "webhookEvent"}
    assert automated(body).moved_from is None


@pytest.mark.parametrize("body", [{}, {"issue": []}, {"issue": {"fields": {}}}, {"key": "ops 7"}, {"issues": [issue()]}])
def test_what_names_no_issue_is_refused(body):
    with pytest.raises(errors.InvalidInputError):
        automated(body)
