"""Finds characters that people cannot see, or that change the order in which text is read.

Such a character makes one text look like another. Identifiers must not contain any (:func:`first_hidden`); in text they are
made visible (:func:`reveal`) or replaced (:func:`blank`). Hidden are:

* controls, line and paragraph separators, lone surrogates;
* format characters (Unicode Cf): zero-width and bidirectional ones, tags;
* fillers and other blank characters that are not spaces, and noncharacters;
* a combining mark that has nothing to combine with;
* a joiner or a variation selector, except where scripts and emoji need it.
"""

import itertools
import unicodedata
from collections.abc import Callable, Iterator

_ALWAYS_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Mc", "Me"})

_NON_JOINER, _JOINER = "\u200c\u200d"
_JOINERS = _NON_JOINER + _JOINER
_EMOJI_SELECTORS = "\ufe0e\ufe0f"
_KEYCAP = "\u20e3"
_KEYCAP_BASES = "0123456789#*"
# By block, not by category: Python's tables lack newer emoji, and signs like "|" and "<" have an emoji's category.
_EMOJI = (
    *((ord(character), ord(character)) for character in "\u00a9\u00ae\u203c\u2049\u2122\u2139\u24c2\u3030\u303d\u3297\u3299"),
    *((0x2190, 0x21FF), (0x2300, 0x23FF), (0x25A0, 0x27BF), (0x2900, 0x297F), (0x2B00, 0x2BFF), (0x1F000, 0x1FAFF)),
)

# Blank or without any shape, in a category that does not show it (Unicode's Default_Ignorable_Code_Point, and Braille's blank).
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0")
_BLANK_RANGES = ((0x180B, 0x180F), (0xFDD0, 0xFDEF), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))

# Arabic and the scripts of South and South-East Asia, in which joiners control how letters join.
_JOINING_SCRIPTS = ((0x0600, 0x109F), (0x1700, 0x1CFF), (0xA800, 0xABFF))


def first_hidden(text: str) -> str | None:
    """The first hidden character, as ``U+200B``; None if there is none. Joiners and variation selectors always count."""
    for character, hidden in _classified(text):
        if hidden or character in _JOINERS + _EMOJI_SELECTORS:
            return _name(character)
    return None


def reveal(text: str, *, keep: str = "") -> str:
    """``text`` with each hidden character written as ``[U+200B]``, except those in ``keep``."""
    if text.isascii() and text.translate(dict.fromkeys(map(ord, keep))).isprintable():
        return text  # most text: a shortcut, since a click on a long draft waits for this
    return _replace(text, lambda character: character if character in keep else f"[{_name(character)}]")


def blank(text: str) -> str:
    """``text`` with a space for each hidden character."""
    return _replace(text, lambda _: " ")


def is_mark(character: str) -> bool:
    """Whether the character is shown as part of the one before it."""
    return unicodedata.category(character) in _MARKS or character in _JOINERS + _EMOJI_SELECTORS


def utf16_length(text: str) -> int:
    """The length of ``text`` in UTF-16 code units, as Java and JavaScript count: an emoji is two or more."""
    return len(text) + sum(character > "\uffff" for character in text)


def _replace(text: str, shown: Callable[[str], str]) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(shown(character) if hidden else character for character, hidden in _classified(text))


def _classified(text: str) -> Iterator[tuple[str, bool]]:
    """Each character, and whether it is hidden where it is. A hidden one does not connect its neighbours."""
    before, alone = "", True  # alone: a mark here has nothing to combine with
    for character, after in itertools.zip_longest(text, text[1:], fillvalue=""):
        hidden = _is_hidden(character, before, after) or (alone and unicodedata.category(character) in _MARKS)
        yield character, hidden
        before, alone = "" if hidden else character, hidden or character.isspace()


def _is_hidden(character: str, before: str, after: str) -> bool:
    if character in _JOINERS:
        in_a_script = _is_of_a_joining_script(before) and _is_of_a_joining_script(after)
        return not in_a_script and (character == _NON_JOINER or not (_ends_an_emoji(before) and _is_emoji(after)))
    if character in _EMOJI_SELECTORS:
        return not (_is_emoji(before) or (before and before in _KEYCAP_BASES and after == _KEYCAP))
    return _is_hidden_anywhere(character)


def _is_hidden_anywhere(character: str) -> bool:
    if unicodedata.category(character) in _ALWAYS_HIDDEN or character in _BLANKS:
        return True
    return ord(character) & 0xFFFE == 0xFFFE or _within(character, _BLANK_RANGES)


def _is_of_a_joining_script(character: str) -> bool:
    if not character or not _within(character, _JOINING_SCRIPTS) or _is_hidden_anywhere(character):
        return False
    return unicodedata.category(character) in _MARKS | {"Lo"}


def _ends_an_emoji(character: str) -> bool:
    return _is_emoji(character) or (character != "" and character in _EMOJI_SELECTORS)


def _is_emoji(character: str) -> bool:
    return character != "" and _within(character, _EMOJI)


def _within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"
