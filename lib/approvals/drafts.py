"""A draft: the issue that somebody wants in Jira, checked when it is submitted, and its hash, which an approval refers to.

First, line ends become ``\\n`` and invisible characters are written out (:mod:`lib.platform.characters`): what is hashed is
what is shown, approved and created. Nothing here does input or output.
"""

import dataclasses
import hashlib
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from lib.platform import characters, errors, fields
from lib.platform.contract import RECONCILIATION_PARTITION

MAX_TITLE_CHARACTERS = 255
"""Jira's limit of a summary. Jira counts UTF-16 code units here and in descriptions."""

MAX_TEXT_CHARACTERS = 10_000
MAX_ITEMS = 50
MAX_ITEM_CHARACTERS = 1_000

MAX_DESCRIPTION_CHARACTERS = 30_000
"""All texts together. Jira accepts 32,767 in a description; headings and the footer need some of them."""

# session_id is a DynamoDB hash key (2048 bytes at most), precedes ":" in a button's value, and shares its table with rows of
# other functions, whose ids begin with "event#" or "health#". So it contains neither ":" nor "#", and only characters that
# need no escaping anywhere.
_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~/+=-]{0,199}")
_DRAFT_HASH = re.compile(r"[0-9a-f]{64}")
_PROJECT = re.compile(r"[A-Z][A-Z0-9_]{0,79}")
_EPIC = re.compile(r"[A-Z][A-Z0-9_]{0,79}-[1-9][0-9]{0,17}")
_CHANNEL = re.compile(r"#?[\w-]{1,80}")

SLACK_USER_ID = re.compile(r"[UW][A-Z0-9]{2,30}")
_SLACK_USER = re.compile(rf"({SLACK_USER_ID.pattern})|<@({SLACK_USER_ID.pattern})(?:\|[^<>|]*)?>")

