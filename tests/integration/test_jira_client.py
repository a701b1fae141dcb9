"""The Jira client against the stand-in over HTTP: what it asks, what it makes of errors, and what it does twice."""

import json

import pytest
from werkzeug.wrappers import Response

from lib.jira.client import JiraClient, RateLimitedError
from lib.jira.webhooks import from_rest
from lib.platform import errors
from stack.local.standins.faults import Fault
from tests.support.jira.builders import EMAIL, TOKEN, jira_site, secret

ISSUE = "/rest/api/3/issue"
NEW = {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "Disk full", "labels": ["switchboard"]}


@pytest.fixture
def jira():
    with jira_site() as (site, client):
        site.seed("OPS", 120)
        site.requests.clear()
        yield site, client


def creations(site):
    return [request for request in site.requests if (request["method"], request["path"]) == ("POST", ISSUE)]


def test_making_a_client_sends_no_request(jira):
    site, _ = jira
    assert site.requests == []


def test_an_issue_is_fetched_with_what_a_delivery_needs(jira):
    _, client = jira
    delivery = from_rest(client.fetch("OPS-7"), event_type="fetched", event_at=1, idempotency_key="d")
    assert (delivery.issue_key, delivery.fields.status) == ("OPS-7", "To Do")


def test_a_moved_issue_comes_back_under_its_new_key(jira):
    site, client = jira
    site.edit("OPS-7", project="WEB")
    issue = client.fetch("OPS-7")
    delivery = from_rest(issue, event_type="fetched", event_at=1, idempotency_key="d", asked_for="OPS-7")
    assert (delivery.issue_key, delivery.moved_from) == ("WEB-1", "OPS-7")


def test_missing_and_hidden_issues_look_the_same(jira):
    site, client = jira
    site.site.hidden = {"OPS-7"}
    for key in ("OPS-7", "OPS-999", "../myself"):
        with pytest.raises(errors.NotFoundError):
            client.fetch(key)


def test_a_search_is_paged_by_token(jira):
    _, client = jira
    jql = 'project = "OPS" ORDER BY key ASC'
    first = client.search(jql)
    second = client.search(jql, token=first.next_token)
    assert [len(page.issues) for page in (first, second)] == [100, 20]
    assert second.next_token is None
    assert [issue["key"] for issue in (*first.issues, *second.issues)] == [f"OPS-{number}" for number in range(1, 121)]


def test_search_lags_and_reconciling_an_id_does_not(jira):
    from datetime import timedelta

    site, client = jira
    site.site.lag = timedelta(hours=1)
    issue = site.create("OPS", "fresh", labels=["marker"])
    assert client.search('project = "OPS" AND labels = marker').issues == ()
    found = client.search('project = "OPS" AND labels = marker', reconcile=(str(issue.id),)).issues
    assert [entry["key"] for entry in found] == [issue.key]


@pytest.mark.parametrize("jql", ["", "ORDER BY key", 'project = "NOPE"', "project = "])
def test_jql_that_jira_refuses_is_invalid_input(jira, jql):
    _, client = jira
    with pytest.raises(errors.InvalidInputError):
        client.search(jql)


def test_a_wrong_token_is_refused_and_named_nowhere(jira):
    _, client = jira
    with pytest.raises(errors.CredentialRefusedError) as denied:
        JiraClient(client.base_url, EMAIL, secret("wrong-token")).check_credentials()
    assert "wrong-token" not in str(denied.value)


def test_a_missing_site_is_unavailable():
    client, waits = with_waits("http://127.0.0.1:1")
    with pytest.raises(errors.UnavailableError):
        client.check_credentials()
    assert len(waits) == 4


def test_an_expired_token_is_not_tried_again(jira):
    site, client = jira
    site.faults.add(Fault(path="/rest/api/3/myself", error="expired_token"))
    with pytest.raises(errors.CredentialRefusedError) as denied:
        client.check_credentials()
    assert TOKEN not in str(denied.value)
    client.check_credentials()


def test_a_line_break_after_the_token_is_not_sent(jira):
    _, client = jira
    JiraClient(client.base_url, EMAIL, secret(f"{TOKEN}\n")).check_credentials()


def test_work_refused_for_a_rotated_token_is_done_again_from_its_start(jira):
    site, client = jira
    client, _ = with_waits(client.base_url, "expired", TOKEN)
    site.faults.add(Fault(path=f"{ISSUE}/OPS-1", status=200, body="{}"))  # what an anonymous caller sees
    assert client.with_current_token(lambda: (client.fetch("OPS-1"), client.fetch("OPS-2"))[0])["key"] == "OPS-1"
    assert [request["path"] for request in site.requests][-2:] == [f"{ISSUE}/OPS-1", f"{ISSUE}/OPS-2"]


def test_work_refused_for_a_token_that_was_not_rotated_is_done_once(jira):
    site, client = jira
    client, _ = with_waits(client.base_url, "expired")
    with pytest.raises(errors.CredentialRefusedError):
        client.with_current_token(client.check_credentials)
    assert len(site.requests) == 1


