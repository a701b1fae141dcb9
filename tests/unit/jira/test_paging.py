"""The pager of Jira's listings: where a listing ends, and what ends one that does not."""

import contextlib
import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given

from lib.jira.paging import IDLE_PAUSE_SECONDS, MAX_IDLE_PAGES, MAX_PAGES, Page, issues_of, read_pages
from lib.platform import errors


class Listing:
    """Pages as Jira sends them, whatever token is asked for, and the pauses between the requests."""

    def __init__(self, pages):
        self._pages = iter(pages)
        self.asked = []
        self.pauses = []

    def ask(self, token):
        self.asked.append(token)
        return next(self._pages)

    def read(self, token=None, **options):
        return read_pages(self.ask, token, sleep=self.pauses.append, **options)


def page(token, *keys):
    return Page(tuple({"key": key} for key in keys), token)


def endless(page_of):
    return Listing(page_of(number) for number in itertools.count(1))


def test_the_pages_are_read_to_the_last_one_without_a_pause():
    listing = Listing([page("b", "OPS-1"), page("c", "OPS-2"), page(None, "OPS-3")])
    assert [issue["key"] for issue in issues_of(listing.read())] == ["OPS-1", "OPS-2", "OPS-3"]
    assert (listing.asked, listing.pauses) == ([None, "b", "c"], [])


def test_a_listing_is_resumed_at_its_token():
    listing = Listing([page(None, "OPS-3")])
    assert len(list(listing.read("c"))) == 1
    assert listing.asked == ["c"]


@pytest.mark.parametrize(
    "tokens",
    [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"], ["start"]],
    ids=["repeats", "alternates", "a cycle", "the token it was asked with"],
)
@pytest.mark.parametrize("has_issues", [True, False], ids=["with issues", "empty"])
def test_a_token_that_was_seen_before_ends_the_listing(tokens, has_issues):
    listing = Listing(page(token, *([f"OPS-{n}"] if has_issues else [])) for n, token in enumerate(tokens, 1))
    read = []
    with pytest.raises(errors.PermanentError, match="Jira repeats a page"):
        read.extend(listing.read("start"))
    assert len(read) == len(listing.asked) == len(tokens), "the page itself is not lost, and no other is asked for"


@pytest.mark.parametrize(
    "keys", [(), ("OPS-1",), (None,)], ids=["empty pages", "the same issue again", "entries that are not issues"]
)
def test_pages_without_a_new_issue_are_slowed_down_and_bounded(keys):
    listing = endless(lambda number: Page(tuple({"key": key} if key else None for key in keys), f"token-{number}"))
    with pytest.raises(errors.PermanentError, match="without a new issue"):
        list(listing.read())
    assert len(listing.asked) <= MAX_IDLE_PAGES + 1
    assert set(listing.pauses) == {IDLE_PAUSE_SECONDS}
    assert len(listing.pauses) >= MAX_IDLE_PAGES - 1, "no request without progress follows another at once"


def test_a_few_empty_pages_are_not_an_error():
    listing = Listing([page("b"), page("c"), page("d", "OPS-1"), page(None)])
    assert [issue["key"] for issue in issues_of(listing.read())] == ["OPS-1"]


def test_an_endless_listing_of_new_issues_is_bounded():
    listing = endless(lambda number: page(f"token-{number}", f"OPS-{number}"))
    with pytest.raises(errors.PermanentError, match=f"does not end after {MAX_PAGES} pages"):
        list(listing.read())
    assert len(listing.asked) == MAX_PAGES


def test_pages_of_earlier_invocations_count():
    listing = endless(lambda number: page(f"token-{number}", f"OPS-{number}"))
    with pytest.raises(errors.PermanentError, match="does not end"):
        list(listing.read(pages_before=MAX_PAGES - 2))
    assert len(listing.asked) == 2


def test_it_stops_when_time_is_up_and_leaves_the_token():
    listing = endless(lambda number: page(f"token-{number}", f"OPS-{number}"))
    *_, last = listing.read(has_time=lambda: len(listing.asked) < 3)
    assert (last.next_token, len(listing.asked)) == ("token-3", 3)


def test_a_page_that_repeats_is_refused_even_if_time_is_up():
    with pytest.raises(errors.PermanentError, match="Jira repeats a page"):
        list(Listing([page("a", "OPS-1")]).read("a", has_time=lambda: False))


@pytest.mark.parametrize("entry", [None, "OPS-1", 5, [], {}, {"key": None}])
def test_a_short_listing_with_an_entry_that_is_not_an_issue_fails(entry):
    with pytest.raises(errors.PermanentError, match="not an issue"):
        issues_of([Page(({"key": "OPS-1"}, entry), None)])


PAGES = st.builds(
    Page,
    st.lists(st.one_of(st.none(), st.integers(1, 9).map(lambda number: {"key": f"OPS-{number}"})), max_size=3).map(tuple),
    st.one_of(st.none(), st.sampled_from("abcdefgh"), st.uuids().map(str)),
)


@given(st.lists(PAGES, min_size=1, max_size=40))
def test_reading_ends_and_requests_no_page_twice_whatever_jira_sends(pages):
    listing = Listing(itertools.cycle(pages))
    with contextlib.suppress(errors.PermanentError):
        *_, last = listing.read()
        assert last.next_token is None
    assert len(listing.asked) == len(set(listing.asked))
