"""A draft is read completely or refused with one sentence that names the field; its hash covers every field."""

import dataclasses
import json
from typing import Any

import pytest

from lib.approvals import drafts
from lib.platform import errors
from tests.support.approvals.builders import draft_json, make_draft

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
    assert json.loads(drafts.canonical_json(make_draft(**FULL))) == draft_json(**FULL)


def test_optional_fields_have_defaults() -> None:
    draft = make_draft()
    assert (draft.solution, draft.risks, draft.epic, draft.issue_type, draft.channel) == ("", (), "", "Task", "")


@pytest.mark.parametrize("name", ["session_id", "title", "problem", "project", "requested_by"])
def test_a_required_field_is_named_if_missing_null_or_empty(name: str) -> None:
    assert refusal(**{name: None}) == f"the draft lacks {name}"
    assert name in refusal(**{name: " " if name in {"title", "problem"} else ""})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"title": "x" * 256}, "title must be at most 255 characters, not 256"),
        ({"title": "\U0001f600" * 128}, "title must be at most 255 characters, not 256"),
        ({"title": "\u200b" * 50}, "title must be at most 255 characters, not 400"),
        ({"title": "one\ntwo"}, "title must not contain a line break"),
        ({"title": "one\u2028two"}, "title must not contain a line break"),
        ({"title": "bell \x07"}, "title must not contain a line break or control character"),
        ({"problem": "nul \x00"}, "problem must not contain a control character"),
        ({"problem": "half \ud800"}, "problem must not contain a control character"),
        ({"problem": 7}, "problem is not a string"),
        ({"problem": "x" * 10_001}, "problem must be at most 10000 characters"),
        ({"risks": "one"}, "risks is not a list"),
        ({"risks": ["x"] * 51}, "risks must have at most 50 entries, not 51"),
        ({"risks": ["fine", ""]}, "risks[1] must not be empty"),
        ({"risks": ["x" * 1001]}, "risks[0] must be at most 1000 characters"),
        ({"risks": [1]}, "risks[0] is not a string"),
        ({"epic": "the big one"}, "epic must be an issue key"),
        ({"project": "proj"}, "project must be a project key"),
        ({"channel": "#a b"}, "channel must be a Slack channel"),
        ({"assignee": "me"}, "the draft has an unknown field 'assignee'"),
        ({"problem": "x" * 10_000, "solution": "x" * 10_000, "risks": ["x" * 1000] * 11}, "at most 30000 characters"),
    ],
)
def test_an_invalid_field_is_refused_by_name(given: dict[str, object], said: str) -> None:
    assert said in refusal(**given)


def test_a_title_is_counted_in_utf_16_code_units_as_jira_counts() -> None:
    assert make_draft(title="x" + "\U0001f600" * 127).title.endswith("\U0001f600")


def test_a_description_is_counted_in_utf_16_code_units_too() -> None:
    assert "not 30001" in refusal(problem="\U0001f600" * 10_000, solution="\U0001f600" * 5_000, risks=["x"])


@pytest.mark.parametrize("name", ["session_id", "epic", "project", "issue_type", "requested_by", "channel"])
@pytest.mark.parametrize("character", ["\u200b", "\u202e", "\ufe0f", "\u200d", "\u3164", "\u0301"])
def test_an_identifier_holds_nothing_that_people_cannot_see(name: str, character: str) -> None:
    value = str(draft_json(**FULL)[name])
    place = 0 if character == "\u0301" else len(value)
    code = f"U+{ord(character):04X}"
    assert (
        refusal(**FULL | {name: value[:place] + character + value[place:]})
        == f"{name} must not contain an invisible or control character, and contains {code}"
    )


def test_invisible_characters_are_written_out_before_hashing() -> None:
    sent = {"title": "Pay \u202e001$", "problem": "a\u200bb", "solution": "\u0301x", "risks": ["one\u2028two"]}
    written = {"title": "Pay [U+202E]001$", "problem": "a[U+200B]b", "solution": "[U+0301]x", "risks": ["one[U+2028]two"]}
    assert make_draft(**sent) == make_draft(**written)


