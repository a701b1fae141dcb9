"""What reconciliation decides from a listing and the stored rows; limits, and checkpoints."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from lib.jira.issues import IssueFields, Stamp
from lib.jira.items import Issue
from lib.jira.reconciliation.checkpoint import MAX_CANDIDATES, Candidate, Checkpoint, Counts, DeleteLimit, Gone
from lib.jira.reconciliation.merge import (
    Create,
    Decision,
    Disputed,
    KeyRange,
    Listed,
    Missing,
    Unchanged,
    Unreadable,
    Update,
    check_order,
    decide,
    merge,
    read_listing,
)
from lib.jira.webhooks import Delivery
from lib.platform import errors


def stamp(second: int = 1) -> Stamp:
    return Stamp(f"2026-03-01T12:00:{second:02d}.000000Z", second, "d")


def delivery(number: int, second: int = 1, **fields: Any) -> Delivery:
    return Delivery(f"OPS-{number}", "1", stamp(second), "reconciled", IssueFields(**fields))


def listed(number: int, second: int = 1, **fields: Any) -> Listed:
    return Listed(f"OPS-{number}", delivery(number, second, **fields))


def stored(number: int, second: int = 1, *, deleted: bool = False, **fields: Any) -> Issue:
    return Issue(f"OPS-{number}", "1", stamp(second), IssueFields(**fields), deleted)


def test_each_case_of_the_merge() -> None:
    decisions = list(
        merge(
            [listed(1), listed(2), listed(4), listed(5, second=2), listed(6, status="Done")],
            [stored(1), stored(3), stored(4, second=2), stored(5), stored(6, status="To Do"), stored(7)],
        )
    )
    assert [type(decision) for decision in decisions] == [Unchanged, Create, Missing, Unchanged, Update, Update, Missing]
    assert [decision.stored.issue_key for decision in decisions if isinstance(decision, Missing)] == ["OPS-3", "OPS-7"]


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_each_issue_is_decided_about_once_and_in_order(in_jira: set[int], in_store: set[int]) -> None:
    decisions = merge((listed(number) for number in sorted(in_jira)), (stored(number) for number in sorted(in_store)))
    kinds: dict[str, type[Decision]] = {}
    for decision in decisions:
        if isinstance(decision, Unchanged | Unreadable):
            key = decision.issue_key
        else:
            key = (decision.stored if isinstance(decision, Missing | Disputed) else decision.delivery).issue_key
        assert key not in kinds
        kinds[key] = type(decision)
    assert list(kinds) == [f"OPS-{number}" for number in sorted(in_jira | in_store)]
    assert {key for key, kind in kinds.items() if kind is Missing} == {f"OPS-{number}" for number in in_store - in_jira}
    assert {key for key, kind in kinds.items() if kind is Create} == {f"OPS-{number}" for number in in_jira - in_store}


def test_a_stored_state_later_than_the_listing_is_disputed_if_it_differs() -> None:
    later = stored(1, second=2, status="Done")
    assert decide(listed(1, status="To Do"), later) == Disputed(later)
    assert decide(listed(1, status="Done"), later) == Unchanged("OPS-1")


def test_a_tombstone_counts_as_no_row() -> None:
    assert isinstance(decide(listed(1), stored(1, second=9, deleted=True)), Create)


def test_an_unreadable_issue_is_not_missing() -> None:
    broken = Listed("OPS-1", errors.InvalidInputError("fields.updated is not a time"))
    assert list(merge([broken], [stored(1)])) == [Unreadable("OPS-1", "fields.updated is not a time")]


@pytest.mark.parametrize(
    "keys",
    [["OPS-2", "OPS-1"], ["OPS-1", "OPS-1"], ["OPS-1", "WEB-2"], ["OPS-11"]],
)
def test_a_listing_of_another_range_or_order_is_refused(keys: list[str]) -> None:
    listing = read_listing([{"key": key} for key in keys], lambda issue: delivery(1))
    with pytest.raises(errors.PermanentError):
        check_order(listing.issues, KeyRange("OPS", 0, 10))


@pytest.mark.parametrize("entry", [None, 5, "OPS-2", [], {}, {"key": None}, {"key": "nonsense"}, {"key": "\ud800-1"}])
def test_an_entry_of_a_listing_that_names_no_issue_is_counted(entry: object) -> None:
    listing = read_listing([{"key": "OPS-1"}, entry, {"key": "OPS-3"}], lambda issue: delivery(1))
    assert ([issue.issue_key for issue in listing.issues], listing.unidentified) == (["OPS-1", "OPS-3"], 1)


def test_a_range_as_jql() -> None:
    assert KeyRange("OPS").jql() == 'project = "OPS" ORDER BY key ASC'
    assert KeyRange("OPS", 5, 9).jql() == 'project = "OPS" AND key > OPS-5 AND key <= OPS-9 ORDER BY key ASC'
    assert KeyRange("OPS", 5, 9).bounds() == ("OPS-5", "OPS-9")


@pytest.mark.parametrize(
    ("text", "stored_rows", "allowed"),
    [
        ("", 10, 50),
        ("", 5_000, 250),
        ("0", 5_000, 0),
        ("20", 5_000, 20),
        ("5%", 100, 5),
        ("5 %", 10, 0),
        ("100%", 10**6, MAX_CANDIDATES),
    ],
)
def test_how_many_may_be_deleted(text: str, stored_rows: int, allowed: int) -> None:
    assert DeleteLimit.parse(text).allowed(stored_rows) == allowed


@pytest.mark.parametrize("text", ["many", "-1", "101%", "5.5", "%"])
def test_a_malformed_limit_is_a_configuration_error(text: str) -> None:
    with pytest.raises(errors.ConfigurationError):
        DeleteLimit.parse(text)


def test_a_checkpoint_survives_json() -> None:
    candidate = Candidate("OPS-6", None, stamp())
    gone = (Gone(candidate, 1, "WEB-1"), Gone(candidate, 2))
    checkpoint = Checkpoint(
        KeyRange("OPS", 5, 9), "token", 7, Counts(fetched=3), 12, 1, (candidate,), unidentified=1, pages=2, gone=gone
    )
    assert Checkpoint.from_json(json.loads(json.dumps(checkpoint.to_json()))) == checkpoint


def test_a_full_checkpoint_fits_an_asynchronous_call() -> None:
    candidates = tuple(Candidate(f"OPERATIONS-{10**6 + n}", "1000000", stamp()) for n in range(MAX_CANDIDATES))
    gone = tuple(Gone(candidate, 1_772_366_400_250, candidate.issue_key) for candidate in candidates)
    full = Checkpoint(KeyRange("OPERATIONS"), "t" * 500, 10**6, Counts(), 10**6, MAX_CANDIDATES, gone=gone)
    assert len(json.dumps(full.to_json())) < 300 * 1000


@pytest.mark.parametrize("broken", [{}, {"candidates": [{}]}, {"candidates": [], "key_range": {}, "counts": {}}])
def test_a_broken_checkpoint_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidInputError):
        Checkpoint.from_json(broken)