def test_a_request_on_its_own_never_replaces_the_token(jira):
    """A check of the credentials with a newer token would say nothing about the answers before it."""
    site, client = jira
    client, _ = with_waits(client.base_url, "expired", TOKEN)
    for ask in (client.check_credentials, lambda: client.search("project = OPS"), lambda: client.create(NEW)):
        with pytest.raises(errors.CredentialRefusedError):
            ask()
    assert (len(site.requests), len(site.site.by_id)) == (3, 120)


REFUSED_LOGINS = ["AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED", "OK, AUTHENTICATED_FAILED", "authenticated_failed"]


@pytest.mark.parametrize("reason", REFUSED_LOGINS)
@pytest.mark.parametrize("header", ["X-Seraph-LoginReason", "x-seraph-loginreason"])
@pytest.mark.parametrize("status", [200, 400, 403, 404, 410, 429, 500, 503])
def test_an_answer_for_an_anonymous_caller_is_a_refused_token(jira, status, header, reason):
    site, client = jira
    for ask in (client.check_credentials, lambda: client.fetch("OPS-7"), lambda: client.search("project = OPS")):
        site.faults.add(Fault(path="*", status=status, headers={header: reason}, body='{"issues": [], "isLast": true}'))
        with pytest.raises(errors.CredentialRefusedError, match="did not accept the credentials") as denied:
            ask()
        assert TOKEN not in str(denied.value)
        assert EMAIL not in str(denied.value)


def test_a_login_header_that_is_sent_twice_is_read_whole(jira, monkeypatch):
    site, client = jira
    twice = [("X-Seraph-LoginReason", "OK"), ("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")]
    monkeypatch.setattr(site, "failure", lambda request, name: Response("{}", headers=twice))
    site.faults.add(Fault(path="*", error="two headers"))
    with pytest.raises(errors.CredentialRefusedError):
        client.fetch("OPS-7")


@pytest.mark.parametrize("reason", ["OK", "OUT", "AUTHENTICATED_FAILED_BEFORE", ""])
def test_another_login_reason_is_not_a_refusal(jira, reason):
    site, client = jira
    site.faults.add(Fault(path="*", status=200, headers={"X-Seraph-LoginReason": reason}, body="{}"))
    client.check_credentials()


def test_an_unseen_project_and_a_refused_token_are_distinguished(jira):
    site, client = jira
    site.site.restricted = {"OPS"}
    assert client.sees_project("NONE") is False
    site.faults.add(Fault(path="*", error="anonymous", times=9))
    with pytest.raises(errors.CredentialRefusedError):
        client.sees_project("OPS")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, errors.AmbiguousError),
        (201, errors.AmbiguousError),
        (408, errors.AmbiguousError),
        (500, errors.AmbiguousError),
        (401, errors.CredentialRefusedError),
        (404, errors.CredentialRefusedError),
        (429, errors.CredentialRefusedError),
    ],
)
def test_a_creation_by_an_anonymous_caller_is_refused_or_unclear(jira, status, error):
    site, client = jira
    headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
    site.faults.add(Fault(path=ISSUE, status=status, headers=headers, body='{"key": "OPS-121"}'))
    with pytest.raises(error, match="did not accept the credentials"):
        client.create(NEW)


@pytest.mark.parametrize(
    ("body", "next_token"),
    [
        ({"nextPageToken": ""}, None),
        ({"nextPageToken": None}, None),
        ({}, None),
        ({"isLast": True}, None),
        ({"isLast": True, "nextPageToken": "a"}, None),
        ({"isLast": False, "nextPageToken": "a"}, "a"),
        ({"isLast": None, "nextPageToken": "a"}, "a"),
        ({"nextPageToken": "a"}, "a"),
    ],
    ids=str,
)
def test_where_a_listing_ends(jira, body, next_token):
    site, client = jira
    site.faults.add(Fault(path="*", status=200, body=json.dumps({"issues": [], **body})))
    assert client.search("project = OPS").next_token == next_token


@pytest.mark.parametrize(
    "body",
    [
        {"isLast": False},
        {"isLast": False, "nextPageToken": ""},
        {"isLast": False, "nextPageToken": None},
        {"nextPageToken": 5},
        {"isLast": "false", "nextPageToken": "a"},
        {"issues": None},
        {"issues": {}},
    ],
    ids=str,
)
def test_a_page_that_does_not_say_where_it_ends_is_refused(jira, body):
    site, client = jira
    site.faults.add(Fault(path="*", status=200, body=json.dumps({"issues": [], **body})))
    with pytest.raises(errors.PermanentError):
        client.search("project = OPS")


def test_a_short_search_without_time_for_all_its_pages_fails(jira):
    site, client = jira
    site.faults.add(Fault(path="*", status=200, body='{"issues": [], "nextPageToken": "a"}', times=9))
    hasty = JiraClient(client.base_url, EMAIL, secret(TOKEN), seconds_left=lambda: 0.1, timeout=(2.0, 2.0))
    with pytest.raises(errors.UnavailableError, match="no time"):
        hasty.search_all("labels = marker")


