"""Reconciliation when Jira misleads it: refused credentials that look like an empty project, and listings without an end."""

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest

from lib.jira.client import JiraClient
from lib.jira.paging import MAX_IDLE_PAGES, Page
from lib.jira.reconciliation.checkpoint import Checkpoint
from lib.jira.reconciliation.merge import KeyRange
from lib.platform import clock
from stack.local.standins.faults import Fault
from tests.support.dynamodb.fake_table import FakeTable
from tests.support.jira.builders import EMAIL, TOKEN, jira_site, make_reconciler, secret, stored_keys

SEARCH, MYSELF = "/rest/api/3/search/jql", "/rest/api/3/myself"
WHOLE = Checkpoint(KeyRange("OPS"))
FOR_GOOD = 10**6
PUBLIC = 1
"""The number of the only issue that anonymous callers see."""


@pytest.fixture
def jira():
    with jira_site() as (site, client):
        yield site, client


@pytest.fixture
def table():
    return FakeTable()


@pytest.fixture
def in_step(jira, table):
    """110 issues, two pages, of which all but one are hidden from anonymous callers, and a store that has them."""
    site, client = jira
    site.seed("OPS", 110)
    site.site.restricted = {f"OPS-{number}" for number in range(1, 111) if number != PUBLIC}
    assert make_reconciler(client, table).sweep(WHOLE).complete
    site.requests.clear()
    return site, client


def expire_token(site, *, after=0):
    site.faults.add(Fault(path="*", error="anonymous", skip=after, times=FOR_GOOD))


def sweep_in_parts(client, table, *, between=lambda part: None):
    """A sweep whose invocations are always out of time, each from its checkpoint; the last result."""
    checkpoint: Checkpoint | None = WHOLE
    parts = 0
    while checkpoint is not None:
        restored = Checkpoint.from_json(json.loads(json.dumps(checkpoint.to_json())))
        result = make_reconciler(client, table, seconds_left=lambda: 5.0).sweep(restored)
        checkpoint, parts = result.checkpoint, parts + 1
        between(parts)
        assert parts < 20, "it never ends"
    return result


def next_part(client, table, part) -> Checkpoint:
    """The checkpoint that an invocation out of time leaves."""
    checkpoint = make_reconciler(client, table, seconds_left=lambda: 5.0).sweep(part).checkpoint
    assert checkpoint is not None
    return checkpoint


# Refused credentials


def test_a_sweep_with_an_expired_token_deletes_nothing_and_is_refused(in_step, table):
    site, client = in_step
    expire_token(site)
    result = make_reconciler(client, table).sweep(WHOLE)
    assert "did not accept the credentials" in result.refused[0]
    assert (result.complete, result.counts.deleted, len(stored_keys(table))) == (False, 0, 110)


def test_a_token_that_expires_anywhere_in_a_sweep_deletes_nothing(in_step, table):
    site, client = in_step
    for number in (20, 60, 105):
        site.delete(f"OPS-{number}")
    for requests_before in itertools.count():
        expire_token(site, after=requests_before)
        result = make_reconciler(client, table).sweep(WHOLE)
        site.faults.clear()
        if result.complete:
            break
        assert "did not accept the credentials" in result.refused[0]
        assert (result.counts.deleted, len(stored_keys(table))) == (0, 110)
    assert requests_before > 10, "it expired before, while and after the listing and the confirmations"
    assert result.counts.deleted == 3


def test_a_token_that_expires_between_two_parts_deletes_nothing(in_step, table):
    site, client = in_step
    for number in (20, 60, 105):
        site.delete(f"OPS-{number}")
    for last_good in (1, 2, 3):
        result = sweep_in_parts(client, table, between=lambda part, at=last_good: expire_token(site) if part == at else None)
        site.faults.clear()
        assert "did not accept the credentials" in result.refused[0]
        assert (result.counts.deleted, len(stored_keys(table))) == (0, 110)
    assert sweep_in_parts(client, table).counts.deleted == 3


@pytest.mark.parametrize("checks", [0, 1, 2])
def test_a_sweep_checks_the_account_even_without_the_header(in_step, table, checks):
    """At the start, after the listing, and after the confirmations."""
    site, client = in_step
    site.delete("OPS-20")
    site.faults.add(Fault(path=MYSELF, skip=checks, error="expired_token", times=FOR_GOOD))
    result = make_reconciler(client, table).sweep(WHOLE)
    assert "401" in result.refused[0]
    assert (result.counts.deleted, len(stored_keys(table))) == (0, 110)


