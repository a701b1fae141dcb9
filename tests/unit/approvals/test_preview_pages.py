"""All text of a draft is on its pages, character by character, within Slack's limits."""

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.approvals import preview_pages
from lib.platform import errors
from lib.platform.characters import is_mark
from tests.support.approvals.builders import make_draft
from tests.support.project.examples import examples
from tests.support.web.slack_limits import check_blocks


def shown_of(draft) -> str:
    """What people read of the draft's text, on all pages."""
    return "".join(
        html.unescape(block["text"]["text"])
        for page in preview_pages.pages_of(draft)
        for block in page.blocks
        if block["text"]["type"] == "plain_text"
    )


def without_spaces(text: str) -> str:
    return "".join(text.split())


def written(draft) -> str:
    lists = (draft.acceptance_criteria, draft.constraints, draft.risks, draft.dependencies)
    return "".join((draft.title, draft.problem, draft.solution, *(f"• {item}" for items in lists for item in items)))


lines = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40).filter(str.strip)
texts = st.builds(
    lambda part, times: part * times,
    st.text(st.sampled_from("a &<>\n\t\u0301\U0001f600\u200d• ") | st.characters(exclude_categories=["Cc", "Cs"]), min_size=1),
    st.integers(1, 400),
).map(lambda text: "x" + text[:5_000])
items = st.lists(texts.map(lambda text: text[:900]), max_size=8)


@settings(max_examples=examples(150), deadline=None)
@given(lines, texts, texts, items, items)
def test_every_character_of_a_draft_is_shown_within_slacks_limits(title, problem, solution, criteria, risks) -> None:
    try:
        draft = make_draft(title=title, problem=problem, solution=solution, acceptance_criteria=criteria, risks=risks)
    except errors.InvalidInputError:
        return  # too long by another limit
    all_pages = preview_pages.pages_of(draft)
    # A text of spaces only can't be posted; nothing else is left out.
    assert without_spaces(shown_of(draft)) == without_spaces(written(draft))
    for page in all_pages:
        check_blocks(page.blocks)
        assert len(page.blocks) <= 40
    assert sum(page.characters for page in all_pages) <= len(written(draft)) + 200


def test_a_short_draft_is_one_page_with_its_headings() -> None:
    (page,) = preview_pages.pages_of(make_draft(solution="Check first.", risks=["One.", "Two."]))
    assert [block["text"]["text"] for block in page.blocks] == [
        "*Title*",
        "Refuse uploads that are too large",
        "*Problem*",
        "An upload of 2 GB stops the importer for everybody.",
        "*Solution*",
        "Check first.",
        "*Risks*",
        "• One.\n• Two.",
    ]


def test_a_continued_text_is_marked_on_the_next_page() -> None:
    first, second = preview_pages.pages_of(make_draft(problem="word " * 2_000, solution="s" * 5_000))
    assert second.blocks[0]["text"]["text"] in {"*Problem (continued)*", "*Solution*", "*Solution (continued)*"}
    assert first.characters + second.characters == 10_000 + 5_000 + len(make_draft().title)


def test_no_markup_of_slacks_changes_how_a_text_is_read() -> None:
    texts = {"title": "~no~", "problem": "~struck~ *bold* :smile: > quote", "solution": "`code`", "risks": ["_i_"]}
    (page,) = preview_pages.pages_of(make_draft(**texts))
    verbatim = [block["text"] for block in page.blocks if "~" in block["text"]["text"] or "`" in block["text"]["text"]]
    assert all(text["type"] == "plain_text" and text["emoji"] is False for text in verbatim)
    assert len(verbatim) == 3


def test_text_is_divided_between_words_and_never_before_an_accent() -> None:
    for text in ("word " * 1_900, "e\u0301" * 4_900):
        blocks = preview_pages.pages_of(make_draft(problem=text))[0].blocks
        pieces = [block["text"]["text"] for block in blocks if block["text"]["type"] == "plain_text"][1:]
        assert len(pieces) > 1
        assert not any(is_mark(piece[0]) or piece[0] == " " for piece in pieces)


def test_a_draft_may_take_ten_messages_and_no_more(monkeypatch) -> None:
    monkeypatch.setattr(preview_pages, "_MAX_PAGE", 1_000)
    drafts = [make_draft(solution="s" * length) for length in range(8_000, 10_001, 100)]
    by_messages = {len(preview_pages.pages_of(draft)): draft for draft in drafts}
    preview_pages.check(by_messages[10])
    with pytest.raises(errors.InvalidInputError, match="needs 11 messages in Slack, and at most 10 are allowed"):
        preview_pages.check(by_messages[11])
