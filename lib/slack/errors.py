"""Translates Slack's refusals and missing answers into errors of :mod:`lib.platform.errors`.

Slack's bodies and the SDK's own texts can hold URLs and tokens, so none of them gets into an error.
Source: https://docs.slack.dev/reference/methods/chat.postMessage
"""

import http.client
import json
import re

from lib.platform import errors, http_errors

_CODE = re.compile(r"[a-z_]{1,60}")

_CODES: tuple[tuple[type[errors.SwitchboardError], tuple[str, ...]], ...] = (
    (errors.ThrottledError, ("ratelimited", "rate_limited", "message_limit_exceeded")),
    # Nothing happened: request_timeout is Slack's own word for a body that did not arrive complete.
    (errors.UnavailableError, ("service_unavailable", "request_timeout", "team_added_to_org")),
    # "It's possible some aspect of the operation succeeded before the error was raised."
    (errors.ConnectionLostError, ("internal_error", "fatal_error", "rollup_error")),
    (errors.CredentialRefusedError, ("invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive")),
    (errors.CredentialRefusedError, ("no_service", "no_active_hooks", "no_team", "invalid_token")),  # an incoming webhook
    (errors.NotFoundError, ("message_not_found", "cant_update_message", "thread_not_found", "cannot_reply_to_message")),
)
_BY_CODE = {code: kind for kind, codes in _CODES for code in codes}


def no_answer(doing: str, error: Exception) -> errors.SwitchboardError:
    """The error to raise if there was no readable answer.

    Args:
        doing: what was attempted, after "could not".
        error: what the SDK raised: an OSError, an HTTPException, a ValueError or an error of its own.
    """
    unanswered = isinstance(error, OSError | http.client.HTTPException | json.JSONDecodeError | UnicodeDecodeError)
    if unanswered and not isinstance(error, http.client.InvalidURL):
        return http_errors.no_answer("Slack", doing, error)
    return errors.PermanentError(f"could not {doing}: not as configured ({type(error).__name__})")


def refusal(doing: str, status: int, code: object = None) -> errors.SwitchboardError:
    """The error to raise for an answer other than ok.

    Args:
        doing: what was attempted, after "could not".
        status: the HTTP status.
        code: the error that Slack names. The SDK puts a body there that is not JSON, so the code is checked.
    """
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    text = f"could not {doing}: Slack says {known}" if known else f"could not {doing}: Slack answered HTTP {status}"
    if known in _BY_CODE:
        return _BY_CODE[known](text)
    if not known and status < 400:
        return errors.ConnectionLostError(text)  # a success whose body can't be read
    return http_errors.of_status(status, text)