def test_line_ends_are_normalized_before_hashing() -> None:
    assert make_draft(problem="one\r\ntwo\rthree\n\tfour").problem == "one\ntwo\nthree\n\tfour"


@pytest.mark.parametrize("given", ["U0REQUEST", "W0REQUEST", "<@U0REQUEST>", "<@U0REQUEST|ada.lovelace>", " U0REQUEST "])
def test_the_requester_is_a_slack_user_id_or_a_mention(given: str) -> None:
    assert make_draft(requested_by=given).requested_by == given.strip(" <@>").partition("|")[0]


@pytest.mark.parametrize(
    "given",
    ["ada", "@ada", "ada@example.com", "u0request", "<@U0REQUEST", "U0REQUEST|ada", "<!channel>", "B0BOT", "<@ada>", ""],
)
def test_the_requester_is_not_a_name_or_address(given: str) -> None:
    assert refusal(requested_by=given) == "requested_by must be a Slack user ID like U0123456789, or a mention of one"


@pytest.mark.parametrize("value", [None, [], "draft", 3])
def test_a_draft_that_is_not_an_object_is_refused(value: object) -> None:
    with pytest.raises(errors.InvalidInputError, match="not a JSON object"):
        drafts.read_draft(value)


@pytest.mark.parametrize(
    "session_id", ["a:b", "a#b", "event#1", "a b", "ä", "-a", "a\n", "x" * 201, 'a"b', "<a>", "reconciliation"]
)
def test_a_session_id_that_would_break_a_key_or_a_button_is_refused(session_id: str) -> None:
    assert "session_id" in refusal(session_id=session_id)


@pytest.mark.parametrize("session_id", ["s", "reconciliation-2", "2026-01-22T12.00", "bot/thread~1", "x" * 200])
def test_a_buttons_value_contains_session_and_hash(session_id: str) -> None:
    of_hash = drafts.draft_hash(make_draft(session_id=session_id))
    assert drafts.read_button_value(drafts.button_value(session_id, of_hash)) == (session_id, of_hash)


@pytest.mark.parametrize(
    "value", ["", "sess-1", "sess-1:", ":" + "a" * 64, "sess-1:" + "A" * 64, "a:b:" + "a" * 64, "sess-1:12345678"]
)
def test_another_value_is_refused(value: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        drafts.read_button_value(value)


def test_the_hash_has_64_digits_and_depends_on_the_draft_alone() -> None:
    given = draft_json(**FULL)
    backwards = dict(reversed(list(json.loads(json.dumps(given)).items())))
    assert drafts.draft_hash(drafts.read_draft(given)) == drafts.draft_hash(drafts.read_draft(backwards))
    drafts.check_ids("sess-1", drafts.draft_hash(make_draft()))


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(drafts.Draft)])
def test_a_change_of_any_one_field_changes_the_hash(name: str) -> None:
    draft = make_draft(**FULL)
    value = getattr(draft, name)
    other: dict[str, Any] = {name: (*value, "more") if isinstance(value, tuple) else value + "x"}
    assert drafts.draft_hash(dataclasses.replace(draft, **other)) != drafts.draft_hash(draft)


def test_moving_text_from_one_field_to_the_next_changes_the_hash() -> None:
    one = make_draft(problem="ab", solution="c", risks=["d", "e"])
    assert drafts.draft_hash(make_draft(problem="a", solution="bc", risks=["d", "e"])) != drafts.draft_hash(one)
    assert drafts.draft_hash(make_draft(problem="ab", solution="c", risks=["de"])) != drafts.draft_hash(one)


def test_the_largest_draft_fits_into_a_row() -> None:
    largest = make_draft(problem="\u20ac" * 10_000, solution="\u20ac" * 10_000, risks=["\u20ac" * 1000] * 10)
    assert len(drafts.canonical_json(largest).encode()) < 150_000
