"""Why a person rejects a draft: a reason from the preview's menu, their own words, or both.

Both are inputs of the preview itself. Slack sends what the person has entered with the click on Reject, so no modal has to be
opened within the 3 s that Slack waits (docs/adr/0045). Nothing here does input or output.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

from lib.platform import characters, fields

MENU = "reject_reason"
WORDS = "reject_words"
"""The ``block_id`` and ``action_id`` of the two inputs."""

REASONS: Mapping[str, str] = {
    "duplicate": "Duplicate of another issue",
    "unclear": "Not clear enough to work on",
    "too_large": "Too large: split it up",
    "wrong_place": "Wrong project, epic or issue type",
    "not_planned": "Not planned",
}
"""The menu: value and text."""

MAX_WORDS = 500
_MAX_BYTES = 12_000  # 3,000 characters, Slack's own limit of an input


def read(payload: Mapping[str, Any]) -> str:
    """The reason in an interaction's ``payload``; empty if the person gave none. A value that is not in the menu is ignored."""
    values = fields.object_at(fields.object_at(payload, "state"), "values")
    chosen = fields.object_at(_input(values, MENU), "selected_option")
    menu = REASONS.get(_text(chosen, "value"), "")
    words = _one_line(_text(_input(values, WORDS), "value"))
    return ": ".join(filter(None, (menu, words)))


def _input(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return fields.object_at(fields.object_at(values, name), name)


def _text(parent: Mapping[str, Any], name: str) -> str:
    return fields.text_at(parent, name, max_bytes=_MAX_BYTES) or ""


def _one_line(words: str) -> str:
    """``words`` without line ends and control characters, with invisible characters written out, cut to the limit."""
    line = "".join(" " if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} else each for each in words)
    line = characters.reveal(" ".join(line.split()))
    return line if len(line) <= MAX_WORDS else line[: MAX_WORDS - 1].rstrip() + "…"
