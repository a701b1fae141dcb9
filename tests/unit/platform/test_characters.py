"""What people cannot see is found, and what scripts and emoji need is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.platform import characters

HIDDEN = {
    "a control": "\x07",
    "a delete": "\x7f",
    "a C1 control": "\x85",
    "a soft hyphen": "\u00ad",
    "a zero-width space": "\u200b",
    "a zero-width joiner between Latin letters": "\u200d",
    "a right-to-left override": "\u202e",
    "a bidi isolate": "\u2066",
    "a line separator": "\u2028",
    "a word joiner": "\u2060",
    "a byte order mark": "\ufeff",
    "half a surrogate pair": "\ud800",
    "a tag letter": "\U000e0041",
    "a variation selector after a letter": "\ufe0f",
    "an ideographic variation selector": "\U000e0100",
    "a grapheme joiner": "\u034f",
    "a Hangul filler": "\u3164",
    "Braille's blank": "\u2800",
    "a noncharacter": "\uffff",
}


@pytest.mark.parametrize("character", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_hidden_character_is_found_revealed_and_blanked(character: str) -> None:
    name = f"U+{ord(character):04X}"
    assert characters.first_hidden(f"a{character}b") == name
    assert characters.reveal(f"a{character}b") == f"a[{name}]b"
    assert characters.blank(f"a{character}b") == "a b"


@pytest.mark.parametrize("text", ["\u0301a", "a \u0301b", "a\u200b\u0301b", "\n\u20dd"])
def test_a_mark_with_nothing_to_combine_with_is_hidden(text: str) -> None:
    assert characters.first_hidden(text)
    assert "\u0301" not in characters.reveal(text)
    assert "\u20dd" not in characters.reveal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text, punctuation & symbols → ±",
        "e\u0301te\u0301",
        "नमस्ते",
        "می\u200cخواهم",
        "ක්\u200dෂ",
        "👩🏽\u200d💻 ❤\ufe0f\u200d🔥 🙂\u200d↔\ufe0f ©\ufe0f 〽\ufe0f 1\ufe0f\u20e3",
        "日本語 한국어 עברית",
        "narrow\u202fspace",
        "an emoji that Python does not know \U0001fa89\ufe0f",
    ],
)
def test_joiners_that_scripts_and_emoji_need_are_unchanged(text: str) -> None:
    assert characters.reveal(text) == characters.blank(text) == text


def test_an_identifier_contains_no_joiner() -> None:
    assert characters.first_hidden("👩\u200d💻") == "U+200D"
    assert characters.first_hidden("❤\ufe0f") == "U+FE0F"
    assert characters.first_hidden("Größe-1") is None


def test_characters_to_keep_are_kept() -> None:
    assert characters.reveal("a\n\tb\x00", keep="\n\t") == "a\n\tb[U+0000]"


def test_a_long_run_of_marks_is_read_quickly() -> None:
    assert characters.reveal("\u0301" * 20_000).count("[U+0301]") == 20_000


@pytest.mark.parametrize(
    "text",
    ["rm a |\u200d| b", "a <\u200d= b", "x |\ufe0f y", "`\ufe0e`", "pay 1\ufe0f00", "#\ufe0f1", "😀\u200c😀", "│\u200d│"],
)
def test_a_joiner_or_selector_between_signs_and_digits_is_hidden(text: str) -> None:
    """No emoji and no script needs it there, so that it could only make one text pass for another."""
    revealed = characters.reveal(text)
    assert "[U+" in revealed
    assert not set(revealed) & set("\u200c\u200d\ufe0e\ufe0f")


TROUBLE = st.text(st.sampled_from("a1#|\u200b\u200c\u200d\ufe0e\ufe0f\u0301\u20e3😀↔\u2800ب\u064b\u17b4\u180b "), max_size=8)


@given(st.text() | TROUBLE)
def test_revealed_text_has_nothing_left_to_reveal(text: str) -> None:
    assert characters.reveal(characters.reveal(text)) == characters.reveal(text)


@pytest.mark.parametrize(("text", "length"), [("", 0), ("abc", 3), ("é", 1), ("\U0001f600", 2), ("a👩\u200d💻", 6)])
def test_length_is_counted_in_utf_16_code_units(text: str, length: int) -> None:
    assert characters.utf16_length(text) == length