def test_a_short_search_reads_all_its_pages(jira):
    site, client = jira
    site.faults.add(Fault(path="*", status=200, body='{"issues": [], "nextPageToken": "a"}'))
    site.faults.add(Fault(path="*", status=200, body='{"issues": [{"key": "OPS-7"}]}'))
    assert [issue["key"] for issue in client.search_all("labels = marker", fields=["labels"])] == ["OPS-7"]


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 503}, {"error": "rate_limited"}, {"reset": True}, {"error": "half_page"}]
)
def test_reads_are_tried_five_times(jira, fault):
    site, client = jira
    site.faults.add(Fault(path=f"{ISSUE}/OPS-7", times=4, **fault))
    assert client.fetch("OPS-7")["key"] == "OPS-7"
    site.faults.add(Fault(path=f"{ISSUE}/OPS-7", times=5, **fault))
    with pytest.raises((errors.RetryableError, errors.AmbiguousError)):
        client.fetch("OPS-7")


def with_waits(site_url, *tokens, **options):
    waits: list[float] = []
    return JiraClient(site_url, EMAIL, secret(*tokens or (TOKEN,)), sleep=waits.append, timeout=(2.0, 2.0), **options), waits


def test_retry_after_is_honoured(jira):
    site, client = jira
    client, waits = with_waits(client.base_url)
    site.faults.add(Fault(path="/rest/api/3/myself", status=429, headers={"Retry-After": "77"}))
    client.check_credentials()
    assert waits == [77.0]


def test_waits_grow_and_have_jitter(jira):
    site, client = jira
    client, waits = with_waits(client.base_url)
    site.faults.add(Fault(path="/rest/api/3/myself", status=500, times=4))
    client.check_credentials()
    assert all(bound / 4 <= wait <= bound for wait, bound in zip(waits, (1.0, 2.0, 4.0, 8.0), strict=True))


def test_a_wait_that_does_not_fit_is_not_begun(jira):
    site, client = jira
    client, waits = with_waits(client.base_url, seconds_left=lambda: 60.0)
    site.faults.add(Fault(path="/rest/api/3/myself", status=429, headers={"Retry-After": "300"}))
    with pytest.raises(RateLimitedError) as limited:
        client.check_credentials()
    assert (waits, limited.value.retry_after_seconds) == ([], 300.0)


def test_an_issue_is_created_with_its_properties(jira):
    _, client = jira
    key = client.create(NEW, properties={"switchboard": {"operation": "abc"}})
    assert client.property_of(key, "switchboard") == {"operation": "abc"}
    assert client.property_of(key, "other") is None
    assert client.search('project = "OPS" AND labels = switchboard').issues[0]["key"] == key


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"summary": ""}, "summary"),
        ({"summary": "x" * 256}, "summary"),
        ({"description": "wiki *markup*"}, "Atlassian Document"),
        ({"description": {"type": "doc", "version": 1, "content": [{"type": "text", "text": ""}]}}, "Atlassian Document"),
        ({"project": {"key": "NOPE"}}, "project"),
        ({"labels": ["two words"]}, "label"),
    ],
)
def test_a_refused_creation_says_which_field(jira, wrong, named):
    site, client = jira
    with pytest.raises(errors.InvalidInputError, match=named):
        client.create({**NEW, **wrong})
    assert len(site.site.by_id) == 120


def test_a_refusal_has_jiras_name_of_each_field(jira):
    site, client = jira
    body = {"errorMessages": ["Not created."], "errors": {"customfield_1": "is required", "parent": "is unknown"}}
    site.faults.add(Fault(path=ISSUE, status=400, body=json.dumps(body)))
    with pytest.raises(errors.InvalidInputError, match=r"400: Not created\., customfield_1: is required, parent: is unknown$"):
        client.create(NEW)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 408},
        {"reset": True},
        {"status": 201, "body": '{"id": "1'},
        {"status": 201, "body": "[]"},
        {"status": 201, "body": '{"id": "1", "key": ""}'},
        {"hang": 30.0},
        {"status": 201, "headers": {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}, "body": '{"key": "OPS-121"}'},
    ],
)
def test_a_creation_that_may_have_happened_is_ambiguous_and_never_repeated(jira, fault):
    site, client = jira
    client, waits = with_waits(client.base_url, TOKEN, f"{TOKEN}\n")
    site.faults.add(Fault(path=ISSUE, method="POST", after=True, **fault))
    with pytest.raises(errors.AmbiguousError):
        client.with_current_token(lambda: client.create(NEW))
    site.faults.clear()
    assert (len(creations(site)), len(site.site.by_id), waits) == (1, 121, [])


def test_a_creation_refused_for_its_rate_did_not_happen(jira):
    site, client = jira
    site.faults.add(Fault(path=ISSUE, method="POST", status=429, headers={"Retry-After": "5"}))
    with pytest.raises(RateLimitedError):
        client.create(NEW)
    assert len(site.site.by_id) == 120


def test_an_answer_that_is_not_an_object_is_an_error(jira):
    site, client = jira
    site.faults.add(Fault(path="/rest/api/3/myself", status=200, body=json.dumps([])))
    with pytest.raises(errors.PermanentError):
        client.check_credentials()
