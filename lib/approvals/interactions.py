"""What Slack sends when somebody presses a button of a preview, as a typed Decision.

The payload is read as the samples of several SDKs show it: ``team`` may be null, names may be missing, and every other
interaction is ignored. Checking the signature comes before and is not done here
(https://docs.slack.dev/reference/interaction-payloads/block_actions-payload).
"""

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from lib.approvals import drafts
from lib.platform import errors

APPROVE_ACTION = "approve_draft"
REJECT_ACTION = "reject_draft"

# Slack's own, and that of its government cloud (https://docs.slack.dev/govslack).
_RESPONSE_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_CHANNEL_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MESSAGE_TS = re.compile(r"[0-9]{1,20}\.[0-9]{1,10}")
_MAX_URL_CHARACTERS = 1000


class Verb(enum.Enum):
    """What the button says."""

    APPROVE = "approved"
    REJECT = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One person's press of Approve or Reject.

    Attributes:
        verb: which of the two.
        session_id: of the draft.
        draft_hash: of the draft that the preview showed.
        user: the person's Slack user ID.
        channel: the channel of the message with the button; empty if Slack doesn't say.
        message_ts: that message; empty if Slack doesn't say.
        response_url: where an answer to that person may be posted; None if there is none that is Slack's.
    """

    verb: Verb
    session_id: str
    draft_hash: str
    user: str
    channel: str = ""
    message_ts: str = ""
    response_url: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """An interaction that is none of ours, and why."""

    reason: str


def read_interaction(body: bytes, slack_api_url: str) -> Decision | Ignored:
    """Read the form ``body`` of an interaction.

    Args:
        body: as received, its signature checked.
        slack_api_url: the configured API; an answer may go to its host besides Slack's own (a stand-in answers there).

    Raises:
        InvalidInputError: the body is no form with one JSON payload, or a press of our buttons lacks what it must have.
    """
    form = _form(body)
    if form.get("ssl_check") == ["1"]:
        return Ignored("Slack checks the certificate of the URL")
    payload = _payload(form)
    if payload.get("type") != "block_actions":
        return Ignored(f"the interaction is a {str(payload.get('type'))[:40]!a}")
    action = next((action for action in _actions(payload) if action.get("action_id") in _VERBS), None)
    if action is None:
        return Ignored("no button of a preview was pressed")
    user = _mapping(payload, "user")
    session_id, draft_hash = drafts.read_button_value(_text(action, "value"))
    container = _mapping(payload, "container")
    return Decision(
        verb=_VERBS[action["action_id"]],
        session_id=session_id,
        draft_hash=draft_hash,
        user=_required(user, "id", _USER_ID, "the user's id"),
        channel=_shaped(_text(container, "channel_id") or _text(_mapping(payload, "channel"), "id"), _CHANNEL_ID),
        message_ts=_shaped(_text(container, "message_ts") or _text(_mapping(payload, "message"), "ts"), _MESSAGE_TS),
        response_url=_response_url(_text(payload, "response_url"), slack_api_url),
    )


_VERBS: Mapping[object, Verb] = {APPROVE_ACTION: Verb.APPROVE, REJECT_ACTION: Verb.REJECT}


def _form(body: bytes) -> Mapping[str, list[str]]:
    try:
        return parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise errors.InvalidInputError("the body is not a form") from None


def _payload(form: Mapping[str, list[str]]) -> Mapping[str, Any]:
    try:
        (text,) = form["payload"]
        payload = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        raise errors.InvalidInputError("the form does not have one JSON payload") from None
    if not isinstance(payload, dict):
        raise errors.InvalidInputError("the payload is not a JSON object")
    return payload


def _actions(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    actions = payload.get("actions")
    if not isinstance(actions, list):
        return []
    # An action_id that is no text could not be looked up.
    return [action for action in actions if isinstance(action, dict) and isinstance(action.get("action_id"), str)]


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _text(parent: Mapping[str, Any], name: str) -> str:
    value = parent.get(name)
    return value if isinstance(value, str) else ""


def _required(parent: Mapping[str, Any], name: str, pattern: re.Pattern[str], meaning: str) -> str:
    value = _text(parent, name)
    if not pattern.fullmatch(value):
        raise errors.InvalidInputError(f"{meaning} is missing or malformed")
    return value


def _shaped(value: str, pattern: re.Pattern[str]) -> str:
    return value if pattern.fullmatch(value) else ""


def _response_url(text: str, slack_api_url: str) -> str | None:
    """``text``, if it leads to Slack or to the configured API. Another is dropped and the decision stands: the answer then
    goes by the API, and nobody can make us call a host of their choice."""
    try:
        url, api = urlsplit(text), urlsplit(slack_api_url)
        if len(text) <= _MAX_URL_CHARACTERS and url.username is None and url.password is None:
            ours = url.scheme == "https" and url.port in (None, 443) and url.hostname in _RESPONSE_HOSTS
            if ours or (api.hostname and _origin(url) == _origin(api)):
                return text
    except ValueError:
        pass
    return None


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port
