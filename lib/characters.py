"""Characters that people cannot see, or that change the order in which text is read.

Such a character makes one text look like another. Identifiers must not hold any (:func:`first_hidden`); in text they are
made visible (:func:`reveal`) or left out (:func:`blank`). Hidden are:

* controls, line and paragraph separators, lone surrogates;
* format characters (Unicode Cf): zero-width and bidirectional ones, tags;
* fillers and other blank characters that are not spaces, and noncharacters;
* a combining mark with nothing to combine with;
* a joiner or a variation selector, except where scripts and emoji need it.
"""

import itertools
import unicodedata
from collections.abc import Callable, Iterator

_ALWAYS_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Mc", "Me"})
_SYMBOLS = frozenset({"So", "Sk", "Sm"})

_JOINERS = "\u200c\u200d"
_EMOJI_SELECTORS = "\ufe0e\ufe0f"
# Emoji that are newer than Python's tables have no category there.
_EMOJI = ((0x1F000, 0x1FAFF),)
_EMOJI_BASES = "0123456789#*\u203c\u2049\u2139\u3030"

# Blank, or without any shape, and in no category that says so (Unicode's Default_Ignorable_Code_Point, and Braille's blank).
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0")
_BLANK_RANGES = ((0x180B, 0x180F), (0xFDD0, 0xFDEF), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))

# Arabic and the scripts of South and South-East Asia, whose letters join or not as the joiners say.
_JOINING_SCRIPTS = ((0x0600, 0x109F), (0x1700, 0x1CFF), (0xA800, 0xABFF))


def first_hidden(text: str) -> str | None:
    """The first hidden character as ``U+200B``; None if there is none. No joiner and no variation selector passes here."""
    for character, hidden in _judged(text):
        if hidden or character in _JOINERS + _EMOJI_SELECTORS:
            return _name(character)
    return None


def reveal(text: str, *, keep: str = "") -> str:
    """``text`` with each hidden character written out as ``[U+200B]``, but for those of ``keep``."""
    if text.isascii() and text.translate(dict.fromkeys(map(ord, keep))).isprintable():
        return text  # most text: a click on a long draft must not wait for this
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
    return "".join(shown(character) if hidden else character for character, hidden in _judged(text))


def _judged(text: str) -> Iterator[tuple[str, bool]]:
    """Each character, and whether it is hidden in its place."""
    before, alone = "", True  # alone: there is nothing that a mark could combine with
    for character, after in itertools.zip_longest(text, text[1:], fillvalue=""):
        hidden = _is_hidden(character, before, after) or (alone and unicodedata.category(character) in _MARKS)
        yield character, hidden
        before, alone = character, hidden or character.isspace()


def _is_hidden(character: str, before: str, after: str) -> bool:
    if character in _JOINERS:
        return not (_joins(before) and _joins(after))
    if character in _EMOJI_SELECTORS:
        return not (before and (before in _EMOJI_BASES or _is_symbol(before)))
    if unicodedata.category(character) in _ALWAYS_HIDDEN or character in _BLANKS:
        return True
    return ord(character) & 0xFFFE == 0xFFFE or _within(character, _BLANK_RANGES)


def _joins(character: str) -> bool:
    if not character:
        return False
    if character in _EMOJI_SELECTORS or _is_symbol(character):
        return True
    return unicodedata.category(character) in _MARKS | {"Lo"} and _within(character, _JOINING_SCRIPTS)


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) in _SYMBOLS or _within(character, _EMOJI)


def _within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"