@pytest.mark.parametrize("checks", [1, 2])
def test_a_token_rotated_in_a_sweep_does_not_confirm_answers_to_the_old_one(in_step, table, checks):
    """The header is missing, and the old token is refused by the check of the account alone."""
    site, client = in_step
    site.delete("OPS-20")
    site.faults.add(Fault(path=MYSELF, skip=checks, error="expired_token"))
    client = JiraClient(client.base_url, EMAIL, secret(TOKEN, f"{TOKEN}\n"))
    result = make_reconciler(client, table).sweep(WHOLE)
    assert "401" in result.refused[0]
    assert (result.counts.deleted, len(stored_keys(table))) == (0, 110)


@pytest.mark.parametrize("requests_before", [0, 1, 2])
def test_catching_up_with_an_expired_token_is_refused(in_step, table, requests_before):
    """At the start, in the listing, and at its end."""
    site, client = in_step
    site.seed("FEW", 3)
    expire_token(site, after=requests_before)
    result = make_reconciler(client, table).catch_up("FEW", None)
    assert "did not accept the credentials" in result.refused[0]
    assert not result.complete


def test_a_confirmation_before_a_hand_over_needs_good_credentials(in_step, table):
    """The token expires while the first candidate is confirmed, without the header, and the next part has a new token."""
    site, client = in_step
    part = next_part(client, table, WHOLE)
    site.site.hidden = {"OPS-105", "OPS-106"}
    site.faults.add(Fault(path=MYSELF, skip=2, error="expired_token", times=FOR_GOOD))
    result = make_reconciler(client, table, seconds_left=lambda: 5.0).sweep(part)
    site.faults.clear()
    site.site.hidden = set()
    assert (result.checkpoint, result.counts.deleted) == (None, 0)
    assert "401" in result.refused[0]


def test_an_old_confirmation_is_made_again(in_step, table):
    """A dead letter that is sent again days later: the issue can be seen again."""
    site, client = in_step
    site.site.hidden = {"OPS-20", "OPS-60"}
    part = WHOLE
    while not part.gone:
        part = next_part(client, table, part)
    site.site.hidden = {"OPS-60"}
    days_later = clock.utc_now() + timedelta(days=3)
    result = make_reconciler(client, table, now=lambda: days_later).sweep(part)
    assert (result.complete, result.counts.deleted) == (True, 1)
    assert "OPS-20" in stored_keys(table)


# Listings that mislead


def answer(site, *pages):
    """Answer the searches with these bodies, and every later one with the last."""
    for body in pages[:-1]:
        site.faults.add(Fault(path=SEARCH, status=200, body=json.dumps(body)))
    site.faults.add(Fault(path=SEARCH, status=200, body=json.dumps(pages[-1]), times=FOR_GOOD))


@pytest.fixture
def tokens_asked(in_step, monkeypatch):
    """The token of each search that is sent."""
    _, client = in_step
    asked, search = [], client.search

    def note(jql, **options):
        asked.append(options.get("token"))
        return search(jql, **options)

    monkeypatch.setattr(client, "search", note)
    return asked


def listed(client, number):
    return client.fetch(f"OPS-{number}")


EMPTY: dict[str, Any] = {"issues": []}
ENDLESS = {
    "the same token": ([{**EMPTY, "nextPageToken": "same"}], "Jira repeats a page"),
    "the same token, said not to be the last": (
        [{**EMPTY, "nextPageToken": "same", "isLast": False}],
        "Jira repeats a page",
    ),
    "alternating tokens": (
        [{**EMPTY, "nextPageToken": "a"}, {**EMPTY, "nextPageToken": "b"}, {**EMPTY, "nextPageToken": "a"}],
        "Jira repeats a page",
    ),
    "an empty token and more": ([{**EMPTY, "nextPageToken": "", "isLast": False}], "announced another page"),
    "no token and more": ([{**EMPTY, "isLast": False}], "announced another page"),
}


@pytest.mark.parametrize(("pages", "reason"), ENDLESS.values(), ids=ENDLESS)
def test_a_listing_without_an_end_is_incomplete_after_a_few_requests(in_step, table, tokens_asked, pages, reason):
    site, client = in_step
    for look in (lambda r: r.sweep(WHOLE), lambda r: r.catch_up("OPS", None)):
        tokens_asked.clear()
        answer(site, *pages)
        result = look(make_reconciler(client, table))
        site.faults.clear()
        assert reason in result.refused[0]
        assert (result.complete, result.checkpoint, result.counts.deleted) == (False, None, 0)
        assert len(tokens_asked) == len(set(tokens_asked)) <= 3
    assert len(stored_keys(table)) == 110


