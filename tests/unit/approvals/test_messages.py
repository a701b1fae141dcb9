"""A message is received as it was sent, and anything else is refused."""

import json

import pytest

from lib.approvals import messages
from lib.approvals.messages import AnswerClick, CreateIssue, LookForMarker, PostPreview, RemindApprovers, UpdatePreview
from lib.platform import errors
from lib.platform.queues import Queue

HASH = "a" * 64
EVERY: list[messages.Message] = [
    PostPreview(session_id="s", draft_hash=HASH, again=True),
    UpdatePreview(session_id="s", draft_hash=HASH),
    CreateIssue(session_id="s", draft_hash=HASH, tries=2),
    LookForMarker(session_id="s", draft_hash=HASH),
    RemindApprovers(session_id="s", draft_hash=HASH),
    AnswerClick(session_id="s", draft_hash=HASH, user="U1", response_url="https://hooks.slack.com/x", text="Ünïcode"),
]


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
def test_every_kind_survives_the_queue(message: messages.Message) -> None:
    assert messages.decode(messages.encode(message)) == message


def test_a_message_is_encoded_and_queued_with_its_delay() -> None:
    sent: list[tuple[str, int]] = []

    class NotedQueue(Queue):
        def send(self, body: str, *, delay_seconds: int = 0) -> None:
            sent.append((body, delay_seconds))

    messages.sender(NotedQueue(None, "url"))(EVERY[2], 60)
    ((body, delay),) = sent
    assert (messages.decode(body), delay) == (EVERY[2], 60)


def test_the_kinds_distinguish_messages_of_other_domains() -> None:
    assert {messages.kind_of(messages.encode(message)) for message in EVERY} == messages.KINDS
    assert messages.kind_of('{"kind": "fetch_issue", "version": 9}') == "fetch_issue"


def test_a_message_says_its_version_and_kind() -> None:
    assert json.loads(messages.encode(EVERY[2])) == {
        "version": 1,
        "kind": "create_issue",
        "session_id": "s",
        "draft_hash": HASH,
        "tries": 2,
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"version": None},
        {"kind": "drop_table"},
        {"tries": "2"},
        {"tries": True},
        {"tries": None},
        {"extra": 1},
        {"session_id": "a#b"},
        {"draft_hash": "short"},
    ],
)
def test_another_message_is_refused(changed: dict[str, object]) -> None:
    text = json.dumps({**json.loads(messages.encode(EVERY[2])), **changed})
    with pytest.raises(errors.InvalidInputError):
        messages.decode(text)


def test_a_message_that_lacks_a_field_is_refused() -> None:
    with pytest.raises(errors.InvalidInputError, match="lacks draft_hash"):
        messages.decode('{"version": 1, "kind": "update_preview", "session_id": "s"}')


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"kind": 1}', "[" * 100_000, "\ud800"])
def test_a_message_without_a_kind_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        messages.kind_of(text)


def test_a_response_url_is_not_shown_where_a_message_is_printed() -> None:
    assert "hooks.slack.com" not in repr(EVERY[4])
