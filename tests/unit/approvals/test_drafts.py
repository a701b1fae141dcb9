"""A draft is read whole or refused with one sentence that names the field, and its hash covers all of it."""

import dataclasses
import json

import pytest

from lib import errors
from lib.approvals import drafts
from tests.support.approvals import draft_json, make_draft

FULL = {
    "solution": "Check the size first.",
    "acceptance_criteria": ["An upload of 2 GB is refused."],
    "constraints": ["No new service."],
    "risks": ["Old clients."],
    "dependencies": ["PROJ-7"],
    "epic": "PROJ-1",
    "issue_type": "Story",
    "channel": "C0DRAFTS",
}


def refusal(**given: object) -> str:
    with pytest.raises(errors.InvalidInputError) as caught:
        drafts.read_draft(draft_json(**given))
    return str(caught.value)


def test_a_draft_with_every_field_is_read_as_it_was_sent() -> None:
    assert drafts.to_json(make_draft(**FULL)) == draft_json(**FULL)


def test_what_may_be_left_out_has_a_default() -> None:
    draft = make_draft()
    assert (draft.solution, draft.risks, draft.epic, draft.issue_type, draft.channel) == ("", (), "", "Task", "")


@pytest.mark.parametrize("name", ["session_id", "title", "problem", "project", "requested_by"])
def test_what_must_be_there_is_named_when_it_is_missing_null_or_empty(name) -> None:
    assert refusal(**{name: None}) == f"{name} is missing"
    assert name in refusal(**{name: " " if name in {"title", "problem"} else ""})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"title": "x" * 256}, "title must be at most 255 characters, not 256"),
        ({"title": "one\ntwo"}, "title must hold no line break"),
        ({"title": "one\u2028two"}, "title must hold no line break"),
        ({"title": "bell \x07"}, "title must hold no line break or control character"),
        ({"problem": "nul \x00"}, "problem must hold no control character"),
        ({"problem": "half \ud800"}, "problem must hold no control character"),
        ({"problem": 7}, "problem must be text"),
        ({"problem": "x" * 10_001}, "problem must be at most 10000 characters"),
        ({"risks": "one"}, "risks must be a list of texts"),
        ({"risks": ["x"] * 51}, "risks must have at most 50 entries, not 51"),
        ({"risks": ["fine", ""]}, "risks[1] must not be empty"),
        ({"risks": ["x" * 1001]}, "risks[0] must be at most 1000 characters"),
        ({"risks": [1]}, "risks[0] must be text"),
        ({"epic": "the big one"}, "epic must be an issue key"),
        ({"project": "proj"}, "project must be a project key"),
        ({"channel": "#a b"}, "channel must be a Slack channel"),
        ({"assignee": "me"}, "'assignee' is no field of a draft"),
        ({"problem": "x" * 10_000, "solution": "x" * 10_000, "risks": ["x" * 1000] * 11}, "at most 30000 characters"),
    ],
)
def test_what_breaks_a_bound_is_refused_by_name(given, said) -> None:
    assert said in refusal(**given)


@pytest.mark.parametrize("value", [None, [], "draft", 3])
def test_what_is_no_object_is_refused(value) -> None:
    with pytest.raises(errors.InvalidInputError, match="not a JSON object"):
        drafts.read_draft(value)


@pytest.mark.parametrize(
    "session_id", ["a:b", "a#b", "event#1", "a b", "ä", "-a", "a\n", "x" * 201, 'a"b', "<a>", "reconciliation"]
)
def test_a_session_id_that_would_break_a_key_or_a_button_is_refused(session_id) -> None:
    assert "session_id" in refusal(session_id=session_id)


@pytest.mark.parametrize("session_id", ["s", "reconciliation-2", "2026-01-22T12.00", "bot/thread~1", "x" * 200])
def test_a_buttons_value_gives_back_session_and_hash(session_id) -> None:
    of_hash = drafts.draft_hash(make_draft(session_id=session_id))
    assert drafts.read_button_value(drafts.button_value(session_id, of_hash)) == (session_id, of_hash)


@pytest.mark.parametrize(
    "value", ["", "sess-1", "sess-1:", ":" + "a" * 64, "sess-1:" + "A" * 64, "a:b:" + "a" * 64, "sess-1:12345678"]
)
def test_another_value_is_refused(value) -> None:
    with pytest.raises(errors.InvalidInputError):
        drafts.read_button_value(value)


def test_the_hash_is_64_hexadecimal_digits_and_the_same_for_the_same_draft() -> None:
    given = draft_json(**FULL)
    backwards = dict(reversed(list(json.loads(json.dumps(given)).items())))
    assert drafts.draft_hash(drafts.read_draft(given)) == drafts.draft_hash(drafts.read_draft(backwards))
    assert drafts.check_hash(drafts.draft_hash(make_draft()))


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(drafts.Draft)])
def test_a_change_of_any_one_field_changes_the_hash(name) -> None:
    draft = make_draft(**FULL)
    value = getattr(draft, name)
    other = dataclasses.replace(draft, **{name: (*value, "more") if isinstance(value, tuple) else value + "x"})
    assert drafts.draft_hash(other) != drafts.draft_hash(draft)


def test_moving_text_from_one_field_to_the_next_changes_the_hash() -> None:
    one = make_draft(problem="ab", solution="c", risks=["d", "e"])
    assert drafts.draft_hash(make_draft(problem="a", solution="bc", risks=["d", "e"])) != drafts.draft_hash(one)
    assert drafts.draft_hash(make_draft(problem="ab", solution="c", risks=["de"])) != drafts.draft_hash(one)


def test_the_largest_draft_fits_into_a_row() -> None:
    largest = make_draft(problem="\U0001f600" * 10_000, solution="\U0001f600" * 10_000, risks=["\U0001f600" * 1000] * 10)
    assert len(drafts.canonical_json(largest).encode()) < 150_000