# Tabs and line ends are text; every other control character, and half of a surrogate pair, is not.
_CONTROLS = frozenset({"Cc", "Cs"})
_LINE_ENDS = frozenset({"Zl", "Zp"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A future Jira issue.

    Attributes:
        session_id: the drafter's id of the conversation; one of its drafts is current at a time.
        title: the summary of the issue, one line.
        problem: why the issue is needed, as plain text; a blank line separates paragraphs.
        solution: what should be done, in the same form.
        acceptance_criteria: when it is done, one sentence each.
        constraints, risks, dependencies: in the same form.
        epic: the key of the parent issue, or empty.
        project: the project's key.
        issue_type: the issue type's name in that project.
        requested_by: the requester's Slack user ID, as the drafter states it. A mention is read as its ID.
        channel: the Slack channel for the preview, or empty for the configured one.
    """

    session_id: str
    title: str
    problem: str
    solution: str = ""
    acceptance_criteria: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    epic: str = ""
    project: str
    issue_type: str = "Task"
    requested_by: str
    channel: str = ""


def read_draft(value: object) -> Draft:
    """Read a draft from a JSON ``value``. Null counts as missing.

    Raises:
        InvalidInputError: it is not an object, lacks a field, has an unknown one, or fields exceed their limits. The text
            names every wrong field, and the first wrong item of a list.
    """
    given = fields.require_object(value, "the draft")
    given = {name: item for name, item in given.items() if item is not None or name not in _READERS}
    # An unknown field would not be hashed, so nobody would approve it.
    problems = list(fields.wrong_members(given, _REQUIRED, _READERS, name="the draft"))
    read: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if name not in given:
            continue
        try:
            read[name] = reader(name, given[name])
        except errors.InvalidInputError as error:
            problems.append(str(error))
    if problems:
        raise errors.InvalidInputError("; ".join(problems))
    draft = Draft(**read)
    items = (*draft.acceptance_criteria, *draft.constraints, *draft.risks, *draft.dependencies)
    total = sum(map(characters.utf16_length, (draft.problem, draft.solution, *items)))
    if total > MAX_DESCRIPTION_CHARACTERS:
        raise errors.InvalidInputError(
            f"problem, solution and the lists together must be at most {MAX_DESCRIPTION_CHARACTERS} characters, not {total}"
        )
    return draft


def canonical_json(draft: Draft) -> str:
    """The draft as JSON text with every field, sorted, without spaces or escapes."""
    return json.dumps(dataclasses.asdict(draft), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def draft_hash(draft: Draft) -> str:
    """SHA-256 of the canonical JSON of all fields, as 64 hexadecimal digits. Eight digits over joined fields would collide."""
    return hashlib.sha256(canonical_json(draft).encode()).hexdigest()


def button_value(session_id: str, draft_hash: str) -> str:
    """The value of the preview's buttons."""
    return f"{session_id}:{draft_hash}"


def read_button_value(value: str) -> tuple[str, str]:
    """The session and the draft's hash of a button.

    Raises:
        InvalidInputError: it is not a value of :func:`button_value`.
    """
    session_id, _, draft_hash = value.partition(":")
    check_ids(session_id, draft_hash)
    return session_id, draft_hash


def check_ids(session_id: str, draft_hash: str) -> None:
    """Check that these can be the ids of a draft.

    Raises:
        InvalidInputError: they can't.
    """
    _check_session_id(session_id)
    if not _DRAFT_HASH.fullmatch(draft_hash):
        raise errors.InvalidInputError("draft_hash must be 64 hexadecimal digits in lower case")


def _check_session_id(value: str) -> str:
    if not _SESSION_ID.fullmatch(value):
        raise errors.InvalidInputError(
            "session_id must be 1 to 200 letters, digits and ._~/+=- and begin with a letter or a digit"
        )
    if value == RECONCILIATION_PARTITION:
        raise errors.InvalidInputError(f"session_id must not be {RECONCILIATION_PARTITION!r}, which is reserved")
    return value


def _text(name: str, given: object, *, most: int = MAX_TEXT_CHARACTERS) -> str:
    return _not_empty(name, _text_or_empty(name, given, most=most))


def _text_or_empty(name: str, given: object, *, most: int = MAX_TEXT_CHARACTERS) -> str:
    text = _revealed(name, given, lines=True)
    _check_length(name, len(text), most)
    return text


def _title(name: str, given: object) -> str:
    title = _revealed(name, given, lines=False)
    _check_length(name, characters.utf16_length(title), MAX_TITLE_CHARACTERS)
    return _not_empty(name, title)


def _revealed(name: str, given: object, *, lines: bool) -> str:
    """The text with its invisible characters written out."""
    text = fields.require_text(given, name)
    refused, allowed = (_CONTROLS, "\t\n\r") if lines else (_CONTROLS | _LINE_ENDS, "")
    if any(unicodedata.category(character) in refused and character not in allowed for character in text):
        raise errors.InvalidInputError(f"{name} must not contain a {'' if lines else 'line break or '}control character")
    return characters.reveal(text.replace("\r\n", "\n").replace("\r", "\n"), keep="\t\n")


def _check_length(name: str, length: int, most: int) -> None:
    if length > most:
        raise errors.InvalidInputError(f"{name} must be at most {most} characters, not {length}")


def _not_empty(name: str, text: str) -> str:
    if not text.strip():
        raise errors.InvalidInputError(f"{name} must not be empty")
    return text


def _identifier(name: str, given: object, most: int) -> str:
    """An identifier, one line. Hidden characters are refused: two identifiers must not look the same."""
    text = fields.require_text(given, name)
    hidden = characters.first_hidden(text)
    if hidden is not None:
        raise errors.InvalidInputError(f"{name} must not contain an invisible or control character, and contains {hidden}")
    _check_length(name, len(text), most)
    return text


def _shaped(pattern: re.Pattern[str], meaning: str, *, may_be_empty: bool = False) -> Callable[[str, object], str]:
    def read(name: str, given: object) -> str:
        text = _identifier(name, given, 200)
        if not (pattern.fullmatch(text) or (may_be_empty and not text)):
            raise errors.InvalidInputError(f"{name} must be {meaning}, not {text[:40]!a}")
        return text

    return read


def _read_issue_type(name: str, given: object) -> str:
    return _not_empty(name, _identifier(name, given, 60))


def _read_slack_user(name: str, given: object) -> str:
    match = _SLACK_USER.fullmatch(_identifier(name, given, 255).strip())
    if not match:
        raise errors.InvalidInputError(f"{name} must be a Slack user ID like U0123456789, or a mention of one")
    return match[1] or match[2]


def _read_session_id(name: str, given: object) -> str:
    return _check_session_id(_identifier(name, given, 200))


def _read_items(name: str, given: object) -> tuple[str, ...]:
    items = fields.require_list(given, name)
    if len(items) > MAX_ITEMS:
        raise errors.InvalidInputError(f"{name} must have at most {MAX_ITEMS} entries, not {len(items)}")
    return tuple(_text(f"{name}[{index}]", item, most=MAX_ITEM_CHARACTERS) for index, item in enumerate(items))


_READERS: dict[str, Callable[[str, object], Any]] = {
    "session_id": _read_session_id,
    "title": _title,
    "problem": _text,
    "solution": _text_or_empty,
    "acceptance_criteria": _read_items,
    "constraints": _read_items,
    "risks": _read_items,
    "dependencies": _read_items,
    "epic": _shaped(_EPIC, "an issue key like PROJ-12", may_be_empty=True),
    "project": _shaped(_PROJECT, "a project key like PROJ"),
    "issue_type": _read_issue_type,
    "requested_by": _read_slack_user,
    "channel": _shaped(_CHANNEL, "a Slack channel's ID or name", may_be_empty=True),
}

_REQUIRED = [field.name for field in dataclasses.fields(Draft) if field.default is dataclasses.MISSING]

if _READERS.keys() != {field.name for field in dataclasses.fields(Draft)}:  # a field without a reader would not be checked
    raise TypeError("every field of a draft needs a reader")
