"""Translates Slack's refusals and missing answers into errors of :mod:`lib.platform.errors`.

Slack's bodies and the SDK's own texts can hold URLs and tokens, so none of them gets into an error.
Source: https://docs.slack.dev/reference/methods/chat.postMessage
"""

import http.client
import json
import re
from urllib.error import URLError

from lib.platform import errors

_CODE = re.compile(r"[a-z_]{1,60}")

_CREDENTIALS = frozenset({"invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"})
_WEBHOOKS = frozenset({"no_service", "no_active_hooks", "no_team", "invalid_token"})
_GONE = frozenset({"message_not_found", "cant_update_message", "thread_not_found", "cannot_reply_to_message"})
_THROTTLES = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
# Nothing happened: request_timeout is Slack's own word for a body that did not arrive complete.
_UNAVAILABLE = frozenset({"service_unavailable", "request_timeout", "team_added_to_org"})
# "It's possible some aspect of the operation succeeded before the error was raised."
_AMBIGUOUS = frozenset({"internal_error", "fatal_error", "rollup_error"})


def no_answer(doing: str, error: Exception) -> errors.SwitchboardError:
    """The error to raise if there was no readable answer.

    Args:
        doing: what was attempted, after "could not".
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
    if isinstance(cause, json.JSONDecodeError | UnicodeDecodeError):
        return errors.ConnectionLostError(f"could not {doing}: Slack's answer can't be read ({name})")
    return errors.PermanentError(f"could not {doing}: not as configured ({name})")


def refusal(doing: str, status: int, code: object = None) -> errors.SwitchboardError:
    """The error to raise for an answer other than ok.

    Args:
        doing: what was attempted, after "could not".
        status: the HTTP status.
        code: the error that Slack names. The SDK puts a body there that is not JSON, so the code is checked.
    """
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    text = f"could not {doing}: Slack says {known}" if known else f"could not {doing}: Slack answered HTTP {status}"
    return _class_of(status, known)(text)


def _class_of(status: int, code: str) -> type[errors.SwitchboardError]:  # noqa: PLR0911 - one per cause
    if status == 429 or code in _THROTTLES:
        return errors.ThrottledError
    if code in _UNAVAILABLE or status == 503:
        return errors.UnavailableError
    if code in _AMBIGUOUS or status >= 500:
        return errors.ConnectionLostError
    if code in _CREDENTIALS | _WEBHOOKS:
        return errors.CredentialRefusedError
    if code in _GONE:
        return errors.NotFoundError
    if not code and status < 400:
        return errors.ConnectionLostError  # a success whose body can't be read
    return errors.PermanentError