def test_a_listing_that_repeats_an_issue_under_new_tokens_is_bounded(in_step, table, monkeypatch):
    _, client = in_step
    issue, asked = listed(client, 7), itertools.count(1)
    monkeypatch.setattr(client, "search", lambda *_, **__: Page((issue,), f"token-{next(asked)}"))
    result = make_reconciler(client, table).catch_up("OPS", None)
    assert "without a new issue" in result.refused[0]
    assert next(asked) <= MAX_IDLE_PAGES + 2


def test_an_empty_token_is_the_end(in_step, table, tokens_asked):
    site, client = in_step
    answer(site, {"issues": [listed(client, 7)], "nextPageToken": ""})
    result = make_reconciler(client, table).catch_up("OPS", None)
    assert (result.complete, result.counts.fetched, tokens_asked) == (True, 1, [None])


def test_the_last_page_is_the_end_even_beside_a_token(in_step, table, tokens_asked):
    site, client = in_step
    answer(site, {"issues": [listed(client, 7)], "nextPageToken": "more", "isLast": True})
    result = make_reconciler(client, table).catch_up("OPS", None)
    assert (result.complete, result.counts.fetched, tokens_asked) == (True, 1, [None])


def test_a_part_without_progress_is_not_handed_over(in_step, table):
    """Jira sends empty pages under ever new tokens: the next part would begin where this one began."""
    site, client = in_step
    answer(site, {**EMPTY, "nextPageToken": "new"})
    result = make_reconciler(client, table, seconds_left=lambda: 5.0).sweep(WHOLE)
    assert result.checkpoint is None
    assert "no new issue" in result.refused[0]


def test_a_page_that_repeats_is_not_handed_over(in_step, table, tokens_asked):
    site, client = in_step
    answer(site, {"issues": [listed(client, 7)], "nextPageToken": "same"})
    part = next_part(client, table, WHOLE)
    assert part.token == "same"
    result = make_reconciler(client, table, seconds_left=lambda: 5.0).sweep(part)
    assert (result.checkpoint, tokens_asked) == (None, [None, "same"])
    assert result.refused


@pytest.mark.parametrize("entry", [None, "OPS-2", 5, [], {}, {"id": "1"}, {"key": None}, {"key": "no key"}])
def test_a_listed_entry_without_an_issue_is_counted_and_stops_deletions(in_step, table, entry):
    site, client = in_step
    site.delete("OPS-20")
    answer(site, {"issues": [listed(client, 1), entry, listed(client, 3)], "isLast": True})
    result = make_reconciler(client, table).sweep(WHOLE)
    assert (result.counts.fetched, result.counts.failed, result.counts.deleted) == (2, 1, 0)
    assert "without an issue key" in result.refused[0]
    assert len(stored_keys(table)) == 110


def test_an_entry_that_is_not_an_issue_is_remembered_by_the_next_part(in_step, table):
    site, client = in_step
    site.delete("OPS-20")
    site.faults.add(
        Fault(path=SEARCH, status=200, body=json.dumps({"issues": [None, listed(client, 1)], "nextPageToken": "token"}))
    )
    answer(site, {"issues": [listed(client, 3)], "nextPageToken": "token", "isLast": True})
    result = sweep_in_parts(client, table)
    assert "without an issue key" in result.refused[0]
    assert (result.counts.deleted, len(stored_keys(table))) == (0, 110)


def test_a_catch_up_skips_an_entry_that_is_not_an_issue(in_step, table):
    site, client = in_step
    answer(site, {"issues": [None, listed(client, 7)], "isLast": True})
    result = make_reconciler(client, table).catch_up("OPS", None)
    assert (result.counts.fetched, result.counts.failed, result.complete) == (1, 1, True)


def test_a_confirmation_with_an_unreadable_answer_deletes_nothing(in_step, table):
    site, client = in_step
    site.delete("OPS-20")
    site.faults.add(Fault(path=SEARCH, skip=2, status=200, body='{"issues": [null], "isLast": true}'))
    result = make_reconciler(client, table).sweep(WHOLE)
    assert (result.counts.failed, result.counts.deleted, len(stored_keys(table))) == (1, 0, 110)
