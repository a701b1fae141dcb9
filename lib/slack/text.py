"""What all who talk to Slack share: text that can do nothing, and what a refusal of Slack's means.

No SDK and no connection: those are in lib/notifications/channels/slack.py and lib/slack/client.py, which import theirs late.
Sources: https://docs.slack.dev/messaging/formatting-message-text#escaping, https://docs.slack.dev/reference/methods/chat.postMessage
"""

import http.client
import re
from urllib.error import URLError

from lib.platform import errors

_CODE = re.compile(r"[a-z_]{1,60}")

_CREDENTIALS = frozenset({"invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"})
_WEBHOOKS = frozenset({"no_service", "no_active_hooks", "no_team", "invalid_token"})
_GONE = frozenset({"message_not_found", "cant_update_message", "thread_not_found", "cannot_reply_to_message"})
_THROTTLES = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
# Nothing happened: request_timeout is Slack's own word for a body that did not arrive whole.
_AWAY = frozenset({"service_unavailable", "request_timeout", "team_added_to_org"})
# "It's possible some aspect of the operation succeeded before the error was raised."
_HALF_WAY = frozenset({"internal_error", "fatal_error", "rollup_error"})


def escape(text: str) -> str:
    """``text`` without Slack's control characters. Everything that Slack reads as a link or a mention begins with ``<``.

    What remains is Slack's own marks, such as ``*bold*``, which can do no more than look odd.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, most: int) -> str:
    """``text`` escaped and cut to ``most`` characters, never in the middle of an escape."""
    text = text.strip()
    escaped = escape(text)
    if len(escaped) <= most:
        return escaped
    pieces: list[str] = []
    length = 1  # the ellipsis
    for character in text:
        piece = escape(character)
        length += len(piece)
        if length > most:
            break
        pieces.append(piece)
    return "".join(pieces).rstrip() + "…"


def no_answer(doing: str, error: Exception) -> errors.SwitchboardError:
    """The error that it means that no answer came. The SDK's texts hold URLs and bodies, so that none of them is passed on.

    Args:
        doing: what was tried, after "could not".
        error: what the SDK raised: an OSError, an HTTPException, a ValueError or an error of its own.
    """
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    name = type(cause).__name__
    if isinstance(cause, TimeoutError):
        return errors.DeadlineExceededError(f"could not {doing}: Slack did not answer in time")
    if isinstance(error, URLError) and not isinstance(cause, ConnectionResetError | BrokenPipeError):
        return errors.UnavailableError(f"could not {doing}: Slack can't be reached ({name})")
    if isinstance(cause, OSError | http.client.HTTPException) and not isinstance(cause, http.client.InvalidURL):
        return errors.ConnectionLostError(f"could not {doing}: the connection to Slack broke ({name})")
    return errors.PermanentError(f"could not {doing}: not as configured ({name})")


def refusal(doing: str, status: int, code: object = None) -> errors.SwitchboardError:
    """The error that an answer other than ok means.

    Args:
        doing: what was tried, after "could not".
        status: of HTTP.
        code: what Slack names as the error. The SDK puts a body that is no JSON there, so that it is checked.
    """
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    text = f"could not {doing}: Slack says {known}" if known else f"could not {doing}: Slack answered HTTP {status}"
    return _kind(status, known)(text)


def _kind(status: int, code: str) -> type[errors.SwitchboardError]:  # noqa: PLR0911 - one a cause
    if status == 429 or code in _THROTTLES:
        return errors.ThrottledError
    if code in _AWAY or status == 503:
        return errors.UnavailableError
    if code in _HALF_WAY or status >= 500:
        return errors.ConnectionLostError
    if code in _CREDENTIALS | _WEBHOOKS:
        return errors.CredentialRefusedError
    if code in _GONE:
        return errors.NotFoundError
    if not code and status < 400:
        return errors.ConnectionLostError  # taken, it seems, and the answer can't be read
    return errors.PermanentError
