"""Reads what Slack sends when somebody clicks a button of a preview, as a typed Decision.

In the samples of several SDKs ``team`` may be null and names may be missing. Every other interaction is ignored. The signature
is checked before, not here (https://docs.slack.dev/reference/interaction-payloads/block_actions-payload).
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from lib.approvals import drafts, reasons
from lib.platform import errors, fields

Object = Mapping[str, Any]

APPROVE_ACTION = "approve_draft"
REJECT_ACTION = "reject_draft"
RETRY_ACTION = "retry_issue"

# Slack's host, and that of its government cloud (https://docs.slack.dev/govslack).
_RESPONSE_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MESSAGE_TS = re.compile(r"[0-9]{1,20}\.[0-9]{1,10}")
_MAX_URL_CHARACTERS = 1000
_MAX_BYTES = 8_000
"""More than any text that is accepted below, so that a text that is cut is refused."""


class Verb(enum.Enum):
    """The button that was clicked."""

    APPROVE = "approved"
    REJECT = "rejected"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One person's click on Approve, Reject or Retry.

    Attributes:
        verb: which of them.
        session_id: of the draft.
        draft_hash: of the draft that the preview showed.
        user: the person's Slack user ID.
        channel: the channel of the message with the button; empty if unknown.
        message_ts: that message; empty if unknown.
        response_url: where to post an answer to that person; None if there is no URL on an allowed host.
        reason: of a rejection; empty if the person gave none.
    """

    verb: Verb
    session_id: str
    draft_hash: str
    user: str
    channel: str = ""
    message_ts: str = ""
    response_url: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An interaction that is not a click on a preview, and why."""

    reason: str


def read_interaction(body: bytes, slack_api_url: str) -> Decision | Ignored:
    """Read the form ``body`` of an interaction.

    Args:
        body: as received, its signature checked.
        slack_api_url: the configured API. Besides Slack's hosts, an answer may go to its host (a stand-in's, for example).

    Raises:
        InvalidInputError: the body is not a form with one JSON payload, or a click lacks a required value.
    """
    form = _form(body)
    if form.get("ssl_check") == ["1"]:
        return Ignored("Slack checks the certificate of the URL")
    payload = _payload(form)
    if payload.get("type") != "block_actions":
        return Ignored(f"the interaction is a {str(payload.get('type'))[:40]!a}")
    clicks = ((action, _VERBS.get(_text(action, "action_id"))) for action in fields.objects_at(payload, "actions"))
    for action, verb in clicks:
        if verb is not None:
            return _decision(verb, action, payload, slack_api_url)
    return Ignored("no button of a preview was clicked")


_VERBS: Mapping[str, Verb] = {APPROVE_ACTION: Verb.APPROVE, REJECT_ACTION: Verb.REJECT, RETRY_ACTION: Verb.RETRY}


def _decision(verb: Verb, action: Object, payload: Object, slack_api_url: str) -> Decision:
    session_id, draft_hash = drafts.read_button_value(_text(action, "value"))
    user = _matching(_ID, _text(fields.object_at(payload, "user"), "id"))
    if not user:
        raise errors.InvalidInputError("the user's id is missing or malformed")
    container = fields.object_at(payload, "container")
    channel = _text(container, "channel_id") or _text(fields.object_at(payload, "channel"), "id")
    message_ts = _text(container, "message_ts") or _text(fields.object_at(payload, "message"), "ts")
    return Decision(
        verb=verb,
        session_id=session_id,
        draft_hash=draft_hash,
        user=user,
        channel=_matching(_ID, channel),
        message_ts=_matching(_MESSAGE_TS, message_ts),
        response_url=_response_url(_text(payload, "response_url"), slack_api_url),
        reason=reasons.read(payload) if verb is Verb.REJECT else "",
    )


def _form(body: bytes) -> Mapping[str, list[str]]:
    try:
        return parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise errors.InvalidInputError("the body is not a form") from None


def _payload(form: Mapping[str, list[str]]) -> Object:
    payloads = form.get("payload", [])
    if len(payloads) != 1:
        raise errors.InvalidInputError("the form does not have one payload")
    return fields.read_object(payloads[0], "the payload")


def _text(parent: Object, name: str) -> str:
    return fields.text_at(parent, name, max_bytes=_MAX_BYTES) or ""


def _matching(pattern: re.Pattern[str], value: str) -> str:
    return value if pattern.fullmatch(value) else ""


def _response_url(text: str, slack_api_url: str) -> str | None:
    """``text``, if it is on a host of Slack or of the configured API. Another URL is dropped, so that nobody can make this code
    call a host of their choice; the decision still counts, and the answer goes through the API."""
    try:
        url, api = urlsplit(text), urlsplit(slack_api_url)
        if len(text) <= _MAX_URL_CHARACTERS and url.username is None and url.password is None:
            on_slack = url.scheme == "https" and url.port in (None, 443) and url.hostname in _RESPONSE_HOSTS
            if on_slack or (api.hostname and _origin(url) == _origin(api)):
                return text
    except ValueError:
        pass
    return None


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port
