"""What goes through the worker's queue: one dataclass a kind, and their JSON.

A message is ``{"version": 1, "kind": …, …}``. It names rows and holds nothing that they do: the worker reads what is true
when it gets there, so a message that comes late, twice or out of order does no harm. The worker has another queue, of Jira's
tasks; :func:`kind_of` tells whose a message is.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from lib.approvals import drafts
from lib.platform import errors
from lib.platform.queues import Queue

VERSION = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostPreview:
    """Post the draft's preview, unless it is there. ``again``: the draft was submitted after its issue was created."""

    session_id: str
    draft_hash: str
    again: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePreview:
    """Make the draft's preview show what is true now."""

    session_id: str
    draft_hash: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CreateIssue:
    """Create the draft's issue, if that is right. ``tries`` counts how often it was put off in a row."""

    session_id: str
    draft_hash: str
    tries: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LookForMarker:
    """Look whether the issue exists that may have been created. ``tries`` counts how often the search failed in a row."""

    session_id: str
    draft_hash: str
    tries: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnswerClick:
    """Tell one person what became of their click.

    Attributes:
        session_id, draft_hash: of the draft that the preview showed.
        user: the person.
        channel: where the preview stands; may be empty.
        response_url: where to answer. It lets whoever has it post there: it is never logged. May be empty.
        text: the answer.
    """

    session_id: str
    draft_hash: str
    user: str
    channel: str = ""
    response_url: str = dataclasses.field(default="", repr=False)
    text: str


Message = PostPreview | UpdatePreview | CreateIssue | LookForMarker | AnswerClick

Send = Callable[[Message, int], None]
"""Queues a message. It can be received after so many seconds, at most :data:`MAX_DELAY_SECONDS` (SQS's limit)."""

MAX_DELAY_SECONDS = 900

_KINDS: Mapping[str, type[Message]] = {
    "post_preview": PostPreview,
    "update_preview": UpdatePreview,
    "create_issue": CreateIssue,
    "look_for_marker": LookForMarker,
    "answer_click": AnswerClick,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
KINDS = frozenset(_KINDS)


def encode(message: Message) -> str:
    """The message's JSON."""
    return json.dumps({"version": VERSION, "kind": _NAMES[type(message)], **dataclasses.asdict(message)})


def sender(queue: Queue) -> Send:
    """Sends messages to ``queue``."""
    return lambda message, delay_seconds: queue.send(encode(message), delay_seconds=delay_seconds)


def kind_of(text: str) -> str:
    """The kind that a message of the queue says it is, ours or another domain's.

    Raises:
        InvalidInputError: it is no JSON object with a kind.
    """
    return str(_object(text)["kind"])


def decode(text: str) -> Message:
    """The message that JSON ``text`` holds.

    Raises:
        InvalidInputError: it is no message of this version and of a kind of :data:`KINDS`.
    """
    given = _object(text)
    if given.get("version") != VERSION:
        raise errors.InvalidInputError(f"the message has version {str(given.get('version'))[:20]!a}, and this is {VERSION}")
    kind = _KINDS.get(str(given["kind"]))
    if kind is None:
        raise errors.InvalidInputError(f"{str(given['kind'])[:40]!a} is no kind of message")
    wanted = {field.name: field for field in dataclasses.fields(kind)}
    values = {name: value for name, value in given.items() if name not in {"version", "kind"}}
    for name, value in values.items():
        if name not in wanted or type(value) is not wanted[name].type:
            raise errors.InvalidInputError(f"{name[:40]!a} is wrong in a message {given['kind']}")
    try:
        message = kind(**values)
    except TypeError:
        raise errors.InvalidInputError(f"a message {given['kind']} lacks a field") from None
    drafts.check_session_id(message.session_id)
    drafts.check_hash(message.draft_hash)
    return message


def _object(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not isinstance(given.get("kind"), str):
        raise errors.InvalidInputError("the message is not a JSON object with a kind")
    return given
