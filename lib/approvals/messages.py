"""The messages of the approvals' queue: one dataclass per kind, and their JSON.

A message is ``{"version": 1, "kind": …, …}``. It names rows and copies nothing from them: the worker reads their current state,
so a message that arrives late, twice or out of order does no harm. The worker also receives Jira's tasks; :func:`kind_of`
distinguishes them.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from lib.approvals import drafts
from lib.platform import errors, fields
from lib.platform.queues import Queue

VERSION = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostPreview:
    """Post the draft's preview, unless it is posted. ``again``: the draft was submitted after its issue was created."""

    session_id: str
    draft_hash: str
    again: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePreview:
    """Make the draft's preview show its current state."""

    session_id: str
    draft_hash: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CreateIssue:
    """Create the draft's issue, if it is approved. ``tries`` counts how often this was postponed in a row."""

    session_id: str
    draft_hash: str
    tries: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LookForMarker:
    """Search for an issue that may have been created. ``tries`` counts how often the search failed in a row."""

    session_id: str
    draft_hash: str
    tries: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnswerClick:
    """Answer one person's click.

    Attributes:
        session_id, draft_hash: of the draft that the preview showed.
        user: the person.
        channel: of the preview; may be empty.
        response_url: where to post the answer; may be empty. It is never logged: whoever has it can post there.
        text: the answer.
    """

    session_id: str
    draft_hash: str
    user: str
    channel: str = ""
    response_url: str = dataclasses.field(default="", repr=False)
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemindApprovers:
    """Remind the approvers in the preview's thread, once, if the draft still waits."""

    session_id: str
    draft_hash: str


Message = PostPreview | UpdatePreview | CreateIssue | LookForMarker | AnswerClick | RemindApprovers

Send = Callable[[Message, int], None]
"""Queues a message with a delay in seconds, at most :data:`MAX_DELAY_SECONDS` (SQS's limit)."""

MAX_DELAY_SECONDS = 900

_KINDS: Mapping[str, type[Message]] = {
    "post_preview": PostPreview,
    "update_preview": UpdatePreview,
    "create_issue": CreateIssue,
    "look_for_marker": LookForMarker,
    "answer_click": AnswerClick,
    "remind_approvers": RemindApprovers,
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
    """The kind of a message, which may be Jira's.

    Raises:
        InvalidInputError: the message is not a JSON object with a kind.
    """
    return _read(text)[1]


def decode(text: str) -> Message:
    """Read a message from its JSON.

    Raises:
        InvalidInputError: it does not have this version, a kind of :data:`KINDS` and the fields of its kind.
    """
    given, name = _read(text)
    kind = _KINDS.get(name)
    if given.pop("version", None) != VERSION or kind is None:
        raise errors.InvalidInputError(f"the message is not of version {VERSION} and a known kind: {name[:40]!a}")
    del given["kind"]
    known = {field.name: field for field in dataclasses.fields(kind)}
    required = [field.name for field in known.values() if field.default is dataclasses.MISSING]
    fields.require_members(given, required, known, name=f"a message {name}")
    for member, value in given.items():
        if type(value) is not known[member].type:
            raise errors.InvalidInputError(f"{member} of a message {name} has the wrong type")
    message = kind(**given)
    drafts.check_ids(message.session_id, message.draft_hash)
    return message


def _read(text: str) -> tuple[dict[str, Any], str]:
    message = fields.read_object(text, "the message")
    return message, fields.require_text(message.get("kind"), "the kind of the message")
